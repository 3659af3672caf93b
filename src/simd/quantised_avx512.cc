#include "simd/quantised_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "simd/quantised_body.h"

namespace firn::simd {
namespace {

/// The first n of 16 or 64 lanes.
inline __mmask16 First16(std::size_t n) { return static_cast<__mmask16>((1U << n) - 1); }
inline __mmask64 First64(std::size_t n) { return n >= 64 ? ~0ULL : (1ULL << n) - 1; }

struct Lanes {
  static constexpr std::size_t kWidth = 16;
  static constexpr std::size_t kTileRows = 6;
  using Vector = __m512;
  static Vector Zero() { return _mm512_setzero_ps(); }
  static Vector Set(float x) { return _mm512_set1_ps(x); }
  static Vector Load(const float* at) { return _mm512_loadu_ps(at); }
  static Vector LoadPart(const float* at, std::size_t n) { return _mm512_maskz_loadu_ps(First16(n), at); }
  static void Store(float* at, Vector v) { _mm512_storeu_ps(at, v); }
  static Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector Mul(Vector a, Vector b) { return _mm512_mul_ps(a, b); }
  static Vector Min(Vector a, Vector b) { return _mm512_min_ps(a, b); }
  static Vector Max(Vector a, Vector b) { return _mm512_max_ps(a, b); }
  static Vector Abs(Vector v) { return _mm512_abs_ps(v); }
  static Vector Floor(Vector v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static float Sum(Vector v) { return _mm512_reduce_add_ps(v); }
  static float Largest(Vector v) { return _mm512_reduce_max_ps(v); }
  static __m256 Halves(Vector v) { return _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1)); }
  static void SumFour(const Vector* v, float* sums) {
    const __m256 quarters =
        _mm256_hadd_ps(_mm256_hadd_ps(Halves(v[0]), Halves(v[1])), _mm256_hadd_ps(Halves(v[2]), Halves(v[3])));
    _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(quarters), _mm256_extractf128_ps(quarters, 1)));
  }
  /// v * (+1 or -1) + the other of each pair: the product is exact, so this rounds as a sum or a difference does.
  static Vector Transform(Vector v) {
    const auto signs = [](__mmask16 minus) { return _mm512_mask_blend_ps(minus, Set(1), Set(-1)); };
    v = _mm512_fmadd_ps(v, signs(0xAAAA), _mm512_permute_ps(v, 0xB1));
    v = _mm512_fmadd_ps(v, signs(0xCCCC), _mm512_permute_ps(v, 0x4E));
    v = _mm512_fmadd_ps(v, signs(0xF0F0), _mm512_shuffle_f32x4(v, v, 0xB1));
    return _mm512_fmadd_ps(v, signs(0xFF00), _mm512_shuffle_f32x4(v, v, 0x4E));
  }
  static void StoreRounded(Vector v, std::uint8_t* at) {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(at), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v)));
  }
};

void FlipSignsAvx512(float* values, std::size_t size, const std::uint8_t* signs) {
  const __m512 sign = _mm512_set1_ps(-0.0F);
  std::size_t i = 0;
  for (; i + 16 <= size; i += 16) {
    const __m512 v = _mm512_loadu_ps(values + i);
    _mm512_storeu_ps(values + i, _mm512_mask_xor_ps(v, LoadAs<std::uint16_t>(signs + i / 8), v, sign));
  }
  FlipSignsFrom(i, values, size, signs);
}

// ---- one-bit codes ----

/// Four groups at a time. Their bytes change places so that the four of a code lie side by side; a permutation of bytes
/// looks all 64 up in the four groups' entries at once, and a dot product with ones adds the four to the code's sum.
struct FourGroups {
  __m512i low = _mm512_setzero_si512();   // sums of codes 0-15
  __m512i high = _mm512_setzero_si512();  // 16-31

  void Add(__m512i codes, __m512i entries) {
    // Byte 4 * code + group comes from 16 * group + code.
    const __m512i by_code = _mm512_add_epi8(
        _mm512_set1_epi32(0x30201000),
        _mm512_set_epi32(0x0F0F0F0F, 0x0E0E0E0E, 0x0D0D0D0D, 0x0C0C0C0C, 0x0B0B0B0B, 0x0A0A0A0A, 0x09090909, 0x08080808,
                         0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0));
    const __m512i group = _mm512_set1_epi32(0x30201000);  // where the entries of each byte's group begin
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i ones = _mm512_set1_epi8(1);
    constexpr int kAndOr = 0xEA;  // (a & b) | c
    const __m512i code = _mm512_permutexvar_epi8(by_code, codes);
    const __m512i first = _mm512_ternarylogic_epi32(code, nibble, group, kAndOr);
    const __m512i second = _mm512_ternarylogic_epi32(_mm512_srli_epi16(code, 4), nibble, group, kAndOr);
    low = _mm512_dpbusd_epi32(low, _mm512_permutexvar_epi8(first, entries), ones);
    high = _mm512_dpbusd_epi32(high, _mm512_permutexvar_epi8(second, entries), ones);
  }
};

void ScanBlocksAvx512(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                      const std::uint8_t* table, std::uint32_t* sums) {
  const __mmask64 rest = First64(groups % 4 * 16);
  for (std::size_t block = 0; block < blocks; block++, codes += block_stride, sums += kBlockCodes) {
    FourGroups four;
    std::size_t g = 0;
    for (; g + 4 <= groups; g += 4) four.Add(_mm512_loadu_si512(codes + g * 16), _mm512_loadu_si512(table + g * 16));
    if (g < groups) {
      four.Add(_mm512_maskz_loadu_epi8(rest, codes + g * 16), _mm512_maskz_loadu_epi8(rest, table + g * 16));
    }
    _mm512_storeu_si512(sums, four.low);
    _mm512_storeu_si512(sums + 16, four.high);
  }
}

/// Every lane of each four holds the sum of the four.
inline __m512 SumQuads(__m512 v) {
  v = _mm512_add_ps(v, _mm512_permute_ps(v, 0xB1));
  return _mm512_add_ps(v, _mm512_permute_ps(v, 0x4E));
}

/// The 16 entries of each of four groups. In the four lanes of each: what its first two values add, and what its last
/// two do; one of the latter is added to all of the former, four times.
inline __m512i TableEntries(__m512 query, __m512 inverse) {
  const __m512 q = _mm512_mul_ps(query, inverse);
  const __m512 set = _mm512_max_ps(q, _mm512_setzero_ps());
  const __m512 clear = _mm512_sub_ps(set, q);
  const auto sums = [](__m512 pair) {  // clear and set of one value, then of the next
    return _mm512_add_ps(_mm512_permute_ps(pair, 0x44), _mm512_permute_ps(pair, 0xFA));
  };
  const __m512 low = sums(_mm512_unpacklo_ps(clear, set));
  const __m512 high = sums(_mm512_unpackhi_ps(clear, set));
  const auto four = [&](__m512 one) { return _mm512_cvtps_epi32(_mm512_add_ps(low, one)); };
  return _mm512_packus_epi16(
      _mm512_packs_epi32(four(_mm512_permute_ps(high, 0x00)), four(_mm512_permute_ps(high, 0x55))),
      _mm512_packs_epi32(four(_mm512_permute_ps(high, 0xAA)), four(_mm512_permute_ps(high, 0xFF))));
}

TableScale BuildTableAvx512(const float* query, std::size_t groups, std::uint8_t* table) {
  const __m512 zero = _mm512_setzero_ps();
  const std::size_t whole = groups / 4 * 4;
  const std::size_t rest = groups - whole;
  const __m512 last = _mm512_maskz_loadu_ps(First16(4 * rest), query + 4 * whole);
  __m512 range = zero;
  __m512 bias = zero;
  const auto add = [&](__m512 q) {
    range = _mm512_max_ps(range, SumQuads(_mm512_abs_ps(q)));
    bias = _mm512_add_ps(bias, _mm512_min_ps(q, zero));
  };
  for (std::size_t g = 0; g < whole; g += 4) add(_mm512_loadu_ps(query + 4 * g));
  add(last);
  float sums[16];
  _mm512_storeu_ps(sums, bias);
  const TableSteps steps = StepsOf(Lanes::Largest(range), sums);
  const __m512 inverse = _mm512_set1_ps(steps.inverse);
  for (std::size_t g = 0; g < whole; g += 4) {
    _mm512_storeu_si512(table + g * 16, TableEntries(_mm512_loadu_ps(query + 4 * g), inverse));
  }
  _mm512_mask_storeu_epi8(table + whole * 16, First64(16 * rest), TableEntries(last, inverse));
  return steps.scale;
}

std::size_t KeepBelowAvx512(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                            float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                            float* kept_lower) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t found = 0;
  std::size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + i));
    const __m512 product = _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(step)), _mm512_set1_ps(bias));
    const __m512 estimate = _mm512_add_ps(_mm512_loadu_ps(add + i), _mm512_mul_ps(_mm512_loadu_ps(scale + i), product));
    const __m512 lower = _mm512_sub_ps(estimate, _mm512_mul_ps(_mm512_loadu_ps(error + i), _mm512_set1_ps(slack)));
    const __mmask16 below = _mm512_cmp_ps_mask(lower, _mm512_set1_ps(bound), _CMP_LT_OQ);
    if (below == 0) continue;
    // Packed in a register, stored whole (16 places are left): a compressing store is slow on Zen 4.
    const __m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(i)));
    _mm512_storeu_si512(kept + found, _mm512_maskz_compress_epi32(below, at));
    _mm512_storeu_ps(kept_lower + found, _mm512_maskz_compress_ps(below, lower));
    found += static_cast<std::size_t>(__builtin_popcount(below));
  }
  return KeepBelowFrom(i, found, sums, {add, scale, error, step, bias, slack}, count, bound, kept, kept_lower);
}

// ---- 4-bit codes and bytes ----

std::int32_t DotNibblesAvx512(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim) {
  const __m512i nibble = _mm512_set1_epi8(15);
  __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();
  const auto add = [&](__m512i code, __m512i q0, __m512i q1) {  // four runs
    const __m512i first = _mm512_shuffle_i64x2(q0, q1, 0x88);   // values 0-15 of each
    const __m512i last = _mm512_shuffle_i64x2(q0, q1, 0xDD);    // 16-31
    low = _mm512_dpbusd_epi32(low, _mm512_and_si512(code, nibble), first);
    high = _mm512_dpbusd_epi32(high, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble), last);
  };
  for (; dim >= 128; dim -= 128, codes += 64, query += 128) {
    add(_mm512_loadu_si512(codes), _mm512_loadu_si512(query), _mm512_loadu_si512(query + 64));
  }
  const std::size_t whole = dim / 32 * 32;
  if (whole != 0) {
    const auto part = [](const void* from, std::size_t n) { return _mm512_maskz_loadu_epi8(First64(n), from); };
    add(part(codes, whole / 2), part(query, whole), part(query + 64, whole < 64 ? 0 : whole - 64));
  }
  if (dim != whole) {
    const __m128i code = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(codes + whole / 2));
    const __m128i both = _mm_and_si128(_mm_unpacklo_epi64(code, _mm_srli_epi16(code, 4)), _mm_set1_epi8(15));
    const __m128i q = _mm_loadu_si128(reinterpret_cast<const __m128i*>(query + whole));
    low = _mm512_dpbusd_epi32(low, _mm512_zextsi128_si512(both), _mm512_zextsi128_si512(q));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
}

/// R rows share each load of the query.
template <std::size_t R>
inline void DotByteRows(const std::uint8_t* rows, std::size_t dim, const std::int16_t* query, std::int32_t* out) {
  __m512i sums[R];
  for (std::size_t r = 0; r < R; r++) sums[r] = _mm512_setzero_si512();
  const auto add = [&](std::size_t r, __m256i row, __m512i q) {
    sums[r] = _mm512_dpwssd_epi32(sums[r], _mm512_cvtepu8_epi16(row), q);
  };
  std::size_t i = 0;
  for (; i + 32 <= dim; i += 32) {
    const __m512i q = _mm512_loadu_si512(query + i);
    for (std::size_t r = 0; r < R; r++) {
      add(r, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows + r * dim + i)), q);
    }
  }
  if (i < dim) {
    const auto rest = static_cast<__mmask32>((1U << (dim - i)) - 1);
    const __m512i q = _mm512_maskz_loadu_epi16(rest, query + i);
    for (std::size_t r = 0; r < R; r++) add(r, _mm256_maskz_loadu_epi8(rest, rows + r * dim + i), q);
  }
  for (std::size_t r = 0; r < R; r++) out[r] = _mm512_reduce_add_epi32(sums[r]);
}

void DotBytesAvx512(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
                    std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4) DotByteRows<4>(rows + r * dim, dim, query, out + r);
  for (; r < count; r++) DotByteRows<1>(rows + r * dim, dim, query, out + r);
}

void SignBitsAvx512(const float* values, std::size_t size, std::uint8_t* bits) {
  const auto sixteen = [&](std::size_t i) {
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(values + i), _mm512_setzero_ps(), _CMP_GE_OQ);
  };
  std::size_t i = 0;
  for (; i + 32 <= size; i += 32) {
    const std::uint32_t word = sixteen(i) | static_cast<std::uint32_t>(sixteen(i + 16)) << 16;
    __builtin_memcpy(bits + i / 8, &word, sizeof word);
  }
  for (; i < size; i += 8) {
    const __mmask8 byte = _mm256_cmp_ps_mask(_mm256_loadu_ps(values + i), _mm256_setzero_ps(), _CMP_GE_OQ);
    bits[i / 8] = byte;
  }
}

/// What moves bytes only is as fast in narrow registers.
QuantisedKernels MakeTable() {
  QuantisedKernels table = *Avx2QuantisedKernels();
  table.name = "avx512";
  table.hadamard = HadamardOver<Lanes>;
  table.flip_signs = FlipSignsAvx512;
  table.scan_blocks = ScanBlocksAvx512;
  table.build_table = BuildTableAvx512;
  table.keep_below = KeepBelowAvx512;
  table.dot_nibbles = DotNibblesAvx512;
  table.quantise_to_int8 = QuantiseToInt8Over<Lanes>;
  table.dot_bytes = DotBytesAvx512;
  table.dot_matrix = DotMatrixOver<Lanes>;
  table.quantise_levels = QuantiseLevelsOver<Lanes>;
  table.sign_bits = SignBitsAvx512;
  return table;
}

}  // namespace

const QuantisedKernels* Avx512QuantisedKernels() {
  __builtin_cpu_init();
  if (Avx2QuantisedKernels() == nullptr || !__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512bw") || !__builtin_cpu_supports("avx512vl") ||
      !__builtin_cpu_supports("avx512vbmi") || !__builtin_cpu_supports("avx512vnni")) {
    return nullptr;
  }
  static const QuantisedKernels table = MakeTable();
  return &table;
}

}  // namespace firn::simd
#else
const firn::simd::QuantisedKernels* firn::simd::Avx512QuantisedKernels() { return nullptr; }
#endif
