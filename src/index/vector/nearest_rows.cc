#include "index/vector/nearest_rows.h"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>
#include <numeric>

#include "base/random.h"

namespace firn::index {
namespace {

constexpr std::size_t kPartRows = 1000;  // all pairs of a part are compared
constexpr std::size_t kOverlap = 4;      // parts that a row belongs to
constexpr std::size_t kMostLeaders = 1000;
constexpr std::size_t kRowsPerTask = 256;
constexpr std::size_t kLocks = 1024;

using Part = std::vector<std::uint32_t>;

/// Rows gathered so that one kernel call compares a row with all of them.
struct Gathered {
  Gathered(const ByteRows& from, const Part& which) : rows(from), part(which), bytes(which.size() * from.axes) {
    for (std::size_t i = 0; i < part.size(); i++) std::copy_n(rows[part[i]], rows.axes, &bytes[i * rows.axes]);
  }
  void DistancesTo(std::uint32_t row, std::vector<std::int32_t>& products, std::vector<float>& distances) const {
    products.resize(part.size());
    distances.resize(part.size());
    simd::DotSignedBytes(bytes.data(), part.size(), rows.axes, rows[row], products.data());
    for (std::size_t i = 0; i < part.size(); i++) distances[i] = rows.FromProduct(row, part[i], products[i]);
  }
  const ByteRows& rows;
  const Part& part;
  std::vector<std::int8_t> bytes;
};

class Partition {
 public:
  Partition(const ByteRows& rows, std::uint64_t seed, TaskPool& pool, const Deadline& deadline)
      : rows_(rows), random_(seed), pool_(pool), deadline_(deadline) {}

  /// Parts of at most kPartRows: rows join their nearest leaders, first several, then, while a part is too large, one.
  Result<std::vector<Part>> Split() {
    Part all(rows_.size());
    std::iota(all.begin(), all.end(), 0U);
    std::vector<Part> waiting, done;
    waiting.push_back(std::move(all));
    std::size_t overlap = kOverlap;
    while (!waiting.empty()) {
      Part part = std::move(waiting.back());
      waiting.pop_back();
      if (part.size() <= kPartRows) {
        done.push_back(std::move(part));
        continue;
      }
      FIRN_TRY(std::vector<Part> parts, Join(part, overlap));
      overlap = 1;
      for (Part& smaller : parts) {
        if (smaller.size() < part.size()) {
          waiting.push_back(std::move(smaller));
        } else {  // all rows are the same to the leaders
          CutInOrder(smaller, done);
        }
      }
    }
    return done;
  }

 private:
  static void CutInOrder(const Part& part, std::vector<Part>& done) {
    for (std::size_t i = 0; i < part.size(); i += kPartRows) {
      const auto first = part.begin() + static_cast<std::ptrdiff_t>(i);
      done.emplace_back(first, first + static_cast<std::ptrdiff_t>(std::min(kPartRows, part.size() - i)));
    }
  }

  Part PickLeaders(Part part, std::size_t count) {
    for (std::size_t i = 0; i < count; i++) std::swap(part[i], part[i + random_.Below(part.size() - i)]);
    part.resize(count);
    return part;
  }

  Result<std::vector<Part>> Join(const Part& part, std::size_t overlap) {
    const std::size_t leaders = std::clamp<std::size_t>(part.size() * overlap * 2 / kPartRows, 2, kMostLeaders);
    overlap = std::min(overlap, leaders);
    const Part led_by = PickLeaders(part, leaders);
    const Gathered gathered(rows_, led_by);
    std::vector<std::uint32_t> joined(part.size() * overlap);
    const std::size_t tasks = (part.size() + kRowsPerTask - 1) / kRowsPerTask;
    FIRN_CHECK(pool_.ParallelFor(tasks, [&](std::size_t task) -> Status {
      FIRN_CHECK(deadline_.Check("finding near rows"));
      std::vector<std::int32_t> products;
      std::vector<float> distances;
      std::vector<Neighbour> nearest(leaders);
      for (std::size_t i = task * kRowsPerTask; i < std::min(part.size(), (task + 1) * kRowsPerTask); i++) {
        gathered.DistancesTo(part[i], products, distances);
        for (std::uint32_t j = 0; j < leaders; j++) nearest[j] = {distances[j], j};
        std::partial_sort(nearest.begin(), nearest.begin() + static_cast<std::ptrdiff_t>(overlap), nearest.end());
        for (std::size_t j = 0; j < overlap; j++) joined[i * overlap + j] = nearest[j].row;
      }
      return {};
    }));
    std::vector<Part> parts(leaders);
    for (std::size_t i = 0; i < joined.size(); i++) parts[joined[i]].push_back(part[i / overlap]);
    std::erase_if(parts, [](const Part& p) { return p.empty(); });
    return parts;
  }

  const ByteRows& rows_;
  Random random_;
  TaskPool& pool_;
  const Deadline& deadline_;
};

/// The best of two sorted lists, each row once: the same whatever the order of merges.
void Merge(std::span<Neighbour> best, const std::vector<Neighbour>& more, std::vector<Neighbour>& merged) {
  merged.clear();
  auto a = best.begin();
  auto b = more.begin();
  while (merged.size() < best.size() && (b != more.end() || (a != best.end() && a->row != kNoRow))) {
    const bool take_a = a != best.end() && (b == more.end() || *a <= *b);
    const Neighbour& next = take_a ? *a++ : *b++;
    if (merged.empty() || merged.back() != next) merged.push_back(next);
  }
  std::ranges::copy(merged, best.begin());
}

}  // namespace

Result<std::vector<Neighbour>> NearestRows(const ByteRows& rows, std::size_t count, std::uint64_t seed, TaskPool& pool,
                                           const Deadline& deadline) {
  FIRN_TRY(const std::vector<Part> parts, Partition(rows, seed, pool, deadline).Split());
  std::vector<Neighbour> best(rows.size() * count, Neighbour{std::numeric_limits<float>::infinity(), kNoRow});
  std::array<std::mutex, kLocks> locks;
  FIRN_CHECK(pool.ParallelFor(parts.size(), [&](std::size_t p) -> Status {
    FIRN_CHECK(deadline.Check("finding near rows"));
    const Part& part = parts[p];
    const Gathered gathered(rows, part);
    std::vector<std::int32_t> products;
    std::vector<float> distances;
    std::vector<Neighbour> near, merged;
    for (const std::uint32_t row : part) {
      gathered.DistancesTo(row, products, distances);
      const std::span<Neighbour> held(&best[row * count], count);
      const std::lock_guard lock(locks[row % kLocks]);
      const float bound = held.back().distance;
      near.clear();
      for (std::size_t i = 0; i < part.size(); i++) {
        if (distances[i] <= bound && part[i] != row) near.push_back({distances[i], part[i]});
      }
      if (near.size() > count) {
        std::ranges::nth_element(near, near.begin() + static_cast<std::ptrdiff_t>(count));
        near.resize(count);
      }
      std::ranges::sort(near);
      Merge(held, near, merged);
    }
    return {};
  }));
  return best;
}

}  // namespace firn::index
