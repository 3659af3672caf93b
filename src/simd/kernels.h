#pragma once
// The table of kernels: one row per metric and element type. Each instruction set fills one table.

#include <cstddef>
#include <cstdint>

namespace firn::simd {

/// Writes one raw score for each of `count` rows of `dim` elements:
///   l2 sum (q-x)^2     dot sum q*x     cosine sum q*x / |x|, 0 for a zero row     hamming bits that differ (u8 only)
using Kernel = void (*)(const float* query, std::size_t dim, const void* rows, std::size_t count, float* scores);

inline constexpr std::size_t kFloatMetrics = 3;  // l2, cosine, dot
inline constexpr std::size_t kElements = 5;      // f32, f16, f64, u8, i8

struct KernelTable {
  const char* name;
  Kernel kernels[kFloatMetrics][kElements];
};

const KernelTable& ScalarKernels();
/// Null when the program was built for another architecture or this machine lacks the instructions.
const KernelTable* Avx2Kernels();
const KernelTable* Avx512Kernels();
const KernelTable* NeonKernels();

}  // namespace firn::simd
