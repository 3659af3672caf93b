#include "simd/distance.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "simd/active_table.h"
#include "simd/kernels.h"

namespace firn::simd {
namespace {

constexpr std::string_view kInstructionSetNames[kInstructionSets] = {"scalar", "neon", "avx2", "avx512"};

std::atomic<InstructionSet>& Allowed() {
  static constinit std::atomic<InstructionSet> allowed{InstructionSet::kAvx512};
  return allowed;
}

const KernelTable& ActiveKernels() {
  static const Tables<KernelTable> tables(ScalarKernels(), NeonKernels(), Avx2Kernels(), Avx512Kernels());
  return tables.Active();
}

/// Bits that differ, eight bytes at a time.
void HammingRows(std::span<const float> query, const std::uint8_t* rows, std::size_t count,
                 std::span<float> distances) {
  std::vector<std::uint8_t> wanted(query.size());
  std::ranges::transform(query, wanted.begin(), [](float value) { return static_cast<std::uint8_t>(value); });
  const std::size_t dim = wanted.size();
  for (std::size_t i = 0; i < count; i++, rows += dim) {
    std::uint64_t bits = 0;
    std::size_t j = 0;
    for (; j + 8 <= dim; j += 8) {
      bits += static_cast<std::uint64_t>(
          std::popcount(LoadLe<std::uint64_t>(rows + j) ^ LoadLe<std::uint64_t>(wanted.data() + j)));
    }
    for (; j < dim; j++) bits += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>(rows[j] ^ wanted[j])));
    distances[i] = static_cast<float>(bits);
  }
}

float NormOf(std::span<const float> query) {
  double sums[4] = {};  // independent of each other: an addition waits for the one before it
  std::size_t i = 0;
  for (; i + 4 <= query.size(); i += 4) {
    for (std::size_t j = 0; j < 4; j++) sums[j] += static_cast<double>(query[i + j]) * query[i + j];
  }
  for (; i < query.size(); i++) sums[0] += static_cast<double>(query[i]) * query[i];
  return static_cast<float>(std::sqrt(sums[0] + sums[1] + sums[2] + sums[3]));
}

float ScaleOf(Metric metric, std::span<const float> query) {
  if (metric != Metric::kCosine) return 0;
  const float norm = NormOf(query);
  return norm > 0 ? 1.0F / norm : 0.0F;
}

/// Distances out of what a kernel gives. `scale`: cosine's.
void FromScores(Metric metric, float scale, std::span<float> scores) {
  if (metric == Metric::kDot) {
    for (float& score : scores) score = 1.0F - score;
  } else if (metric == Metric::kCosine) {
    for (float& score : scores) score = 1.0F - score * scale;
  }
}

}  // namespace

Result<Metric> ParseMetric(std::string_view text) {
  if (text == "l2" || text == "euclidean") return Metric::kL2;
  if (text == "cosine") return Metric::kCosine;
  if (text == "dot") return Metric::kDot;
  if (text == "hamming") return Metric::kHamming;
  return InvalidArgument("unknown metric '" + std::string(text) + "'", "Use l2, cosine, dot or hamming");
}

std::string_view NameOf(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return "l2";
    case Metric::kCosine:
      return "cosine";
    case Metric::kDot:
      return "dot";
    case Metric::kHamming:
      break;
  }
  return "hamming";
}

std::size_t SizeOf(Element element) {
  switch (element) {
    case Element::kF64:
      return 8;
    case Element::kF32:
      return 4;
    case Element::kF16:
      return 2;
    case Element::kU8:
    case Element::kI8:
      break;
  }
  return 1;
}

void Distances(Metric metric, Element element, std::span<const float> query, const void* rows, std::size_t count,
               std::span<float> distances) {
  assert(distances.size() >= count);
  if (metric == Metric::kHamming) {
    assert(element == Element::kU8);
    HammingRows(query, static_cast<const std::uint8_t*>(rows), count, distances);
    return;
  }
  const Kernel kernel = ActiveKernels().kernels[static_cast<std::size_t>(metric)][static_cast<std::size_t>(element)];
  kernel(query.data(), query.size(), rows, count, distances.data());
  FromScores(metric, ScaleOf(metric, query), distances.first(count));
}

DistanceFrom::DistanceFrom(Metric metric, Element element, std::span<const float> query)
    : metric_(metric), element_(element), query_(query) {
  if (metric == Metric::kHamming) return;
  kernel_ = ActiveKernels().kernels[static_cast<std::size_t>(metric)][static_cast<std::size_t>(element)];
  scale_ = ScaleOf(metric, query);
}

float DistanceFrom::operator()(const void* row) const {
  float score = 0;
  if (kernel_ == nullptr) {
    Distances(metric_, element_, query_, row, 1, {&score, 1});
    return score;
  }
  kernel_(query_.data(), query_.size(), row, 1, &score);
  if (metric_ == Metric::kDot) return 1.0F - score;
  return metric_ == Metric::kCosine ? 1.0F - score * scale_ : score;
}

void DistanceFrom::operator()(const void* rows, std::size_t count, std::span<float> distances) const {
  if (kernel_ == nullptr) {
    Distances(metric_, element_, query_, rows, count, distances);
    return;
  }
  kernel_(query_.data(), query_.size(), rows, count, distances.data());
  FromScores(metric_, scale_, distances.first(count));
}

std::string_view ActiveInstructionSet() { return ActiveKernels().name; }

Result<InstructionSet> ParseInstructionSet(std::string_view text) {
  const auto* const name = std::ranges::find(kInstructionSetNames, text);
  if (name != std::end(kInstructionSetNames)) return static_cast<InstructionSet>(name - kInstructionSetNames);
  return InvalidArgument("unknown instruction set '" + std::string(text) + "'", "Use scalar, neon, avx2 or avx512");
}

void AllowUpTo(InstructionSet widest) { Allowed().store(widest, std::memory_order_relaxed); }

InstructionSet WidestAllowed() { return Allowed().load(std::memory_order_relaxed); }

TopK::TopK(std::size_t k)
    : k_(k), bound_(k > 0 ? std::numeric_limits<float>::infinity() : -std::numeric_limits<float>::infinity()) {}

void TopK::Keep(float distance, std::uint64_t row) {
  if (k_ == 0) return;  // minus infinity
  const Hit hit{distance, row};
  if (heap_.size() < k_) {
    heap_.push_back(hit);
    std::ranges::push_heap(heap_);
  } else if (hit < heap_.front()) {
    std::ranges::pop_heap(heap_);
    heap_.back() = hit;
    std::ranges::push_heap(heap_);
  } else {
    return;
  }
  if (heap_.size() == k_) bound_ = heap_.front().distance;
}

std::vector<Hit> TopK::Take() {
  std::ranges::sort_heap(heap_);
  if (k_ > 0) bound_ = std::numeric_limits<float>::infinity();
  return std::exchange(heap_, {});
}

}  // namespace firn::simd
