#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

#include "base/bytes.h"
#include "index/vector/graph.h"
#include "simd/neighbours.h"

namespace firn::index {
namespace {

constexpr std::uint32_t kVisited = 0x80000000U;
constexpr std::uint32_t kNobody = 0xFFFFFFFFU;

using Met = GraphScratch::Met;

/// A sorted list of bounded length.
class SortedList {
 public:
  SortedList(std::vector<Met>& storage, std::size_t capacity) : capacity_(capacity) {
    storage.resize(std::max(storage.size(), capacity));
    items_ = storage.data();
  }

  std::size_t size() const { return size_; }
  Met& operator[](std::size_t i) { return items_[i]; }
  const Met& operator[](std::size_t i) const { return items_[i]; }
  float Bound() const {
    return size_ < capacity_ ? std::numeric_limits<float>::infinity() : items_[size_ - 1].distance;
  }

  /// Where it came to stand; the caller has seen that it is nearer than Bound().
  std::size_t Insert(Met met) {
    const std::size_t end = size_ < capacity_ ? size_++ : size_ - 1;
    std::size_t at = 0;  // the first that is farther, by halving without a jump that depends on the data
    for (std::size_t length = end; length > 0;) {
      const std::size_t half = (length + 1) / 2;
      at += items_[at + half - 1].distance <= met.distance ? half : 0;
      length -= half;
    }
    std::memmove(items_ + at + 1, items_ + at, (end - at) * sizeof(Met));
    items_[at] = met;
    return at;
  }

 private:
  Met* items_;
  std::size_t size_ = 0;
  std::size_t capacity_;
};

/// Rows waiting to be looked at, and a mark for those that were.
class Frontier {
 public:
  Frontier(GraphScratch& scratch, std::size_t rows, std::size_t beam)
      : waiting_(scratch.beam, beam), visited_rows_(scratch.visited_rows), visited_(scratch.visited) {
    visited_.resize((rows + 63) / 64);
    visited_rows_.clear();
  }
  ~Frontier() {
    for (const std::uint32_t row : visited_rows_) visited_[row / 64] = 0;
  }
  Frontier(const Frontier&) = delete;
  Frontier& operator=(const Frontier&) = delete;

  float Bound() const { return waiting_.Bound(); }
  bool IsVisited(std::uint32_t row) const { return (visited_[row / 64] >> (row % 64) & 1U) != 0; }
  void Offer(float distance, std::uint32_t row) {
    if (distance < waiting_.Bound() && !IsVisited(row)) next_ = std::min(next_, waiting_.Insert({distance, row}));
  }
  /// The nearest that waits, or kNobody.
  std::uint32_t Take() {
    for (; next_ < waiting_.size(); next_++) {
      Met& met = waiting_[next_];
      if ((met.row & kVisited) != 0) continue;
      const std::uint32_t row = met.row;
      met.row |= kVisited;
      if (IsVisited(row)) continue;  // met through another neighbour, with another estimate
      visited_[row / 64] |= std::uint64_t{1} << (row % 64);
      visited_rows_.push_back(row);
      return row;
    }
    return kNobody;
  }
  /// Who is most likely taken after that.
  std::uint32_t Peek() const {
    for (std::size_t i = next_; i < waiting_.size(); i++) {
      const std::uint32_t row = waiting_[i].row;
      if ((row & kVisited) == 0 && !IsVisited(row)) return row;
    }
    return kNobody;
  }

 private:
  SortedList waiting_;
  std::size_t next_ = 0;  // all before it were looked at
  std::vector<std::uint32_t>& visited_rows_;
  std::vector<std::uint64_t>& visited_;
};

}  // namespace

void Graph::PrefetchOwn(std::uint32_t row) const {
  const std::uint8_t* node = NodeOf(row);
  for (std::size_t i = 0; i < space_.axes(); i += 64) __builtin_prefetch(node + i);
  __builtin_prefetch(&terms_[row]);
}

void Graph::Prefetch(std::uint32_t row) const {
  PrefetchOwn(row);
  const std::uint8_t* node = NodeOf(row);
  for (std::size_t i = space_.axes(); i < node_bytes_; i += 64) __builtin_prefetch(node + i);
}

float Graph::DistanceOf(std::uint32_t row, const SpaceQuery& query) const {
  std::int32_t product = 0;
  simd::DotSignedBytes(reinterpret_cast<const std::int8_t*>(NodeOf(row)), 1, space_.axes(), query.bytes.data(),
                       &product);
  const RowTerms& terms = terms_[row];
  return query.norm2 + terms.norm2 - 2 * terms.step * query.step * static_cast<float>(product);
}

/// The nearest few entries, by their codes.
void Graph::FindStarts(const SpaceQuery& query, std::span<simd::Hit> starts) const {
  const std::size_t block_bytes = space_.groups() * 16 + simd::kNeighbourFactorBytes;
  float distances[simd::kBlockCodes];
  std::ranges::fill(starts, simd::Hit{std::numeric_limits<float>::infinity(), kNobody});
  for (std::size_t block = 0; block * block_bytes < entry_blocks_.size(); block++) {
    std::uint32_t below =
        simd::EstimateNeighbours(&entry_blocks_[block * block_bytes], space_.groups(), query.table.data(),
                                 query.sign_step, query.sign_bias, query.norm2, starts.back().distance, distances);
    for (; below != 0; below &= below - 1) {
      const auto i = static_cast<std::size_t>(std::countr_zero(below));
      if (distances[i] >= starts.back().distance) continue;
      std::size_t at = starts.size() - 1;
      for (; at > 0 && starts[at - 1].distance > distances[i]; at--) starts[at] = starts[at - 1];
      starts[at] = {distances[i], entry_rows_[block * simd::kBlockCodes + i]};
    }
  }
}

void Graph::Walk(std::size_t beam, std::size_t count, const std::uint64_t* mask, GraphScratch& scratch) const {
  const SpaceQuery& query = scratch.query;
  Frontier frontier(scratch, rows_, beam);
  SortedList found(scratch.found, count);
  simd::Hit buffer[kMostStarts];
  const std::span<simd::Hit> starts(buffer, starts_);
  FindStarts(query, starts);
  for (const simd::Hit& start : starts) {
    if (start.row != kNobody) frontier.Offer(start.distance, static_cast<std::uint32_t>(start.row));
  }
  // All rows can be reached from the first entry; this counts only while the beam has room for it.
  frontier.Offer(std::numeric_limits<float>::max(), entry_rows_[0]);

  const std::size_t code_bytes = space_.groups() * 16 + simd::kNeighbourFactorBytes;
  float distances[simd::kBlockCodes];
  std::uint32_t row = frontier.Take();
  if (row != kNobody) Prefetch(row);
  while (row != kNobody) {
    // The next one is chosen before this one's neighbours are known, so that its bytes are on their way meanwhile.
    std::uint32_t next = frontier.Take();
    if (next != kNobody) Prefetch(next);
    if (const std::uint32_t after_next = frontier.Peek(); after_next != kNobody) PrefetchOwn(after_next);
    const float distance = DistanceOf(row, query);
    if (distance < found.Bound() && (mask == nullptr || (mask[row / 64] >> (row % 64) & 1U) != 0)) {
      found.Insert({distance, row});
    }
    const std::uint8_t* block = NodeOf(row) + space_.axes();
    for (std::size_t b = 0; b < blocks_; b++, block += code_bytes + 4 * simd::kBlockCodes) {
      std::uint32_t below = simd::EstimateNeighbours(block, space_.groups(), query.table.data(), query.sign_step,
                                                     query.sign_bias, distance, frontier.Bound(), distances);
      for (; below != 0; below &= below - 1) {
        const auto i = static_cast<std::size_t>(std::countr_zero(below));
        frontier.Offer(distances[i], LoadLe<std::uint32_t>(block + code_bytes + 4 * i));
      }
    }
    if (next == kNobody) {
      next = frontier.Take();
      if (next != kNobody) Prefetch(next);
    }
    row = next;
  }
  scratch.found_count = found.size();
}

void Graph::Search(std::span<const float> query, std::size_t beam, std::size_t count, const std::uint64_t* mask,
                   GraphScratch& scratch, std::vector<Candidate>& nearest) const {
  nearest.clear();
  if (rows_ == 0 || count == 0) return;
  count = std::min(count, rows_);
  beam = std::max(beam, count);
  space_.Prepare(query, scratch.query);
  Walk(beam, count, mask, scratch);
  for (const auto& [distance, row] : std::span(scratch.found).first(scratch.found_count)) {
    const auto* const bytes = reinterpret_cast<const std::int8_t*>(NodeOf(row));
    nearest.push_back(
        {space_.Unscaled(distance, scratch.query), space_.ErrorOf(bytes, terms_[row], scratch.query), row});
  }
}

}  // namespace firn::index
