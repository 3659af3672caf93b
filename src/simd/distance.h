#pragma once
// Distances between vectors, and the k best of many. One implementation per instruction set behind one table that is
// chosen once, at the first call; each is checked against the scalar one on random input.
//
// LanceDB's conventions, so that results compare: l2 is the squared Euclidean distance, cosine is 1 - cos, dot is
// 1 - <a, b>, hamming is the number of differing bits. Smaller is nearer for all four. A zero vector has cosine
// distance 1.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::simd {

enum class Metric : std::uint8_t { kL2, kCosine, kDot, kHamming };

/// "l2" | "euclidean" | "cosine" | "dot" | "hamming".
Result<Metric> ParseMetric(std::string_view text);
std::string_view NameOf(Metric metric);

/// One value of a stored vector: what the column holds. Queries are always f32 (hamming: u8).
enum class Element : std::uint8_t { kF32, kF16, kF64, kU8, kI8 };
std::size_t SizeOf(Element element);

/// Distances from `query` (dim values) to `count` rows of `dim` elements that lie one after the other at `rows`
/// (no alignment needed); writes `count` floats to `distances`.
/// kHamming: element must be kU8, and `query` holds the byte values as floats.
void Distances(Metric metric, Element element, std::span<const float> query, const void* rows, std::size_t count,
               std::span<float> distances);

/// Distances from one query to one row at a time, or to some; equal to those of Distances. The query must outlive it.
class DistanceFrom {
 public:
  DistanceFrom(Metric metric, Element element, std::span<const float> query);
  float operator()(const void* row) const;
  void operator()(const void* rows, std::size_t count, std::span<float> distances) const;

 private:
  Metric metric_;
  Element element_;
  std::span<const float> query_;
  void (*kernel_)(const float* query, std::size_t dim, const void* rows, std::size_t count, float* scores) = nullptr;
  float scale_ = 0;  // cosine: 1 / |query|
};

/// By width: each is used only where no wider one is to be had.
enum class InstructionSet : std::uint8_t { kScalar, kNeon, kAvx2, kAvx512 };
inline constexpr std::size_t kInstructionSets = 4;

/// "scalar" | "neon" | "avx2" | "avx512".
Result<InstructionSet> ParseInstructionSet(std::string_view text);

/// The instruction set in use, by its name.
std::string_view ActiveInstructionSet();

/// No wider kernels are used from now on, by any thread: those of distance.h, quantised.h and neighbours.h. For tests
/// and benchmarks, which compare instruction sets. kAvx512 allows all.
void AllowUpTo(InstructionSet widest);
InstructionSet WidestAllowed();

struct Hit {
  float distance;
  std::uint64_t row;  // ties go to the smaller row
  friend auto operator<=>(const Hit&, const Hit&) = default;
};

/// The k nearest of all that was offered. NaN distances are never kept.
class TopK {
 public:
  explicit TopK(std::size_t k);
  /// What a new hit must beat; +infinity until k are held.
  float Bound() const { return bound_; }
  void Offer(float distance, std::uint64_t row) {
    if (distance <= bound_) Keep(distance, row);
  }
  /// Nearest first; leaves the collector empty.
  std::vector<Hit> Take();

 private:
  void Keep(float distance, std::uint64_t row);

  std::size_t k_;
  float bound_;
  std::vector<Hit> heap_;  // the worst on top
};

}  // namespace firn::simd
