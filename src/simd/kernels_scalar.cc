#include "simd/kernels_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 1;
  using Vector = float;
  static Vector Zero() { return 0; }
  static Vector LoadQuery(const float* at) { return *at; }
  template <class T>
  static Vector Load(const unsigned char* at, T) {
    return Widen(LoadOne<T>(at));
  }
  static Vector Add(Vector a, Vector b) { return a + b; }
  static Vector Sub(Vector a, Vector b) { return a - b; }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return a * b + c; }
  static float Sum(Vector v) { return v; }
};

}  // namespace

const KernelTable& ScalarKernels() {
  static constexpr KernelTable kTable = MakeTable<Lanes>("scalar");
  return kTable;
}

}  // namespace firn::simd
