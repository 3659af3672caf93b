#include "simd/neighbours_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace firn::simd {
namespace {

/// Sums of bytes, 16 of them, as two sets of 16-bit lanes: what is added to `even` still holds the odd bytes in its
/// upper halves, which the end takes away again.
struct ByteSums {
  __m256i even = _mm256_setzero_si256();
  __m256i odd = _mm256_setzero_si256();

  void Add(__m256i bytes) {
    even = _mm256_add_epi16(even, bytes);
    odd = _mm256_add_epi16(odd, _mm256_srli_epi16(bytes, 8));
  }
  /// The 16 sums in order.
  __m256i InOrder() const {
    const __m256i pure = _mm256_sub_epi16(even, _mm256_slli_epi16(odd, 8));
    const __m128i low = _mm_add_epi16(_mm256_castsi256_si128(pure), _mm256_extracti128_si256(pure, 1));
    const __m128i high = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1));
    return _mm256_set_m128i(_mm_unpackhi_epi16(low, high), _mm_unpacklo_epi16(low, high));
  }
};

struct Terms {
  __m256 step, bias, base, bound;
};

/// Eight estimates; their bits below the bound.
std::uint32_t Finish(__m128i sums, const std::uint8_t* add, const std::uint8_t* scale, const Terms& terms,
                     float* distances) {
  const __m256 product = _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(sums)), terms.step, terms.bias);
  const __m256 a = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(add)));
  const __m256 s = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(scale)));
  const __m256 distance = _mm256_fnmadd_ps(s, product, _mm256_add_ps(terms.base, a));
  _mm256_storeu_ps(distances, distance);
  return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(distance, terms.bound, _CMP_LT_OQ)));
}

std::uint32_t Estimate(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step, float bias,
                       float base, float bound, float* distances) {
  const __m256i nibble = _mm256_set1_epi8(15);
  ByteSums first, second;
  for (std::size_t g = 0; g < groups; g += 2) {
    const __m256i pairs = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 16 * g));
    const __m256i entries = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(table + 16 * g));
    first.Add(_mm256_shuffle_epi8(entries, _mm256_and_si256(pairs, nibble)));
    second.Add(_mm256_shuffle_epi8(entries, _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble)));
  }
  const Terms terms = {_mm256_set1_ps(step), _mm256_set1_ps(bias), _mm256_set1_ps(base), _mm256_set1_ps(bound)};
  const __m256i halves[2] = {first.InOrder(), second.InOrder()};
  const std::uint8_t* add = block + 16 * groups;
  const std::uint8_t* scale = add + 2 * kBlockCodes;
  std::uint32_t below = 0;
  for (std::size_t i = 0; i < 2; i++) {
    below |= Finish(_mm256_castsi256_si128(halves[i]), add + 32 * i, scale + 32 * i, terms, distances + 16 * i)
             << (16 * i);
    below |= Finish(_mm256_extracti128_si256(halves[i], 1), add + 32 * i + 16, scale + 32 * i + 16, terms,
                    distances + 16 * i + 8)
             << (16 * i + 8);
  }
  return below;
}

/// maddubs wants one unsigned side: |query|, with its sign moved to the row. Two products of at most 127 * 127 fit 16
/// bits.
__m256i AddProducts(__m256i sum, __m256i magnitude, __m256i query, const std::int8_t* row) {
  const __m256i signed_row = _mm256_sign_epi8(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(row)), query);
  const __m256i pairs = _mm256_maddubs_epi16(magnitude, signed_row);
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

std::int32_t Sum(__m256i v) {
  __m128i half = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  half = _mm_add_epi32(half, _mm_unpackhi_epi64(half, half));
  return _mm_cvtsi128_si32(_mm_add_epi32(half, _mm_shuffle_epi32(half, 1)));
}

void DotSignedBytesAvx2(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                        std::int32_t* out) {
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4, rows += 4 * dim) {
    __m256i sums[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
    for (std::size_t i = 0; i < dim; i += 32) {
      const __m256i q = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
      const __m256i magnitude = _mm256_abs_epi8(q);
      for (std::size_t j = 0; j < 4; j++) sums[j] = AddProducts(sums[j], magnitude, q, rows + j * dim + i);
    }
    for (std::size_t j = 0; j < 4; j++) out[r + j] = Sum(sums[j]);
  }
  for (; r < count; r++, rows += dim) {
    __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
    for (std::size_t i = 0; i < dim; i += 64) {
      const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i));
      const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + i + 32));
      even = AddProducts(even, _mm256_abs_epi8(a), a, rows + i);
      odd = AddProducts(odd, _mm256_abs_epi8(b), b, rows + i + 32);
    }
    out[r] = Sum(_mm256_add_epi32(even, odd));
  }
}

}  // namespace

const NeighbourKernels* Avx2NeighbourKernels() {
  static constexpr NeighbourKernels kTable = {Estimate, DotSignedBytesAvx2};
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") ? &kTable
                                                                                                           : nullptr;
}

}  // namespace firn::simd
#else
const firn::simd::NeighbourKernels* firn::simd::Avx2NeighbourKernels() { return nullptr; }
#endif
