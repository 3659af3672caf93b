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
  /// The other of each pair, plus or minus v.
  static Vector Level(Vector v, Vector other, __mmask16 minus) {
    return _mm512_mask_sub_ps(_mm512_add_ps(other, v), minus, other, v);
  }
  static Vector Transform(Vector v) {
    v = Level(v, _mm512_permute_ps(v, 0xB1), 0xAAAA);
    v = Level(v, _mm512_permute_ps(v, 0x4E), 0xCCCC);
    v = Level(v, _mm512_shuffle_f32x4(v, v, 0xB1), 0xF0F0);
    return Level(v, _mm512_shuffle_f32x4(v, v, 0x4E), 0xFF00);
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

/// The 16 entries of a group.
inline __m128i TableEntries(const float* query, __m512 least, __m512 inverse) {
  const __m512 q = _mm512_broadcast_f32x4(_mm_loadu_ps(query));
  const __m512 a = _mm512_maskz_permute_ps(0xAAAA, q, 0x00);
  const __m512 b = _mm512_maskz_permute_ps(0xCCCC, q, 0x55);
  const __m512 c = _mm512_maskz_permute_ps(0xF0F0, q, 0xAA);
  const __m512 d = _mm512_maskz_permute_ps(0xFF00, q, 0xFF);
  const __m512 sum = _mm512_add_ps(_mm512_add_ps(a, b), _mm512_add_ps(c, d));
  return _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(_mm512_sub_ps(sum, least), inverse)));
}

TableScale BuildTableAvx512(const float* query, std::size_t groups, std::uint8_t* table) {
  const __m512 zero = _mm512_setzero_ps();
  __m512 range = zero;
  __m512 bias = zero;  // of groups 0, 1, 2 and 3, modulo 4
  for (std::size_t g = 0; g < groups; g += 4) {
    const std::size_t n = groups - g < 4 ? groups - g : 4;
    const __m512 q = _mm512_maskz_loadu_ps(First16(4 * n), query + 4 * g);
    const __m512 least = SumQuads(_mm512_min_ps(q, zero));
    range = _mm512_max_ps(range, _mm512_sub_ps(SumQuads(_mm512_max_ps(q, zero)), least));
    bias = _mm512_add_ps(bias, least);
    _mm512_mask_storeu_ps(table + g * 16, First16(4 * n), least);  // kept where the entries will lie
  }
  float sums[16];
  _mm512_storeu_ps(sums, bias);
  const float four[4] = {sums[0], sums[4], sums[8], sums[12]};
  const TableSteps steps = StepsOf(Lanes::Largest(range), four);
  for (std::size_t g = 0; g < groups; g++) {
    const __m512 least = _mm512_set1_ps(LoadAs<float>(table + g * 16));
    const __m128i entries = TableEntries(query + 4 * g, least, _mm512_set1_ps(steps.inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(table + g * 16), entries);
  }
  return steps.scale;
}

std::size_t KeepBelowAvx512(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                            float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                            float* kept_lower) {
  const __m512i lane = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  std::size_t found = 0;
  for (std::size_t i = 0; i < count; i += 16) {
    const __mmask16 real = count - i < 16 ? First16(count - i) : static_cast<__mmask16>(0xFFFF);
    const auto load = [&](const float* from) { return _mm512_maskz_loadu_ps(real, from + i); };
    const __m512 sum = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(real, sums + i));
    const __m512 product = _mm512_add_ps(_mm512_mul_ps(sum, _mm512_set1_ps(step)), _mm512_set1_ps(bias));
    const __m512 estimate = _mm512_add_ps(load(add), _mm512_mul_ps(load(scale), product));
    const __m512 lower = _mm512_sub_ps(estimate, _mm512_mul_ps(load(error), _mm512_set1_ps(slack)));
    const __mmask16 below = _mm512_mask_cmp_ps_mask(real, lower, _mm512_set1_ps(bound), _CMP_LT_OQ);
    if (below == 0) continue;
    // Packed in a register: a compressing store is slow on Zen 4.
    const auto n = static_cast<std::size_t>(__builtin_popcount(below));
    const __m512i at = _mm512_add_epi32(lane, _mm512_set1_epi32(static_cast<int>(i)));
    _mm512_mask_storeu_epi32(kept + found, First16(n), _mm512_maskz_compress_epi32(below, at));
    _mm512_mask_storeu_ps(kept_lower + found, First16(n), _mm512_maskz_compress_ps(below, lower));
    found += n;
  }
  return found;
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
  for (std::size_t i = 0; i < size; i += 16) {
    const std::size_t n = size - i < 16 ? 8 : 16;
    const __m512 v = _mm512_maskz_loadu_ps(First16(n), values + i);
    const __mmask16 not_negative = _mm512_cmp_ps_mask(v, _mm512_setzero_ps(), _CMP_GE_OQ);
    __builtin_memcpy(bits + i / 8, &not_negative, n / 8);
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
