#include "simd/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "simd/kernels_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 16;
  using Vector = __m512;
  static Vector Zero() { return _mm512_setzero_ps(); }
  static Vector LoadQuery(const float* at) { return _mm512_loadu_ps(at); }
  static Vector Load(const unsigned char* at, float) { return _mm512_loadu_ps(at); }
  static Vector Load(const unsigned char* at, Half) {
    return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
  }
  static Vector Load(const unsigned char* at, double) {
    const __m256 low = _mm512_cvtpd_ps(_mm512_loadu_pd(at));
    const __m256 high = _mm512_cvtpd_ps(_mm512_loadu_pd(at + 8 * sizeof(double)));
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
  }
  static Vector Load(const unsigned char* at, std::uint8_t) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  static Vector Load(const unsigned char* at, std::int8_t) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
  }
  static Vector Add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm512_sub_ps(a, b); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm512_fmadd_ps(a, b, c); }
  static float Sum(Vector v) { return _mm512_reduce_add_ps(v); }
};

}  // namespace

const KernelTable* Avx512Kernels() {
  static constexpr KernelTable kTable = MakeTable<Lanes>("avx512");
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
             ? &kTable
             : nullptr;
}

}  // namespace firn::simd
#else
const firn::simd::KernelTable* firn::simd::Avx512Kernels() { return nullptr; }
#endif
