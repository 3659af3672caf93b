#include "simd/kernels_body.h"
#include "simd/neighbours_kernels.h"

namespace firn::simd {
namespace {

std::uint32_t Estimate(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step, float bias,
                       float base, float bound, float* distances) {
  std::uint32_t sums[kBlockCodes] = {};
  for (std::size_t g = 0; g < groups; g++) {
    for (std::size_t j = 0; j < 16; j++) {
      const std::uint8_t pair = block[16 * g + j];
      sums[j] += table[16 * g + (pair & 15U)];
      sums[j + 16] += table[16 * g + (pair >> 4)];
    }
  }
  const std::uint8_t* add = block + 16 * groups;
  const std::uint8_t* scale = add + 2 * kBlockCodes;
  std::uint32_t below = 0;
  for (std::size_t i = 0; i < kBlockCodes; i++) {
    const float product = static_cast<float>(sums[i]) * step + bias;
    distances[i] = base + Widen(LoadOne<Half>(add + 2 * i)) - Widen(LoadOne<Half>(scale + 2 * i)) * product;
    if (distances[i] < bound) below |= 1U << i;
  }
  return below;
}

void DotSignedBytesScalar(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                          std::int32_t* out) {
  for (std::size_t r = 0; r < count; r++, rows += dim) {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dim; i++) sum += rows[i] * query[i];
    out[r] = sum;
  }
}

}  // namespace

const NeighbourKernels& ScalarNeighbourKernels() {
  static constexpr NeighbourKernels kTable = {Estimate, DotSignedBytesScalar};
  return kTable;
}

}  // namespace firn::simd
