#pragma once
// Kernels of a graph whose nodes hold codes of their neighbours (SymphonyQG: Gou et al., 2025): one visit estimates the
// distances to all of them. Same table of instruction sets as distance.h. Whole numbers are the same on every set; the
// estimates differ in rounding only. Pointers need no alignment beyond their type's.

#include <cstddef>
#include <cstdint>

#include "simd/quantised.h"

namespace firn::simd {

// A block of 32 neighbours, with 4 bits of each in every group:
//
//   groups * 16 bytes   codes, in the block layout of quantised.h
//   64 bytes            `add`, 32 IEEE halves
//   64 bytes            `scale`, 32 IEEE halves
inline constexpr std::size_t kNeighbourFactorBytes = 2 * 2 * kBlockCodes;

/// distances[i] = base + add[i] - scale[i] * (sum[i] * step + bias), where sum[i] is what code i gathers from `table`
/// (groups * 16 bytes). Bit i of the result is set when distances[i] < bound. `groups` is a multiple of 16, at most
/// 256.
std::uint32_t EstimateNeighbours(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step,
                                 float bias, float base, float bound, float* distances);

/// out[r] = sum rows[r * dim + i] * query[i], signed bytes in -127..127. `dim` is a multiple of 64, at most 65536.
void DotSignedBytes(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                    std::int32_t* out);

/// The nearest IEEE half (ties to even), with magnitudes beyond 65504 cut to that. `value` is finite.
std::uint16_t HalfOf(float value);

}  // namespace firn::simd
