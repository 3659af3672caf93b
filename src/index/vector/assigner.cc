#include "index/vector/assigner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

#include "index/vector/clustering.h"
#include "simd/quantised.h"

namespace firn::index {
namespace {

constexpr std::size_t kRowsAtOnce = 128;  // of one product of matrices
constexpr std::size_t kRowsSpread = 512;  // over the groups together: of each group's some rows meet

// A row is compared with the centroids of the kFirstGroups nearest groups, then with those of up to kMostGroups whose
// centres are nearer than sqrt(kFarther2) times the best centroid so far. In a group farther away a better one would
// lie within 45 degrees of the line from the centre to the row, which is rare in many dimensions. (The triangle
// inequality, which is sure, excludes next to nothing there.)
constexpr std::size_t kFirstGroups = 4, kMostGroups = 24;
constexpr float kFarther2 = 2;

// On average a row is compared with the centroids of about so many groups. sqrt(that * centroids) groups make these
// comparisons about as many as those with the centres.
constexpr std::size_t kMeanGroups = 8;
constexpr std::size_t kGroupingRounds = 6;
constexpr std::uint64_t kGroupingSeed = 1;

float HalfNorm2(std::span<const float> values) {
  float norm2 = 0;
  simd::DotMatrix(values.data(), 1, values.data(), 1, values.size(), &norm2);
  return norm2 / 2;
}

std::vector<float> HalfNorms2(Matrix rows) {
  std::vector<float> half_norms2(rows.rows);
  for (std::size_t i = 0; i < rows.rows; i++) half_norms2[i] = HalfNorm2(rows.Row(i));
  return half_norms2;
}

}  // namespace

struct Assigner::Choice {
  std::array<std::uint32_t, kMostGroups> groups;  // nearest first
  std::array<float, kMostGroups> scores;
  std::uint32_t found = 0;
  std::uint32_t begin = 0, end = 0;  // those to compare with now

  void Offer(std::uint32_t group, float score) {
    if (found == kMostGroups && !(score > scores[found - 1])) return;
    std::size_t at = found < kMostGroups ? found++ : found - 1;
    for (; at > 0 && score > scores[at - 1]; at--) {
      scores[at] = scores[at - 1];
      groups[at] = groups[at - 1];
    }
    scores[at] = score;
    groups[at] = group;
  }
};

Assigner::Assigner(Matrix centroids) : centroids_(centroids), half_norms2_(HalfNorms2(centroids)) {}

Assigner::Assigner(Matrix centroids, std::vector<float> centres, std::span<const std::uint32_t> group_of)
    : centroids_({nullptr, centroids.rows, centroids.dims}), centres_(std::move(centres)) {
  const std::size_t dims = centroids.dims;
  centre_half_norms2_ = HalfNorms2({centres_.data(), centres_.size() / dims, dims});
  group_begin_.assign(groups() + 1, 0);
  for (const std::uint32_t group : group_of) group_begin_[group + 1]++;
  std::partial_sum(group_begin_.begin(), group_begin_.end(), group_begin_.begin());
  std::vector<std::uint32_t> next = group_begin_;
  grouped_.resize(centroids.rows * dims);
  numbers_.resize(centroids.rows);
  for (std::uint32_t number = 0; number < centroids.rows; number++) {
    const std::size_t at = next[group_of[number]]++;
    numbers_[at] = number;
    std::ranges::copy(centroids.Row(number), grouped_.begin() + static_cast<std::ptrdiff_t>(at * dims));
  }
  half_norms2_ = HalfNorms2({grouped_.data(), centroids.rows, dims});
}

Result<Assigner> Assigner::Make(Matrix centroids, TaskPool& pool, const Deadline& deadline) {
  if (centroids.rows <= kMostCompared) return Assigner(centroids);
  const auto groups = static_cast<std::size_t>(std::sqrt(static_cast<double>(kMeanGroups * centroids.rows)));
  FIRN_TRY(std::vector<float> centres,
           Cluster(centroids, {.clusters = groups, .rounds = kGroupingRounds, .seed = kGroupingSeed}, pool, deadline));
  FIRN_TRY(const Assigner to_groups,
           Make({centres.data(), centres.size() / centroids.dims, centroids.dims}, pool, deadline));
  std::vector<std::uint32_t> group_of(centroids.rows);
  FIRN_CHECK(pool.ParallelFor((centroids.rows + kRowsSpread - 1) / kRowsSpread, [&](std::size_t part) -> Status {
    const std::size_t first = part * kRowsSpread, rows = std::min(kRowsSpread, centroids.rows - first);
    to_groups.Assign({centroids.Row(first).data(), rows, centroids.dims}, &group_of[first], nullptr);
    return deadline.Check("grouping centroids");
  }));
  return Assigner(centroids, std::move(centres), group_of);
}

void Assigner::Assign(Matrix rows, std::uint32_t* nearest, float* distance2) const {
  const std::size_t at_once = groups() == 0 ? kRowsAtOnce : kRowsSpread;
  std::vector<float> scores(std::min(at_once, rows.rows));
  for (std::size_t first = 0; first < rows.rows; first += at_once) {
    const Matrix some{rows.Row(first).data(), std::min(at_once, rows.rows - first), rows.dims};
    if (groups() == 0) {
      CompareWithAll(some, nearest + first, scores.data());
    } else {
      CompareWithSome(some, nearest + first, scores.data());
    }
    for (std::size_t i = 0; distance2 != nullptr && i < some.rows; i++)
      distance2[first + i] = std::max(0.0F, 2 * (HalfNorm2(some.Row(i)) - scores[i]));
  }
}

void Assigner::CompareWithAll(Matrix rows, std::uint32_t* nearest, float* scores) const {
  std::vector<float> products(rows.rows * centroids_.rows);
  simd::DotMatrix(rows.values, rows.rows, centroids_.values, centroids_.rows, rows.dims, products.data());
  for (std::size_t i = 0; i < rows.rows; i++) {
    const float* row = products.data() + i * centroids_.rows;
    std::uint32_t best = 0;
    float best_score = row[0] - half_norms2_[0];
    for (std::uint32_t c = 1; c < centroids_.rows; c++) {
      const float score = row[c] - half_norms2_[c];
      if (score > best_score) {
        best_score = score;
        best = c;
      }
    }
    nearest[i] = best;
    scores[i] = best_score;
  }
}

void Assigner::CompareWithSome(Matrix rows, std::uint32_t* nearest, float* scores) const {
  std::vector<float> products(rows.rows * groups());
  simd::DotMatrix(rows.values, rows.rows, centres_.data(), groups(), rows.dims, products.data());
  std::vector<Choice> choices(rows.rows);
  for (std::size_t i = 0; i < rows.rows; i++) {
    Choice& choice = choices[i];
    for (std::uint32_t group = 0; group < groups(); group++) {
      if (group_begin_[group] == group_begin_[group + 1]) continue;
      choice.Offer(group, products[i * groups() + group] - centre_half_norms2_[group]);
    }
    choice.end = std::min<std::uint32_t>(kFirstGroups, choice.found);
  }
  std::fill_n(scores, rows.rows, -std::numeric_limits<float>::infinity());
  std::fill_n(nearest, rows.rows, std::numeric_limits<std::uint32_t>::max());
  CompareWith(choices, rows, nearest, scores);
  for (std::size_t i = 0; i < rows.rows; i++) {
    Choice& choice = choices[i];
    const float half_norm2 = HalfNorm2(rows.Row(i));  // less a score: half of a squared distance
    const float far = kFarther2 * (half_norm2 - scores[i]);
    choice.begin = choice.end;
    while (choice.end < choice.found && half_norm2 - choice.scores[choice.end] < far) choice.end++;
  }
  CompareWith(choices, rows, nearest, scores);
}

/// Keeps what is better than `nearest` and `scores`. The rows that chose a group meet its centroids together.
void Assigner::CompareWith(std::span<const Choice> choices, Matrix rows, std::uint32_t* nearest, float* scores) const {
  std::vector<std::uint32_t> begins(groups() + 1, 0);
  for (const Choice& choice : choices) {
    for (std::size_t j = choice.begin; j < choice.end; j++) begins[choice.groups[j] + 1]++;
  }
  std::partial_sum(begins.begin(), begins.end(), begins.begin());
  std::vector<std::uint32_t> takers(begins.back()), next = begins;
  for (std::uint32_t row = 0; row < rows.rows; row++) {
    const Choice& choice = choices[row];
    for (std::size_t j = choice.begin; j < choice.end; j++) takers[next[choice.groups[j]]++] = row;
  }
  std::vector<float> gathered(kRowsAtOnce * rows.dims), products;
  for (std::size_t group = 0; group < groups(); group++) {
    const std::size_t begin = group_begin_[group], centroids = group_begin_[group + 1] - begin;
    for (std::size_t first = begins[group]; first < begins[group + 1]; first += kRowsAtOnce) {
      const std::size_t count = std::min<std::size_t>(kRowsAtOnce, begins[group + 1] - first);
      for (std::size_t i = 0; i < count; i++)
        std::ranges::copy(rows.Row(takers[first + i]), gathered.begin() + static_cast<std::ptrdiff_t>(i * rows.dims));
      products.resize(std::max(products.size(), count * centroids));
      simd::DotMatrix(gathered.data(), count, grouped_.data() + begin * rows.dims, centroids, rows.dims,
                      products.data());
      for (std::size_t i = 0; i < count; i++) {
        float& best_score = scores[takers[first + i]];
        std::uint32_t& best = nearest[takers[first + i]];
        for (std::size_t c = 0; c < centroids; c++) {
          const float score = products[i * centroids + c] - half_norms2_[begin + c];
          if (score < best_score || (score == best_score && numbers_[begin + c] > best)) continue;
          best_score = score;
          best = numbers_[begin + c];
        }
      }
    }
  }
}

}  // namespace firn::index
