#include "index/vector/neighbour_selection.h"

#include <algorithm>
#include <limits>

namespace firn::index {
namespace {

constexpr std::size_t kRowsPerTask = 256;
constexpr std::size_t kMostReverse = 512;                 // offered to one row
constexpr float kAlphas[] = {1, 1.1F, 1.2F, 1.4F, 1.8F};  // of squared distances
constexpr Neighbour kNobody = {std::numeric_limits<float>::infinity(), kNoRow};

/// The edges that end in each row, by row.
struct ReverseEdges {
  explicit ReverseEdges(const Adjacency& adjacency, std::size_t rows) : starts(rows + 1), edges() {
    for (const Neighbour& edge : adjacency.edges) {
      if (edge.row != kNoRow) starts[edge.row + 1]++;
    }
    for (std::size_t i = 0; i < rows; i++) starts[i + 1] += starts[i];
    edges.resize(starts[rows]);
    std::vector<std::size_t> next(starts.begin(), starts.end() - 1);
    for (std::uint32_t row = 0; row < rows; row++) {
      for (const Neighbour& edge : adjacency.Of(row)) {
        if (edge.row != kNoRow) edges[next[edge.row]++] = {edge.distance, row};
      }
    }
  }
  std::span<const Neighbour> Of(std::size_t row) const {
    return {edges.data() + starts[row], starts[row + 1] - starts[row]};
  }

  std::vector<std::size_t> starts;
  std::vector<Neighbour> edges;
};

/// Marks what can be reached from `from`; does not go on behind rows marked before.
void MarkReached(const Adjacency& adjacency, std::uint32_t from, std::vector<bool>& reached) {
  std::vector<std::uint32_t> waiting = {from};
  reached[from] = true;
  while (!waiting.empty()) {
    const std::uint32_t row = waiting.back();
    waiting.pop_back();
    for (const Neighbour& edge : adjacency.Of(row)) {
      if (edge.row == kNoRow || reached[edge.row]) continue;
      reached[edge.row] = true;
      waiting.push_back(edge.row);
    }
  }
}

bool HasPlace(std::span<const Neighbour> edges) { return edges.back().row == kNoRow; }

void Place(std::span<Neighbour> edges, Neighbour edge) {
  for (Neighbour& place : edges) {
    if (place.row == edge.row) return;
    if (place.row == kNoRow) {
      place = edge;
      return;
    }
  }
}

}  // namespace

bool Selection::IsNearerToChosen(const Neighbour& candidate, std::span<const Neighbour> chosen, float alpha) {
  constexpr std::size_t kAtOnce = 8;
  std::int32_t products[kAtOnce];
  for (std::size_t i = 0; i < chosen.size(); i += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, chosen.size() - i);
    simd::DotSignedBytes(&chosen_bytes_[i * rows_.axes], count, rows_.axes, rows_[candidate.row], products);
    for (std::size_t j = 0; j < count; j++) {
      if (alpha * rows_.FromProduct(candidate.row, chosen[i + j].row, products[j]) < candidate.distance) return true;
    }
  }
  return false;
}

void Selection::Choose(std::uint32_t row, std::vector<Neighbour>& candidates, std::span<Neighbour> chosen) {
  std::ranges::sort(candidates);
  const auto repeated = std::ranges::unique(candidates);
  candidates.erase(repeated.begin(), repeated.end());
  std::erase_if(candidates, [&](const Neighbour& c) { return c.row == row || c.row == kNoRow; });
  chosen_bytes_.resize(degree_ * rows_.axes);
  std::size_t count = 0;
  // The strict rule first, over all candidates: far neighbours come before near ones that are not needed.
  for (const float alpha : kAlphas) {
    std::erase_if(candidates, [&](const Neighbour& candidate) {
      if (count == degree_ || IsNearerToChosen(candidate, chosen.first(count), alpha)) return false;
      std::copy_n(rows_[candidate.row], rows_.axes, &chosen_bytes_[count * rows_.axes]);
      chosen[count++] = candidate;
      return true;
    });
  }
  std::ranges::fill(chosen.subspan(count), kNobody);
  std::ranges::sort(chosen.first(count));
}

Status AddReverseEdges(const ByteRows& rows, Adjacency& adjacency, TaskPool& pool, const Deadline& deadline) {
  const ReverseEdges reverse(adjacency, rows.size());
  return pool.ParallelFor((rows.size() + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) -> Status {
    FIRN_CHECK(deadline.Check("choosing neighbours"));
    Selection selection(rows, adjacency.degree);
    std::vector<Neighbour> candidates;
    for (std::size_t row = task * kRowsPerTask; row < std::min(rows.size(), (task + 1) * kRowsPerTask); row++) {
      const auto offered = reverse.Of(row);
      candidates.assign(offered.begin(), offered.end());
      if (candidates.size() > kMostReverse) {
        std::ranges::nth_element(candidates, candidates.begin() + kMostReverse);
        candidates.resize(kMostReverse);
      }
      const auto own = adjacency.Of(row);
      candidates.insert(candidates.end(), own.begin(), own.end());
      selection.Choose(static_cast<std::uint32_t>(row), candidates, own);
    }
    return {};
  });
}

void FillUp(std::span<const Neighbour> nearest, std::size_t per_row, Adjacency& adjacency) {
  for (std::size_t row = 0; row * per_row < nearest.size(); row++) {
    const auto edges = adjacency.Of(row);
    for (const Neighbour& near : nearest.subspan(row * per_row, per_row)) {
      if (near.row == kNoRow || !HasPlace(edges)) break;
      Place(edges, near);
    }
  }
}

void Connect(const ByteRows& rows, std::span<const Neighbour> nearest, std::size_t per_row, std::uint32_t root,
             Adjacency& adjacency) {
  std::vector<bool> reached(rows.size());
  MarkReached(adjacency, root, reached);
  std::uint32_t last = root;  // reached, and with a place if any row is known to be
  for (std::uint32_t row = 0; row < rows.size(); row++) {
    if (reached[row]) continue;
    std::uint32_t from = last;
    for (const Neighbour& near : nearest.subspan(row * per_row, per_row)) {
      if (near.row == kNoRow) break;
      if (!reached[near.row]) continue;
      if (HasPlace(adjacency.Of(near.row))) {
        from = near.row;
        break;
      }
      if (from == last) from = near.row;
    }
    const auto edges = adjacency.Of(from);
    const Neighbour edge = {rows.Distance(from, row), row};
    if (HasPlace(edges)) {
      Place(edges, edge);
    } else {
      edges.back() = edge;
    }
    MarkReached(adjacency, row, reached);
    if (HasPlace(adjacency.Of(row))) last = row;
  }
}

}  // namespace firn::index
