#include "simd/quantised_kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "simd/quantised_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 4;
  static constexpr std::size_t kTileRows = 4;
  using Vector = float32x4_t;
  static Vector Zero() { return vdupq_n_f32(0); }
  static Vector Set(float x) { return vdupq_n_f32(x); }
  static Vector Load(const float* at) { return vld1q_f32(at); }
  static Vector LoadPart(const float* at, std::size_t n) {
    float part[4] = {};
    for (std::size_t i = 0; i < n && i < 4; i++) part[i] = at[i];
    return vld1q_f32(part);
  }
  static void Store(float* at, Vector v) { vst1q_f32(at, v); }
  static Vector Add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector Sub(Vector a, Vector b) { return vsubq_f32(a, b); }
  static Vector Mul(Vector a, Vector b) { return vmulq_f32(a, b); }
  static Vector Min(Vector a, Vector b) { return vminq_f32(a, b); }
  static Vector Max(Vector a, Vector b) { return vmaxq_f32(a, b); }
  static Vector Abs(Vector v) { return vabsq_f32(v); }
  static Vector Floor(Vector v) { return vrndmq_f32(v); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
  static float Sum(Vector v) { return vaddvq_f32(v); }
  static float Largest(Vector v) { return vmaxvq_f32(v); }
  static void SumFour(const Vector* v, float* sums) {
    vst1q_f32(sums, vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3])));
  }
  /// v * (+1 or -1) + the other of each pair: the product is exact, so this rounds as a sum or a difference does.
  static Vector Transform(Vector v) {
    const float pairs[4] = {1, -1, 1, -1}, halves[4] = {1, 1, -1, -1};
    v = vfmaq_f32(vrev64q_f32(v), v, vld1q_f32(pairs));
    return vfmaq_f32(vextq_f32(v, v, 2), v, vld1q_f32(halves));
  }
  static void StoreRounded(Vector v, std::uint8_t* at) {
    const int16x4_t words = vmovn_s32(vcvtnq_s32_f32(v));
    const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
    const std::uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
    __builtin_memcpy(at, &four, sizeof four);
  }
};

void FlipSignsNeon(float* values, std::size_t size, const std::uint8_t* signs) {
  const uint32x4_t low = {1, 2, 4, 8}, high = {16, 32, 64, 128};
  const auto flip = [&](float* at, uint32x4_t bits, uint32x4_t bit) {
    const uint32x4_t sign = vshlq_n_u32(vtstq_u32(bits, bit), 31);
    vst1q_f32(at, vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(vld1q_f32(at)), sign)));
  };
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const uint32x4_t bits = vdupq_n_u32(signs[i / 8]);
    flip(values + i, bits, low);
    flip(values + i + 4, bits, high);
  }
  FlipSignsFrom(i, values, size, signs);
}

// ---- one-bit codes ----

/// Sums of 16 codes: in 16 bits for a chunk of groups, then in 32.
struct SixteenSums {
  uint16x8_t low = vdupq_n_u16(0);
  uint16x8_t high = vdupq_n_u16(0);

  void Add(uint8x16_t entries) {
    low = vaddw_u8(low, vget_low_u8(entries));
    high = vaddw_high_u8(high, entries);
  }
  void Widen(uint32x4_t* wide) const {
    wide[0] = vaddw_u16(wide[0], vget_low_u16(low));
    wide[1] = vaddw_high_u16(wide[1], low);
    wide[2] = vaddw_u16(wide[2], vget_low_u16(high));
    wide[3] = vaddw_high_u16(wide[3], high);
  }
};

constexpr std::size_t kChunkGroups = 256;  // 256 * 255 < 2^16

void ScanBlockNeon(const std::uint8_t* codes, std::size_t groups, const std::uint8_t* table, std::uint32_t* sums) {
  uint32x4_t wide[8];
  for (uint32x4_t& sum : wide) sum = vdupq_n_u32(0);
  for (std::size_t g = 0; g < groups;) {
    const std::size_t end = groups - g < kChunkGroups ? groups : g + kChunkGroups;
    SixteenSums low, high;
    for (; g < end; g++) {
      const uint8x16_t code = vld1q_u8(codes + g * 16);
      const uint8x16_t entries = vld1q_u8(table + g * 16);
      low.Add(vqtbl1q_u8(entries, vandq_u8(code, vdupq_n_u8(15))));
      high.Add(vqtbl1q_u8(entries, vshrq_n_u8(code, 4)));
    }
    low.Widen(wide);
    high.Widen(wide + 4);
  }
  for (std::size_t i = 0; i < 8; i++) vst1q_u32(sums + i * 4, wide[i]);
}

void ScanBlocksNeon(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                    const std::uint8_t* table, std::uint32_t* sums) {
  for (std::size_t block = 0; block < blocks; block++) {
    ScanBlockNeon(codes + block * block_stride, groups, table, sums + block * kBlockCodes);
  }
}

/// Rows and columns of 16 x 16 bytes change places: interleaving row i with row i + 8 four times.
inline void Transpose(uint8x16_t (&rows)[16]) {
  for (int round = 0; round < 4; round++) {
    uint8x16_t next[16];
    for (int i = 0; i < 8; i++) {
      next[2 * i] = vzip1q_u8(rows[i], rows[i + 8]);
      next[2 * i + 1] = vzip2q_u8(rows[i], rows[i + 8]);
    }
    for (int i = 0; i < 16; i++) rows[i] = next[i];
  }
}

void PackBlockNeon(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block) {
  const std::size_t stride = groups / 2;
  const auto load = [&](std::size_t code, std::size_t byte) {
    return code < count ? vld1q_u8(bits + code * stride + byte) : vdupq_n_u8(0);
  };
  if (stride < 16) return PackBlockFrom(0, bits, count, groups, block);
  for (std::size_t next = 0; next < stride; next += 16) {
    const std::size_t byte = next + 16 <= stride ? next : stride - 16;  // the last bytes overlap those before
    uint8x16_t low[16], high[16];
    for (std::size_t j = 0; j < 16; j++) low[j] = load(j, byte);
    for (std::size_t j = 0; j < 16; j++) high[j] = load(j + 16, byte);
    Transpose(low);
    Transpose(high);
    for (std::size_t i = 0; i < 16; i++) {
      vst1q_u8(block + (byte + i) * 32, vsliq_n_u8(low[i], high[i], 4));       // low nibbles
      vst1q_u8(block + (byte + i) * 32 + 16, vsriq_n_u8(high[i], low[i], 4));  // high ones
    }
  }
}

/// The 16 entries of a group: what its first two values add, and what its last two do; one of the latter is added to
/// all of the former, four times.
inline uint8x16_t TableEntries(float32x4_t query, float32x4_t inverse) {
  const float32x4_t q = vmulq_f32(query, inverse);
  const float32x4_t set = vmaxq_f32(q, vdupq_n_f32(0));
  const float32x4_t clear = vsubq_f32(set, q);
  const auto sums = [](float32x4_t pair) {  // clear and set of one value, then of the next
    const float32x2_t one = vget_low_f32(pair), next = vget_high_f32(pair);
    return vaddq_f32(vcombine_f32(one, one), vcombine_f32(vdup_lane_f32(next, 0), vdup_lane_f32(next, 1)));
  };
  const float32x4_t low = sums(vzip1q_f32(clear, set));
  const float32x4_t high = sums(vzip2q_f32(clear, set));
  const auto four = [&](float32x4_t one) { return vmovn_u32(vcvtnq_u32_f32(vaddq_f32(low, one))); };
  const uint16x8_t first = vcombine_u16(four(vdupq_laneq_f32(high, 0)), four(vdupq_laneq_f32(high, 1)));
  const uint16x8_t last = vcombine_u16(four(vdupq_laneq_f32(high, 2)), four(vdupq_laneq_f32(high, 3)));
  return vcombine_u8(vmovn_u16(first), vmovn_u16(last));
}

TableScale BuildTableNeon(const float* query, std::size_t groups, std::uint8_t* table) {
  float32x4_t range = vdupq_n_f32(0);
  float32x4_t bias[4] = {range, range, range, range};
  for (std::size_t g = 0; g < groups; g++) {
    const float32x4_t q = vld1q_f32(query + 4 * g);
    const float32x4_t pairs = vpaddq_f32(vabsq_f32(q), vabsq_f32(q));
    range = vmaxq_f32(range, vpaddq_f32(pairs, pairs));
    bias[g % 4] = vaddq_f32(bias[g % 4], vminq_f32(q, vdupq_n_f32(0)));
  }
  float sums[16];
  for (std::size_t i = 0; i < 4; i++) vst1q_f32(sums + 4 * i, bias[i]);
  const TableSteps steps = StepsOf(vgetq_lane_f32(range, 0), sums);
  for (std::size_t g = 0; g < groups; g++) {
    vst1q_u8(table + g * 16, TableEntries(vld1q_f32(query + 4 * g), vdupq_n_f32(steps.inverse)));
  }
  return steps.scale;
}

std::size_t KeepBelowNeon(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                          float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                          float* kept_lower) {
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    const float32x4_t sum = vcvtq_f32_s32(vreinterpretq_s32_u32(vld1q_u32(sums + i)));
    const float32x4_t product = vaddq_f32(vmulq_f32(sum, vdupq_n_f32(step)), vdupq_n_f32(bias));
    const float32x4_t estimate = vaddq_f32(vld1q_f32(add + i), vmulq_f32(vld1q_f32(scale + i), product));
    const float32x4_t lower = vsubq_f32(estimate, vmulq_f32(vld1q_f32(error + i), vdupq_n_f32(slack)));
    const uint32x4_t below = vcltq_f32(lower, vdupq_n_f32(bound));
    if (vmaxvq_u32(below) == 0) continue;
    float lowers[4];
    vst1q_f32(lowers, lower);
    for (std::uint32_t lane = 0; lane < 4; lane++) {
      if (!(lowers[lane] < bound)) continue;
      kept[found] = static_cast<std::uint32_t>(i) + lane;
      kept_lower[found++] = lowers[lane];
    }
  }
  return KeepBelowFrom(i, found, sums, {add, scale, error, step, bias, slack}, count, bound, kept, kept_lower);
}

// ---- 4-bit codes and bytes ----

/// Adds the products of 16 nibbles, of 15 * 127 at most each, to `sums` in pairs.
inline int16x8_t AddNibbles(int16x8_t sums, uint8x16_t nibbles, const std::int8_t* query) {
  const int8x16_t code = vreinterpretq_s8_u8(nibbles);
  const int8x16_t q = vld1q_s8(query);
  return vmlal_high_s8(vmlal_s8(sums, vget_low_s8(code), vget_low_s8(q)), code, q);
}

std::int32_t DotNibblesNeon(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim) {
  int32x4_t sum = vdupq_n_s32(0);
  for (; dim >= 32; dim -= 32, codes += 16, query += 32) {
    const uint8x16_t code = vld1q_u8(codes);
    const int16x8_t low = AddNibbles(vdupq_n_s16(0), vandq_u8(code, vdupq_n_u8(15)), query);
    sum = vpadalq_s16(sum, AddNibbles(low, vshrq_n_u8(code, 4), query + 16));
  }
  if (dim != 0) {
    const uint8x8_t code = vld1_u8(codes);
    const uint8x16_t nibbles = vcombine_u8(vand_u8(code, vdup_n_u8(15)), vshr_n_u8(code, 4));
    sum = vpadalq_s16(sum, AddNibbles(vdupq_n_s16(0), nibbles, query));
  }
  return vaddvq_s32(sum);
}

void PackNibblesNeon(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes) {
  for (; dim >= 32; dim -= 32, codes += 16, values += 32) {
    vst1q_u8(codes, vsliq_n_u8(vld1q_u8(values), vld1q_u8(values + 16), 4));
  }
  if (dim != 0) PackNibbleRun(values, codes, 8);
}

void DotBytesNeon(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
                  std::int32_t* out) {
  for (std::size_t r = 0; r < count; r++, rows += dim) {
    int32x4_t even = vdupq_n_s32(0), odd = vdupq_n_s32(0);
    const auto add = [&](uint8x8_t bytes, int16x8_t q) {
      const int16x8_t row = vreinterpretq_s16_u16(vmovl_u8(bytes));
      even = vmlal_s16(even, vget_low_s16(row), vget_low_s16(q));
      odd = vmlal_high_s16(odd, row, q);
    };
    std::size_t i = 0;
    for (; i + 16 <= dim; i += 16) {
      const uint8x16_t bytes = vld1q_u8(rows + i);
      add(vget_low_u8(bytes), vld1q_s16(query + i));
      add(vget_high_u8(bytes), vld1q_s16(query + i + 8));
    }
    const auto sum = static_cast<std::uint32_t>(vaddvq_s32(vaddq_s32(even, odd)));
    out[r] = static_cast<std::int32_t>(sum + DotBytesFrom(i, rows, query, dim));
  }
}

void SignBitsNeon(const float* values, std::size_t size, std::uint8_t* bits) {
  const uint8x8_t bit = vcreate_u8(0x8040201008040201);
  for (std::size_t i = 0; i < size; i += 8) {
    const uint16x4_t low = vmovn_u32(vcgezq_f32(vld1q_f32(values + i)));
    const uint16x4_t high = vmovn_u32(vcgezq_f32(vld1q_f32(values + i + 4)));
    const uint8x8_t set = vmovn_u16(vcombine_u16(low, high));
    bits[i / 8] = vaddv_u8(vand_u8(set, bit));
  }
}

}  // namespace

const QuantisedKernels* NeonQuantisedKernels() {
  static constexpr QuantisedKernels kTable = {.name = "neon",
                                              .hadamard = HadamardOver<Lanes>,
                                              .flip_signs = FlipSignsNeon,
                                              .scan_blocks = ScanBlocksNeon,
                                              .pack_block = PackBlockNeon,
                                              .build_table = BuildTableNeon,
                                              .keep_below = KeepBelowNeon,
                                              .dot_nibbles = DotNibblesNeon,
                                              .pack_nibbles = PackNibblesNeon,
                                              .quantise_to_int8 = QuantiseToInt8Over<Lanes>,
                                              .dot_bytes = DotBytesNeon,
                                              .dot_matrix = DotMatrixOver<Lanes>,
                                              .quantise_levels = QuantiseLevelsOver<Lanes>,
                                              .sign_bits = SignBitsNeon};
  return &kTable;
}

}  // namespace firn::simd
#else
const firn::simd::QuantisedKernels* firn::simd::NeonQuantisedKernels() { return nullptr; }
#endif
