#include "simd/quantised_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "simd/quantised_body.h"

namespace firn::simd {
namespace {

inline __m128i Load128(const void* at) { return _mm_loadu_si128(static_cast<const __m128i*>(at)); }
inline __m256i Load256(const void* at) { return _mm256_loadu_si256(static_cast<const __m256i*>(at)); }
inline void Store128(void* at, __m128i v) { _mm_storeu_si128(static_cast<__m128i*>(at), v); }
inline void Store256(void* at, __m256i v) { _mm256_storeu_si256(static_cast<__m256i*>(at), v); }

inline std::int32_t SumLanes(__m256i v) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4E));
  return _mm_cvtsi128_si32(_mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xB1)));
}

struct Lanes {
  static constexpr std::size_t kWidth = 8;
  static constexpr std::size_t kTileRows = 3;
  using Vector = __m256;
  static Vector Zero() { return _mm256_setzero_ps(); }
  static Vector Set(float x) { return _mm256_set1_ps(x); }
  static Vector Load(const float* at) { return _mm256_loadu_ps(at); }
  static Vector LoadPart(const float* at, std::size_t n) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_maskload_ps(at, _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane));
  }
  static void Store(float* at, Vector v) { _mm256_storeu_ps(at, v); }
  static Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector Mul(Vector a, Vector b) { return _mm256_mul_ps(a, b); }
  static Vector Min(Vector a, Vector b) { return _mm256_min_ps(a, b); }
  static Vector Max(Vector a, Vector b) { return _mm256_max_ps(a, b); }
  static Vector Abs(Vector v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), v); }
  static Vector Floor(Vector v) { return _mm256_floor_ps(v); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static float Sum(Vector v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static float Largest(Vector v) {
    __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_max_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_max_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
  static void SumFour(const Vector* v, float* sums) {
    const __m256 halves = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
  }
  /// v * (+1 or -1) + the other of each pair: the product is exact, so this rounds as a sum or a difference does.
  static Vector Transform(Vector v) {
    v = _mm256_fmadd_ps(v, _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1), _mm256_permute_ps(v, 0xB1));
    v = _mm256_fmadd_ps(v, _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1), _mm256_permute_ps(v, 0x4E));
    return _mm256_fmadd_ps(v, _mm256_setr_ps(1, 1, 1, 1, -1, -1, -1, -1), _mm256_permute2f128_ps(v, v, 1));
  }
  static void StoreRounded(Vector v, std::uint8_t* at) {
    const __m256i low_bytes = _mm256_set1_epi64x(0x0C080400);
    const __m256i packed = _mm256_shuffle_epi8(_mm256_cvtps_epi32(v), low_bytes);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(at),
                     _mm_unpacklo_epi32(_mm256_castsi256_si128(packed), _mm256_extracti128_si256(packed, 1)));
  }
};

void FlipSignsAvx2(float* values, std::size_t size, const std::uint8_t* signs) {
  const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  std::size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    const __m256i set = _mm256_and_si256(_mm256_set1_epi32(signs[i / 8]), bit);
    const __m256i flip = _mm256_slli_epi32(_mm256_cmpeq_epi32(set, bit), 31);
    _mm256_storeu_ps(values + i, _mm256_xor_ps(_mm256_loadu_ps(values + i), _mm256_castsi256_ps(flip)));
  }
  FlipSignsFrom(i, values, size, signs);
}

// ---- one-bit codes ----

/// Sums of 16 codes, of two groups at a time: `all` takes bytes as the 16-bit numbers they lie in (even codes + 256 *
/// odd ones, modulo 2^16), `odd` the odd codes alone. Neither overflows within kChunkGroups.
struct SixteenSums {
  __m256i all = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();

  void Add(__m256i entries) {
    all = _mm256_add_epi16(all, entries);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(entries, 8));
  }
  /// Adds the sums of codes 0-7 and 8-15, widened, to `low` and `high`.
  void Widen(__m256i& low, __m256i& high) const {
    const __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
    const __m256i first = _mm256_unpacklo_epi16(even, odd);  // codes 0-7 of either group
    const __m256i last = _mm256_unpackhi_epi16(even, odd);   // codes 8-15
    low = _mm256_add_epi32(low, WidenLanes(first));
    high = _mm256_add_epi32(high, WidenLanes(last));
  }
  static __m256i WidenLanes(__m256i v) {
    return _mm256_add_epi32(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(v)),
                            _mm256_cvtepu16_epi32(_mm256_extracti128_si256(v, 1)));
  }
};

constexpr std::size_t kChunkGroups = 512;  // 256 entries of each of two groups: 256 * 255 < 2^16

void ScanBlockAvx2(const std::uint8_t* codes, std::size_t groups, const std::uint8_t* table, std::uint32_t* sums) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i wide[4];
  for (__m256i& sum : wide) sum = _mm256_setzero_si256();
  for (std::size_t g = 0; g < groups;) {
    const std::size_t end = groups - g < kChunkGroups ? groups : g + kChunkGroups;
    SixteenSums low, high;
    const auto add = [&](__m256i code, __m256i entries) {
      low.Add(_mm256_shuffle_epi8(entries, _mm256_and_si256(code, nibble)));
      high.Add(_mm256_shuffle_epi8(entries, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble)));
    };
#pragma GCC unroll 4
    for (; g + 2 <= end; g += 2) add(Load256(codes + g * 16), Load256(table + g * 16));
    for (; g < end; g++) {
      add(_mm256_zextsi128_si256(Load128(codes + g * 16)), _mm256_zextsi128_si256(Load128(table + g * 16)));
    }
    low.Widen(wide[0], wide[1]);
    high.Widen(wide[2], wide[3]);
  }
  for (std::size_t i = 0; i < 4; i++) Store256(sums + i * 8, wide[i]);
}

void ScanBlocksAvx2(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                    const std::uint8_t* table, std::uint32_t* sums) {
  for (std::size_t block = 0; block < blocks; block++) {
    ScanBlockAvx2(codes + block * block_stride, groups, table, sums + block * kBlockCodes);
  }
}

/// Rows and columns of 16 x 16 bytes change places: interleaving row i with row i + 8 four times.
inline void Transpose(__m128i (&rows)[16]) {
  for (int round = 0; round < 4; round++) {
    __m128i next[16];
    for (int i = 0; i < 8; i++) {
      next[2 * i] = _mm_unpacklo_epi8(rows[i], rows[i + 8]);
      next[2 * i + 1] = _mm_unpackhi_epi8(rows[i], rows[i + 8]);
    }
    for (int i = 0; i < 16; i++) rows[i] = next[i];
  }
}

void PackBlockAvx2(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block) {
  const std::size_t stride = groups / 2;
  const __m128i nibble = _mm_set1_epi8(15);
  const auto load = [&](std::size_t code, std::size_t byte) {
    return code < count ? Load128(bits + code * stride + byte) : _mm_setzero_si128();
  };
  if (stride < 16) return PackBlockFrom(0, bits, count, groups, block);
  for (std::size_t next = 0; next < stride; next += 16) {
    const std::size_t byte = next + 16 <= stride ? next : stride - 16;  // the last bytes overlap those before
    __m128i low[16], high[16];
    for (std::size_t j = 0; j < 16; j++) low[j] = load(j, byte);
    for (std::size_t j = 0; j < 16; j++) high[j] = load(j + 16, byte);
    Transpose(low);
    Transpose(high);
    for (std::size_t i = 0; i < 16; i++) {
      const __m128i even =
          _mm_or_si128(_mm_and_si128(low[i], nibble), _mm_slli_epi16(_mm_and_si128(high[i], nibble), 4));
      const __m128i odd =
          _mm_or_si128(_mm_and_si128(_mm_srli_epi16(low[i], 4), nibble), _mm_andnot_si128(nibble, high[i]));
      Store128(block + (byte + i) * 32, even);
      Store128(block + (byte + i) * 32 + 16, odd);
    }
  }
}

/// Every lane of each four holds the sum of the four.
inline __m256 SumQuads(__m256 v) {
  v = _mm256_add_ps(v, _mm256_permute_ps(v, 0xB1));
  return _mm256_add_ps(v, _mm256_permute_ps(v, 0x4E));
}

/// The 16 entries of each of two groups. In the four lanes of each: what its first two values add, and what its last
/// two do; one of the latter is added to all of the former, four times.
inline __m256i TableEntries(__m256 query, __m256 inverse) {
  const __m256 q = _mm256_mul_ps(query, inverse);
  const __m256 set = _mm256_max_ps(q, _mm256_setzero_ps());
  const __m256 clear = _mm256_sub_ps(set, q);
  const auto sums = [](__m256 pair) {  // clear and set of one value, then of the next
    return _mm256_add_ps(_mm256_permute_ps(pair, 0x44), _mm256_permute_ps(pair, 0xFA));
  };
  const __m256 low = sums(_mm256_unpacklo_ps(clear, set));
  const __m256 high = sums(_mm256_unpackhi_ps(clear, set));
  const auto four = [&](__m256 one) { return _mm256_cvtps_epi32(_mm256_add_ps(low, one)); };
  return _mm256_packus_epi16(
      _mm256_packs_epi32(four(_mm256_permute_ps(high, 0x00)), four(_mm256_permute_ps(high, 0x55))),
      _mm256_packs_epi32(four(_mm256_permute_ps(high, 0xAA)), four(_mm256_permute_ps(high, 0xFF))));
}

TableScale BuildTableAvx2(const float* query, std::size_t groups, std::uint8_t* table) {
  const __m256 zero = _mm256_setzero_ps();
  __m256 range = zero;
  __m256 bias[2] = {zero, zero};
  const auto last = [&] { return _mm256_zextps128_ps256(_mm_loadu_ps(query + 4 * (groups - 1))); };
  const auto add = [&](__m256 q, __m256& to) {
    range = _mm256_max_ps(range, SumQuads(Lanes::Abs(q)));
    to = _mm256_add_ps(to, _mm256_min_ps(q, zero));
  };
  std::size_t g = 0;
  for (; g + 4 <= groups; g += 4) {
    add(_mm256_loadu_ps(query + 4 * g), bias[0]);
    add(_mm256_loadu_ps(query + 4 * g + 8), bias[1]);
  }
  const bool pair = groups - g >= 2;
  if (pair) add(_mm256_loadu_ps(query + 4 * g), bias[0]);
  if (groups % 2 != 0) add(last(), bias[pair ? 1 : 0]);
  float sums[16];
  _mm256_storeu_ps(sums, bias[0]);
  _mm256_storeu_ps(sums + 8, bias[1]);
  const TableSteps steps = StepsOf(Lanes::Largest(range), sums);
  const __m256 inverse = _mm256_set1_ps(steps.inverse);
  for (g = 0; g + 2 <= groups; g += 2) Store256(table + g * 16, TableEntries(_mm256_loadu_ps(query + 4 * g), inverse));
  if (g < groups) Store128(table + g * 16, _mm256_castsi256_si128(TableEntries(last(), inverse)));
  return steps.scale;
}

std::size_t KeepBelowAvx2(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                          float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                          float* kept_lower) {
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    const __m256 sum = _mm256_cvtepi32_ps(Load256(sums + i));
    const __m256 product = _mm256_add_ps(_mm256_mul_ps(sum, _mm256_set1_ps(step)), _mm256_set1_ps(bias));
    const __m256 estimate = _mm256_add_ps(_mm256_loadu_ps(add + i), _mm256_mul_ps(_mm256_loadu_ps(scale + i), product));
    const __m256 lower = _mm256_sub_ps(estimate, _mm256_mul_ps(_mm256_loadu_ps(error + i), _mm256_set1_ps(slack)));
    int below = _mm256_movemask_ps(_mm256_cmp_ps(lower, _mm256_set1_ps(bound), _CMP_LT_OQ));
    if (below == 0) continue;
    float lowers[8];
    _mm256_storeu_ps(lowers, lower);
    for (; below != 0; below &= below - 1) {
      const int lane = __builtin_ctz(static_cast<unsigned>(below));
      kept[found] = static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(lane);
      kept_lower[found++] = lowers[lane];
    }
  }
  return KeepBelowFrom(i, found, sums, {add, scale, error, step, bias, slack}, count, bound, kept, kept_lower);
}

// ---- 4-bit codes and bytes ----

/// Products of unsigned and signed bytes, summed in fours.
inline __m256i DotFours(__m256i codes, __m256i query) {
  return _mm256_madd_epi16(_mm256_maddubs_epi16(codes, query), _mm256_set1_epi16(1));
}

std::int32_t DotNibblesAvx2(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim) {
  const __m256i nibble = _mm256_set1_epi8(15);
  const auto low = [&](__m256i v) { return _mm256_and_si256(v, nibble); };
  const auto high = [&](__m256i v) { return _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble); };
  __m256i sum = _mm256_setzero_si256();
  for (; dim >= 64; dim -= 64, codes += 32, query += 64) {
    const __m256i code = Load256(codes);  // two runs
    const __m256i q0 = Load256(query);
    const __m256i q1 = Load256(query + 32);
    // At most 4 * 15 * 127 before widening.
    const __m256i products =
        _mm256_add_epi16(_mm256_maddubs_epi16(low(code), _mm256_permute2x128_si256(q0, q1, 0x20)),
                         _mm256_maddubs_epi16(high(code), _mm256_permute2x128_si256(q0, q1, 0x31)));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(products, _mm256_set1_epi16(1)));
  }
  if (dim >= 32) {
    const __m128i code = Load128(codes);
    const __m256i both = _mm256_set_m128i(_mm_srli_epi16(code, 4), code);
    sum = _mm256_add_epi32(sum, DotFours(low(both), Load256(query)));
    dim -= 32, codes += 16, query += 32;
  }
  if (dim != 0) {
    const __m128i code = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes));
    const __m128i both = _mm_unpacklo_epi64(code, _mm_srli_epi16(code, 4));
    sum = _mm256_add_epi32(sum, DotFours(low(_mm256_zextsi128_si256(both)), _mm256_zextsi128_si256(Load128(query))));
  }
  return SumLanes(sum);
}

void PackNibblesAvx2(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes) {
  for (; dim >= 32; dim -= 32, codes += 16, values += 32) {
    Store128(codes, _mm_or_si128(Load128(values), _mm_slli_epi16(Load128(values + 16), 4)));
  }
  if (dim != 0) PackNibbleRun(values, codes, 8);
}

/// R rows share each load of the query.
template <std::size_t R>
inline void DotByteRows(const std::uint8_t* rows, std::size_t dim, const std::int16_t* query, std::int32_t* out) {
  __m256i sums[R];
  for (std::size_t r = 0; r < R; r++) sums[r] = _mm256_setzero_si256();
  std::size_t i = 0;
  for (; i + 16 <= dim; i += 16) {
    const __m256i q = Load256(query + i);
    for (std::size_t r = 0; r < R; r++) {
      const __m256i row = _mm256_cvtepu8_epi16(Load128(rows + r * dim + i));
      sums[r] = _mm256_add_epi32(sums[r], _mm256_madd_epi16(row, q));
    }
  }
  for (std::size_t r = 0; r < R; r++) {
    const std::uint32_t rest = DotBytesFrom(i, rows + r * dim, query, dim);
    out[r] = static_cast<std::int32_t>(static_cast<std::uint32_t>(SumLanes(sums[r])) + rest);
  }
}

void DotBytesAvx2(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
                  std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4) DotByteRows<4>(rows + r * dim, dim, query, out + r);
  for (; r < count; r++) DotByteRows<1>(rows + r * dim, dim, query, out + r);
}

void SignBitsAvx2(const float* values, std::size_t size, std::uint8_t* bits) {
  for (std::size_t i = 0; i < size; i += 8) {
    const __m256 not_negative = _mm256_cmp_ps(_mm256_loadu_ps(values + i), _mm256_setzero_ps(), _CMP_GE_OQ);
    bits[i / 8] = static_cast<std::uint8_t>(_mm256_movemask_ps(not_negative));
  }
}

}  // namespace

const QuantisedKernels* Avx2QuantisedKernels() {
  static constexpr QuantisedKernels kTable = {.name = "avx2",
                                              .hadamard = HadamardOver<Lanes>,
                                              .flip_signs = FlipSignsAvx2,
                                              .scan_blocks = ScanBlocksAvx2,
                                              .pack_block = PackBlockAvx2,
                                              .build_table = BuildTableAvx2,
                                              .keep_below = KeepBelowAvx2,
                                              .dot_nibbles = DotNibblesAvx2,
                                              .pack_nibbles = PackNibblesAvx2,
                                              .quantise_to_int8 = QuantiseToInt8Over<Lanes>,
                                              .dot_bytes = DotBytesAvx2,
                                              .dot_matrix = DotMatrixOver<Lanes>,
                                              .quantise_levels = QuantiseLevelsOver<Lanes>,
                                              .sign_bits = SignBitsAvx2};
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kTable : nullptr;
}

}  // namespace firn::simd
#else
const firn::simd::QuantisedKernels* firn::simd::Avx2QuantisedKernels() { return nullptr; }
#endif
