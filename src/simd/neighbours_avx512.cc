#include "simd/neighbours_kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace firn::simd {
namespace {

/// Sums of bytes, 16 of them, as two sets of 16-bit lanes: what is added to `even` still holds the odd bytes in its
/// upper halves, which the end takes away again.
struct ByteSums {
  __m512i even = _mm512_setzero_si512();
  __m512i odd = _mm512_setzero_si512();

  void Add(__m512i bytes) {
    even = _mm512_add_epi16(even, bytes);
    odd = _mm512_add_epi16(odd, _mm512_srli_epi16(bytes, 8));
  }
  static __m128i Fold(__m512i v) {
    const __m256i half = _mm256_add_epi16(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
    return _mm_add_epi16(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  }
  /// The 16 sums in order, as floats.
  __m512 InOrder() const {
    const __m128i low = Fold(_mm512_sub_epi16(even, _mm512_slli_epi16(odd, 8)));
    const __m128i high = Fold(odd);
    return _mm512_cvtepi32_ps(
        _mm512_cvtepu16_epi32(_mm256_set_m128i(_mm_unpackhi_epi16(low, high), _mm_unpacklo_epi16(low, high))));
  }
};

struct Terms {
  __m512 step, bias, base, bound;
};

/// Sixteen estimates; their bits below the bound.
std::uint32_t Finish(__m512 sums, const std::uint8_t* add, const std::uint8_t* scale, const Terms& terms,
                     float* distances) {
  const __m512 product = _mm512_fmadd_ps(sums, terms.step, terms.bias);
  const __m512 a = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(add)));
  const __m512 s = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(scale)));
  const __m512 distance = _mm512_fnmadd_ps(s, product, _mm512_add_ps(terms.base, a));
  _mm512_storeu_ps(distances, distance);
  return _mm512_cmp_ps_mask(distance, terms.bound, _CMP_LT_OQ);
}

std::uint32_t Estimate(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step, float bias,
                       float base, float bound, float* distances) {
  const __m512i nibble = _mm512_set1_epi8(15);
  ByteSums first, second;
  for (std::size_t g = 0; g < groups; g += 4) {
    const __m512i pairs = _mm512_loadu_si512(block + 16 * g);
    const __m512i entries = _mm512_loadu_si512(table + 16 * g);
    first.Add(_mm512_shuffle_epi8(entries, _mm512_and_si512(pairs, nibble)));
    second.Add(_mm512_shuffle_epi8(entries, _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble)));
  }
  const Terms terms = {_mm512_set1_ps(step), _mm512_set1_ps(bias), _mm512_set1_ps(base), _mm512_set1_ps(bound)};
  const std::uint8_t* add = block + 16 * groups;
  const std::uint8_t* scale = add + 2 * kBlockCodes;
  return Finish(first.InOrder(), add, scale, terms, distances) |
         Finish(second.InOrder(), add + 32, scale + 32, terms, distances + 16) << 16;
}

void DotSignedBytesAvx512(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                          std::int32_t* out) {
  // vpdpbusd wants one unsigned side: row + 128. What that adds is 128 times the sum of the query, whatever the row.
  const __m512i flip = _mm512_set1_epi8(-128);
  __m512i excess = _mm512_setzero_si512();
  for (std::size_t i = 0; i < dim; i += 64) excess = _mm512_dpbusd_epi32(excess, flip, _mm512_loadu_si512(query + i));
  std::size_t r = 0;
  for (; r + 4 <= count; r += 4, rows += 4 * dim) {
    __m512i sums[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512()};
    for (std::size_t i = 0; i < dim; i += 64) {
      const __m512i q = _mm512_loadu_si512(query + i);
      for (std::size_t j = 0; j < 4; j++) {
        const __m512i row = _mm512_xor_si512(_mm512_loadu_si512(rows + j * dim + i), flip);
        sums[j] = _mm512_dpbusd_epi32(sums[j], row, q);
      }
    }
    for (std::size_t j = 0; j < 4; j++) out[r + j] = _mm512_reduce_add_epi32(_mm512_sub_epi32(sums[j], excess));
  }
  for (; r < count; r++, rows += dim) {
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t i = 0; i < dim; i += 64) {
      const __m512i row = _mm512_xor_si512(_mm512_loadu_si512(rows + i), flip);
      sum = _mm512_dpbusd_epi32(sum, row, _mm512_loadu_si512(query + i));
    }
    out[r] = _mm512_reduce_add_epi32(_mm512_sub_epi32(sum, excess));  // its own chain of additions, beside that of sum
  }
}

}  // namespace

const NeighbourKernels* Avx512NeighbourKernels() {
  static constexpr NeighbourKernels kTable = {Estimate, DotSignedBytesAvx512};
  __builtin_cpu_init();
  return Avx2NeighbourKernels() != nullptr && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                 __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                 __builtin_cpu_supports("avx512vnni")
             ? &kTable
             : nullptr;
}

}  // namespace firn::simd
#else
const firn::simd::NeighbourKernels* firn::simd::Avx512NeighbourKernels() { return nullptr; }
#endif
