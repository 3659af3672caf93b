#include "index/vector/clustering.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace firn::index {
namespace {

constexpr std::size_t kChunkRows = 2048;  // of a task

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

}  // namespace

Result<std::vector<float>> Cluster(Matrix sample, const ClusteringOptions& options, TaskPool& pool,
                                   const Deadline& deadline) {
  if (sample.rows == 0) return InvalidArgument("there are no rows to cluster");
  Random random(options.seed);
  const std::size_t wanted = std::clamp<std::size_t>(options.clusters, 1, sample.rows);
  std::vector<float> centroids = RandomRows(sample, wanted, random);
  const Matrix view{centroids.data(), wanted, sample.dims};
  for (std::size_t round = 0; round < options.rounds; round++) {
    FIRN_TRY(const Assignment assignment, AssignAll(sample, view, pool, deadline));
    MoveToMeans(sample, assignment, centroids, pool);
    // The last rounds only settle.
    if (round + 3 < options.rounds) Rebalance(sample, assignment, centroids, random);
  }
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
