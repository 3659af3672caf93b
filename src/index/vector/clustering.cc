#include "index/vector/clustering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "base/random.h"

namespace firn::index {
namespace {

constexpr std::size_t kChunkRows = 2048;  // of a task

// Of the clustering of clusters. Fewer groups than the square root of the clusters, and rounds over all after: so the
// error and the lengths of lists are those of one k-means over all.
constexpr std::size_t kTrainingRowsPerGroup = 256;
constexpr std::size_t kRoundsOverAll = 4;

struct Assignment {
  std::vector<std::uint32_t> cluster;  // of each row
  std::vector<std::uint32_t> sizes;    // of each cluster
};

Result<Assignment> AssignAll(Matrix sample, Matrix centroids, TaskPool& pool, const Deadline& deadline) {
  FIRN_TRY(const Assigner assigner, Assigner::Make(centroids, pool, deadline));
  Assignment assignment;
  assignment.cluster.resize(sample.rows);
  FIRN_CHECK(pool.ParallelFor((sample.rows + kChunkRows - 1) / kChunkRows, [&](std::size_t chunk) -> Status {
    FIRN_CHECK(deadline.Check("clustering"));
    const std::size_t first = chunk * kChunkRows;
    const std::size_t rows = std::min(kChunkRows, sample.rows - first);
    assigner.Assign({sample.values + first * sample.dims, rows, sample.dims}, &assignment.cluster[first], nullptr);
    return {};
  }));
  assignment.sizes.assign(centroids.rows, 0);
  for (const std::uint32_t cluster : assignment.cluster) assignment.sizes[cluster]++;
  return assignment;
}

/// Centroids become the means of their rows; an empty one stays where it is.
void MoveToMeans(Matrix sample, const Assignment& assignment, std::vector<float>& centroids, TaskPool& pool) {
  const std::size_t dims = sample.dims;
  // Each task owns a slice of the dimensions, so that sums need no lock and do not depend on the number of threads.
  const std::size_t slices = std::max<std::size_t>(1, std::min<std::size_t>(pool.size() * 2, dims / 16));
  (void)pool.ParallelFor(slices, [&](std::size_t slice) -> Status {
    const std::size_t begin = dims * slice / slices, end = dims * (slice + 1) / slices;
    std::vector<float> sums(assignment.sizes.size() * (end - begin), 0.0F);
    for (std::size_t row = 0; row < sample.rows; row++) {
      const float* from = sample.values + row * dims + begin;
      float* to = sums.data() + assignment.cluster[row] * (end - begin);
      for (std::size_t i = 0; i < end - begin; i++) to[i] += from[i];
    }
    for (std::size_t cluster = 0; cluster < assignment.sizes.size(); cluster++) {
      if (assignment.sizes[cluster] == 0) continue;
      const float inverse = 1.0F / static_cast<float>(assignment.sizes[cluster]);
      for (std::size_t i = begin; i < end; i++)
        centroids[cluster * dims + i] = sums[cluster * (end - begin) + i - begin] * inverse;
    }
    return {};
  });
}

/// Puts the centroids of the smallest clusters beside those of the largest, a random row of theirs being the new place.
void Rebalance(Matrix sample, const Assignment& assignment, std::vector<float>& centroids, Random& random) {
  const std::size_t clusters = assignment.sizes.size();
  const std::size_t mean = std::max<std::size_t>(1, sample.rows / clusters);
  std::vector<std::uint32_t> order(clusters);
  std::iota(order.begin(), order.end(), 0U);
  std::ranges::sort(order, {}, [&](std::uint32_t cluster) { return assignment.sizes[cluster]; });
  std::vector<std::uint32_t> donor_of(clusters, std::numeric_limits<std::uint32_t>::max());
  std::size_t small = 0;
  for (std::size_t large = clusters; large-- > 0 && small < large;) {
    if (assignment.sizes[order[large]] <= 2 * mean || assignment.sizes[order[small]] * 4 >= mean) break;
    donor_of[order[large]] = order[small++];
  }
  if (small == 0) return;
  std::vector<std::uint32_t> seen(clusters, 0);  // reservoir of one row for each donor
  for (std::size_t row = 0; row < sample.rows; row++) {
    const std::uint32_t cluster = assignment.cluster[row];
    const std::uint32_t target = donor_of[cluster];
    if (target == std::numeric_limits<std::uint32_t>::max()) continue;
    if (random.Below(++seen[cluster]) != 0) continue;
    std::ranges::copy(sample.Row(row), centroids.begin() + static_cast<std::ptrdiff_t>(target * sample.dims));
  }
}

std::vector<float> RandomRows(Matrix sample, std::size_t count, Random& random) {
  std::vector<std::uint32_t> rows(sample.rows);
  std::iota(rows.begin(), rows.end(), 0U);
  for (std::size_t i = 0; i < count; i++) std::swap(rows[i], rows[i + random.Below(rows.size() - i)]);
  std::vector<float> chosen;
  chosen.reserve(count * sample.dims);
  for (std::size_t i = 0; i < count; i++) {
    const auto row = sample.Row(rows[i]);
    chosen.insert(chosen.end(), row.begin(), row.end());
  }
  return chosen;
}

/// Rows to their centroids, centroids to the means of their rows. `rebalanced` times; the last rounds only settle.
Status Improve(Matrix sample, std::size_t rounds, std::size_t rebalanced, std::vector<float>& centroids, Random& random,
               TaskPool& pool, const Deadline& deadline) {
  const Matrix view{centroids.data(), centroids.size() / sample.dims, sample.dims};
  for (std::size_t round = 0; round < rounds; round++) {
    FIRN_TRY(const Assignment assignment, AssignAll(sample, view, pool, deadline));
    MoveToMeans(sample, assignment, centroids, pool);
    if (round < rebalanced) Rebalance(sample, assignment, centroids, random);
  }
  return {};
}

Result<std::vector<float>> FromRandomRows(Matrix sample, std::size_t clusters, std::size_t rounds, Random& random,
                                          TaskPool& pool, const Deadline& deadline) {
  std::vector<float> centroids = RandomRows(sample, clusters, random);
  FIRN_CHECK(Improve(sample, rounds, std::max<std::size_t>(rounds, 3) - 3, centroids, random, pool, deadline));
  return centroids;
}

/// How many of the clusters each group gets: as many to a row everywhere, by largest remainders. None gets more than it
/// has rows.
std::vector<std::size_t> Shares(std::span<const std::uint32_t> sizes, std::size_t rows, std::size_t clusters) {
  std::vector<std::size_t> shares(sizes.size());
  std::vector<std::pair<std::uint64_t, std::size_t>> remainders;
  std::size_t given = 0;
  for (std::size_t group = 0; group < sizes.size(); group++) {
    const std::uint64_t product = std::uint64_t{sizes[group]} * clusters;
    shares[group] = product / rows;
    given += shares[group];
    remainders.emplace_back(product % rows, group);
  }
  std::ranges::sort(remainders, std::ranges::greater());
  for (std::size_t i = 0; given < clusters; i++, given++) shares[remainders[i].second]++;
  return shares;
}

/// Rows by group: those of group i are order[begins[i]] to order[begins[i + 1] - 1].
struct Grouping {
  std::vector<std::uint32_t> order, begins, sizes;
};

Result<Grouping> Group(Matrix sample, std::size_t groups, std::size_t rounds, Random& random, TaskPool& pool,
                       const Deadline& deadline) {
  const std::size_t rows = std::min(sample.rows, groups * kTrainingRowsPerGroup);
  const std::vector<float> some = RandomRows(sample, rows, random);
  FIRN_TRY(const std::vector<float> centres,
           FromRandomRows({some.data(), rows, sample.dims}, groups, rounds, random, pool, deadline));
  FIRN_TRY(Assignment assignment, AssignAll(sample, {centres.data(), groups, sample.dims}, pool, deadline));
  Grouping grouping{.order = std::vector<std::uint32_t>(sample.rows),
                    .begins = std::vector<std::uint32_t>(groups + 1, 0),
                    .sizes = std::move(assignment.sizes)};
  std::partial_sum(grouping.sizes.begin(), grouping.sizes.end(), grouping.begins.begin() + 1);
  std::vector<std::uint32_t> next = grouping.begins;
  for (std::uint32_t row = 0; row < sample.rows; row++) grouping.order[next[assignment.cluster[row]]++] = row;
  return grouping;
}

/// The k-means of each group starts from its own rows. They are copied: in all at most once the sample.
Result<std::vector<float>> FromGroups(Matrix sample, std::size_t clusters, std::size_t rounds, Random& random,
                                      TaskPool& pool, const Deadline& deadline) {
  const auto groups = static_cast<std::size_t>(std::sqrt(static_cast<double>(clusters)) / 2);
  FIRN_TRY(const Grouping grouping, Group(sample, groups, rounds, random, pool, deadline));
  const std::vector<std::size_t> shares = Shares(grouping.sizes, sample.rows, clusters);
  const std::uint64_t seed = random.Next();
  std::vector<std::vector<float>> centroids_of(groups);
  FIRN_CHECK(pool.ParallelFor(groups, [&](std::size_t group) -> Status {
    if (shares[group] == 0) return {};
    const std::size_t rows = grouping.sizes[group];
    std::vector<float> own;
    own.reserve(rows * sample.dims);
    for (const std::uint32_t row : std::span(grouping.order).subspan(grouping.begins[group], rows)) {
      const auto values = sample.Row(row);
      own.insert(own.end(), values.begin(), values.end());
    }
    Random random_of_group(seed + group);
    FIRN_TRY(centroids_of[group],
             FromRandomRows({own.data(), rows, sample.dims}, shares[group], rounds, random_of_group, pool, deadline));
    return {};
  }));
  std::vector<float> centroids;
  centroids.reserve(clusters * sample.dims);
  for (const std::vector<float>& some : centroids_of) centroids.insert(centroids.end(), some.begin(), some.end());
  const std::size_t rounds_over_all = std::min(rounds, kRoundsOverAll);
  FIRN_CHECK(Improve(sample, rounds_over_all, rounds_over_all / 2, centroids, random, pool, deadline));
  return centroids;
}

}  // namespace

Result<std::vector<float>> Cluster(Matrix sample, const ClusteringOptions& options, TaskPool& pool,
                                   const Deadline& deadline) {
  if (sample.rows == 0) return InvalidArgument("there are no rows to cluster");
  Random random(options.seed);
  const std::size_t wanted = std::clamp<std::size_t>(options.clusters, 1, sample.rows);
  FIRN_TRY(const std::vector<float> centroids,
           wanted <= Assigner::kMostCompared ? FromRandomRows(sample, wanted, options.rounds, random, pool, deadline)
                                             : FromGroups(sample, wanted, options.rounds, random, pool, deadline));
  const Matrix view{centroids.data(), wanted, sample.dims};
  FIRN_TRY(const Assignment assignment, AssignAll(sample, view, pool, deadline));
  std::vector<float> kept;
  for (std::size_t cluster = 0; cluster < wanted; cluster++) {
    if (assignment.sizes[cluster] == 0) continue;
    const auto row = view.Row(cluster);
    kept.insert(kept.end(), row.begin(), row.end());
  }
  return kept;
}

}  // namespace firn::index
