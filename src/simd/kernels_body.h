// The kernels, written once over a `Lanes` class of the including file:
//   kWidth floats wide; Vector; Zero(); Load(const T*) widens kWidth elements to floats; Add, Sub, MulAdd(a, b, c) =
//   a*b+c; Sum(v).
// Included by one source file per instruction set, each compiled with its own flags; hence everything is internal to
// that file and nothing of the standard library is used (an inline function compiled here must not be picked by the
// linker for another file).
#include "simd/kernels.h"

namespace firn::simd {
namespace {

// IEEE binary16 as a type of its own, so that loads can be overloaded on it.
struct Half {
  std::uint16_t bits;
};

inline float Widen(float x) { return x; }
inline float Widen(double x) { return static_cast<float>(x); }
inline float Widen(std::uint8_t x) { return x; }
inline float Widen(std::int8_t x) { return x; }
inline float Widen(Half x) {
  // Exponent re-based by a multiplication that also normalises subnormals (2^112); infinities and NaN keep the top
  // exponent.
  const std::uint32_t sign = std::uint32_t{x.bits & 0x8000U} << 16;
  const std::uint32_t magnitude = std::uint32_t{x.bits & 0x7FFFU} << 13;
  float value = __builtin_bit_cast(float, magnitude) * 0x1.0p112F;
  if ((x.bits & 0x7C00U) == 0x7C00U) value = __builtin_bit_cast(float, magnitude | 0x7F800000U);
  return __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, value) | sign);
}

template <class T>
inline T LoadOne(const unsigned char* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

struct SquaredDifference {
  template <class L>
  static typename L::Vector Step(typename L::Vector q, typename L::Vector x, typename L::Vector sum) {
    const auto d = L::Sub(q, x);
    return L::MulAdd(d, d, sum);
  }
  static float One(float q, float x, float sum) { return sum + (q - x) * (q - x); }
};

struct Product {
  template <class L>
  static typename L::Vector Step(typename L::Vector q, typename L::Vector x, typename L::Vector sum) {
    return L::MulAdd(q, x, sum);
  }
  static float One(float q, float x, float sum) { return sum + q * x; }
};

/// Four independent sums hide the latency of the multiply-add.
template <class L, class T, class Op>
float Reduce(const float* query, std::size_t dim, const unsigned char* row) {
  typename L::Vector a = L::Zero(), b = L::Zero(), c = L::Zero(), d = L::Zero();
  std::size_t i = 0;
  constexpr std::size_t kWidth = L::kWidth;
  for (; i + 4 * kWidth <= dim; i += 4 * kWidth) {
    const unsigned char* at = row + i * sizeof(T);
    a = Op::template Step<L>(L::LoadQuery(query + i), L::Load(at, T{}), a);
    b = Op::template Step<L>(L::LoadQuery(query + i + kWidth), L::Load(at + kWidth * sizeof(T), T{}), b);
    c = Op::template Step<L>(L::LoadQuery(query + i + 2 * kWidth), L::Load(at + 2 * kWidth * sizeof(T), T{}), c);
    d = Op::template Step<L>(L::LoadQuery(query + i + 3 * kWidth), L::Load(at + 3 * kWidth * sizeof(T), T{}), d);
  }
  for (; i + kWidth <= dim; i += kWidth) {
    a = Op::template Step<L>(L::LoadQuery(query + i), L::Load(row + i * sizeof(T), T{}), a);
  }
  float sum = L::Sum(L::Add(L::Add(a, b), L::Add(c, d)));
  for (; i < dim; i++) sum = Op::One(query[i], Widen(LoadOne<T>(row + i * sizeof(T))), sum);
  return sum;
}

/// <q, x> / |x| in one pass over the row.
template <class L, class T>
float ReduceCosine(const float* query, std::size_t dim, const unsigned char* row) {
  typename L::Vector dot_a = L::Zero(), dot_b = L::Zero(), norm_a = L::Zero(), norm_b = L::Zero();
  std::size_t i = 0;
  constexpr std::size_t kWidth = L::kWidth;
  for (; i + 2 * kWidth <= dim; i += 2 * kWidth) {
    const auto x = L::Load(row + i * sizeof(T), T{});
    const auto y = L::Load(row + (i + kWidth) * sizeof(T), T{});
    dot_a = L::MulAdd(L::LoadQuery(query + i), x, dot_a);
    norm_a = L::MulAdd(x, x, norm_a);
    dot_b = L::MulAdd(L::LoadQuery(query + i + kWidth), y, dot_b);
    norm_b = L::MulAdd(y, y, norm_b);
  }
  float dot = L::Sum(L::Add(dot_a, dot_b));
  float norm = L::Sum(L::Add(norm_a, norm_b));
  for (; i < dim; i++) {
    const float x = Widen(LoadOne<T>(row + i * sizeof(T)));
    dot += query[i] * x;
    norm += x * x;
  }
  return norm > 0 ? dot / __builtin_sqrtf(norm) : 0.0F;
}

template <class L, class T>
void L2Rows(const float* query, std::size_t dim, const void* rows, std::size_t count, float* scores) {
  const auto* row = static_cast<const unsigned char*>(rows);
  for (std::size_t i = 0; i < count; i++, row += dim * sizeof(T))
    scores[i] = Reduce<L, T, SquaredDifference>(query, dim, row);
}

template <class L, class T>
void DotRows(const float* query, std::size_t dim, const void* rows, std::size_t count, float* scores) {
  const auto* row = static_cast<const unsigned char*>(rows);
  for (std::size_t i = 0; i < count; i++, row += dim * sizeof(T)) scores[i] = Reduce<L, T, Product>(query, dim, row);
}

template <class L, class T>
void CosineRows(const float* query, std::size_t dim, const void* rows, std::size_t count, float* scores) {
  const auto* row = static_cast<const unsigned char*>(rows);
  for (std::size_t i = 0; i < count; i++, row += dim * sizeof(T)) scores[i] = ReduceCosine<L, T>(query, dim, row);
}

template <class L>
constexpr KernelTable MakeTable(const char* name) {
  return {
      name,
      {{L2Rows<L, float>, L2Rows<L, Half>, L2Rows<L, double>, L2Rows<L, std::uint8_t>, L2Rows<L, std::int8_t>},
       {CosineRows<L, float>, CosineRows<L, Half>, CosineRows<L, double>, CosineRows<L, std::uint8_t>,
        CosineRows<L, std::int8_t>},
       {DotRows<L, float>, DotRows<L, Half>, DotRows<L, double>, DotRows<L, std::uint8_t>, DotRows<L, std::int8_t>}}};
}

}  // namespace
}  // namespace firn::simd
