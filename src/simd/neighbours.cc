#include "simd/neighbours.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "simd/active_table.h"
#include "simd/neighbours_kernels.h"

namespace firn::simd {
namespace {

const NeighbourKernels& Active() {
  static const Tables<NeighbourKernels> tables(ScalarNeighbourKernels(), NeonNeighbourKernels(), Avx2NeighbourKernels(),
                                               Avx512NeighbourKernels());
  return tables.Active();
}

}  // namespace

std::uint32_t EstimateNeighbours(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step,
                                 float bias, float base, float bound, float* distances) {
  assert(groups % 16 == 0 && groups <= 256);
  return Active().estimate(block, groups, table, step, bias, base, bound, distances);
}

void DotSignedBytes(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                    std::int32_t* out) {
  assert(dim % 64 == 0 && dim <= 65536);
  Active().dot_signed_bytes(rows, count, dim, query, out);
}

std::uint16_t HalfOf(float value) {
  const float cut = std::clamp(value, -65504.0F, 65504.0F);
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(cut);
  const std::uint32_t sign = (bits >> 16) & 0x8000U;
  std::uint32_t magnitude = bits & 0x7FFFFFFFU;
  if (magnitude < 0x38800000U) {  // below 2^-14: adding 1/2 leaves the subnormal's bits, rounded, at the end
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3F000000U));
  }
  magnitude += 0x0FFFU + ((magnitude >> 13) & 1U);  // to nearest, ties to even
  return static_cast<std::uint16_t>(sign | ((magnitude - 0x38000000U) >> 13));
}

}  // namespace firn::simd
