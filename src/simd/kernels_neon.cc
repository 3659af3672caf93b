#include "simd/kernels.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#include "simd/kernels_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 4;
  using Vector = float32x4_t;
  static Vector Zero() { return vdupq_n_f32(0); }
  static Vector LoadQuery(const float* at) { return vld1q_f32(at); }
  static Vector Load(const unsigned char* at, float) { return vreinterpretq_f32_u8(vld1q_u8(at)); }
  static Vector Load(const unsigned char* at, Half) { return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(at))); }
  static Vector Load(const unsigned char* at, double) {
    const float64x2_t low = vreinterpretq_f64_u8(vld1q_u8(at));
    const float64x2_t high = vreinterpretq_f64_u8(vld1q_u8(at + 16));
    return vcombine_f32(vcvt_f32_f64(low), vcvt_f32_f64(high));
  }
  static Vector Load(const unsigned char* at, std::uint8_t) {
    const uint8x8_t bytes = vcreate_u8(LoadOne<std::uint32_t>(at));
    return vcvtq_f32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
  static Vector Load(const unsigned char* at, std::int8_t) {
    const int8x8_t bytes = vcreate_s8(LoadOne<std::uint32_t>(at));
    return vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(bytes))));
  }
  static Vector Add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector Sub(Vector a, Vector b) { return vsubq_f32(a, b); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return vfmaq_f32(c, a, b); }
  static float Sum(Vector v) { return vaddvq_f32(v); }
};

}  // namespace

const KernelTable* NeonKernels() {
  static constexpr KernelTable kTable = MakeTable<Lanes>("neon");
  return &kTable;
}

}  // namespace firn::simd
#else
const firn::simd::KernelTable* firn::simd::NeonKernels() { return nullptr; }
#endif
