#include "simd/neighbours_kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#include <sys/auxv.h>

namespace firn::simd {
namespace {

/// Sums of bytes, 16 of them.
struct ByteSums {
  uint16x8_t low = vdupq_n_u16(0);
  uint16x8_t high = vdupq_n_u16(0);

  void Add(uint8x16_t bytes) {
    low = vaddw_u8(low, vget_low_u8(bytes));
    high = vaddw_high_u8(high, bytes);
  }
};

struct Terms {
  float32x4_t step, bias, base, bound;
};

/// Four halves as floats: every ARMv8 converts them, whether or not it calculates with them.
float32x4_t LoadHalves(const std::uint8_t* at) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(at))); }

/// Four estimates; all bits of a lane are set where it is below the bound.
uint32x4_t FinishFour(uint16x4_t sums, const std::uint8_t* add, const std::uint8_t* scale, const Terms& terms,
                      float* distances) {
  const float32x4_t product = vfmaq_f32(terms.bias, vcvtq_f32_u32(vmovl_u16(sums)), terms.step);
  const float32x4_t distance = vfmsq_f32(vaddq_f32(terms.base, LoadHalves(add)), LoadHalves(scale), product);
  vst1q_f32(distances, distance);
  return vcltq_f32(distance, terms.bound);
}

/// Sixteen estimates; of those below the bound, bit i % 8 of byte i.
uint8x16_t Finish(const ByteSums& sums, const std::uint8_t* add, const std::uint8_t* scale, const Terms& terms,
                  float* distances) {
  const uint16x8_t low =
      vcombine_u16(vmovn_u32(FinishFour(vget_low_u16(sums.low), add, scale, terms, distances)),
                   vmovn_u32(FinishFour(vget_high_u16(sums.low), add + 8, scale + 8, terms, distances + 4)));
  const uint16x8_t high =
      vcombine_u16(vmovn_u32(FinishFour(vget_low_u16(sums.high), add + 16, scale + 16, terms, distances + 8)),
                   vmovn_u32(FinishFour(vget_high_u16(sums.high), add + 24, scale + 24, terms, distances + 12)));
  const uint8x16_t bits = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201));
  return vandq_u8(vcombine_u8(vmovn_u16(low), vmovn_u16(high)), bits);
}

std::uint32_t Estimate(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step, float bias,
                       float base, float bound, float* distances) {
  ByteSums first, second;
  for (std::size_t g = 0; g < groups; g++) {
    const uint8x16_t pairs = vld1q_u8(block + 16 * g);
    const uint8x16_t entries = vld1q_u8(table + 16 * g);
    first.Add(vqtbl1q_u8(entries, vandq_u8(pairs, vdupq_n_u8(15))));
    second.Add(vqtbl1q_u8(entries, vshrq_n_u8(pairs, 4)));
  }
  const Terms terms = {vdupq_n_f32(step), vdupq_n_f32(bias), vdupq_n_f32(base), vdupq_n_f32(bound)};
  const std::uint8_t* add = block + 16 * groups;
  const std::uint8_t* scale = add + 2 * kBlockCodes;
  const uint8x16_t low = Finish(first, add, scale, terms, distances);
  const uint8x16_t high = Finish(second, add + 32, scale + 32, terms, distances + 16);
  uint8x16_t below = vpaddq_u8(low, high);  // eight bytes that hold a bit each become one
  below = vpaddq_u8(below, below);
  below = vpaddq_u8(below, below);
  return vgetq_lane_u32(vreinterpretq_u32_u8(below), 0);
}

/// Two products of at most 127 * 127 fit 16 bits.
int32x4_t AddProducts(int32x4_t sum, int8x16_t row, int8x16_t query) {
  return vpadalq_s16(sum, vmlal_high_s8(vmull_s8(vget_low_s8(row), vget_low_s8(query)), row, query));
}

void DotSignedBytesNeon(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                        std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4, rows += 4 * dim) {
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (std::size_t i = 0; i < dim; i += 16) {
      const int8x16_t q = vld1q_s8(query + i);
      for (std::size_t j = 0; j < 4; j++) sums[j] = AddProducts(sums[j], vld1q_s8(rows + j * dim + i), q);
    }
    for (std::size_t j = 0; j < 4; j++) out[r + j] = vaddvq_s32(sums[j]);
  }
  for (; r < count; r++, rows += dim) {
    int32x4_t even = vdupq_n_s32(0), odd = vdupq_n_s32(0);
    for (std::size_t i = 0; i < dim; i += 32) {
      even = AddProducts(even, vld1q_s8(rows + i), vld1q_s8(query + i));
      odd = AddProducts(odd, vld1q_s8(rows + i + 16), vld1q_s8(query + i + 16));
    }
    out[r] = vaddvq_s32(vaddq_s32(even, odd));
  }
}

/// With the instruction for four products at once, that ARMv8.2 may have.
__attribute__((target("arch=armv8.2-a+dotprod"))) void DotSignedBytesDotprod(const std::int8_t* rows, std::size_t count,
                                                                             std::size_t dim, const std::int8_t* query,
                                                                             std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4, rows += 4 * dim) {
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (std::size_t i = 0; i < dim; i += 16) {
      const int8x16_t q = vld1q_s8(query + i);
      for (std::size_t j = 0; j < 4; j++) sums[j] = vdotq_s32(sums[j], vld1q_s8(rows + j * dim + i), q);
    }
    for (std::size_t j = 0; j < 4; j++) out[r + j] = vaddvq_s32(sums[j]);
  }
  for (; r < count; r++, rows += dim) {
    int32x4_t sums[4] = {vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)};
    for (std::size_t i = 0; i < dim; i += 64) {
      for (std::size_t j = 0; j < 4; j++) {
        sums[j] = vdotq_s32(sums[j], vld1q_s8(rows + i + 16 * j), vld1q_s8(query + i + 16 * j));
      }
    }
    out[r] = vaddvq_s32(vaddq_s32(vaddq_s32(sums[0], sums[1]), vaddq_s32(sums[2], sums[3])));
  }
}

}  // namespace

const NeighbourKernels* NeonNeighbourKernels() {
  static constexpr NeighbourKernels kTable = {Estimate, DotSignedBytesNeon};
  static constexpr NeighbourKernels kDotprodTable = {Estimate, DotSignedBytesDotprod};
  return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0 ? &kDotprodTable : &kTable;
}

}  // namespace firn::simd
#else
const firn::simd::NeighbourKernels* firn::simd::NeonNeighbourKernels() { return nullptr; }
#endif
