#include "simd/kernels.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include "simd/kernels_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 8;
  using Vector = __m256;
  static Vector Zero() { return _mm256_setzero_ps(); }
  static Vector LoadQuery(const float* at) { return _mm256_loadu_ps(at); }
  static Vector Load(const unsigned char* at, float) { return _mm256_loadu_ps(reinterpret_cast<const float*>(at)); }
  static Vector Load(const unsigned char* at, Half) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at)));
  }
  static Vector Load(const unsigned char* at, double) {
    const auto* from = reinterpret_cast<const double*>(at);
    return _mm256_set_m128(_mm256_cvtpd_ps(_mm256_loadu_pd(from + 4)), _mm256_cvtpd_ps(_mm256_loadu_pd(from)));
  }
  static Vector Load(const unsigned char* at, std::uint8_t) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
  }
  static Vector Load(const unsigned char* at, std::int8_t) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
  }
  static Vector Add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector Sub(Vector a, Vector b) { return _mm256_sub_ps(a, b); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return _mm256_fmadd_ps(a, b, c); }
  static float Sum(Vector v) {
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_shuffle_ps(half, half, 1)));
  }
};

}  // namespace

const KernelTable* Avx2Kernels() {
  static constexpr KernelTable kTable = MakeTable<Lanes>("avx2");
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c") ? &kTable
                                                                                                           : nullptr;
}

}  // namespace firn::simd
#else
const firn::simd::KernelTable* firn::simd::Avx2Kernels() { return nullptr; }
#endif
