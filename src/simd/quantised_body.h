// The float kernels of quantised.h, written once over a `Lanes` class of the including file, and the scalar forms that
// define the others and finish what is left of their input. A `Lanes` class gives:
//   kWidth floats wide; Vector; Zero(); Set(x); Load, Store; LoadPart(at, n < kWidth), zeros behind; Add, Sub, Mul,
//   Min, Max, Abs, Floor; MulAdd(a, b, c) = a*b+c; Sum(v); Largest(v); SumFour(v, float*) sums of four vectors;
//   Transform(v), the Hadamard transform of one vector; StoreRounded(v, bytes), low byte of the nearest integer, ties
//   to even; kTileRows x 4 vectors are the sums that DotMatrix holds in registers.
// Internal to each file and without the standard library's functions, as in kernels_body.h. Compiled without
// contraction of a*b+c, so that all sets round alike.
#include "simd/quantised_kernels.h"

namespace firn::simd {
namespace {

inline constexpr float kTiny = 0x1.0p-100F;

template <class T>
inline T LoadAs(const void* at) {
  T value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

inline float Smaller(float a, float b) { return a < b ? a : b; }
inline float Larger(float a, float b) { return a > b ? a : b; }

/// The nearest integer's low byte, ties to even, of a magnitude below 2^22.
inline std::uint8_t RoundedByte(float x) {
  return static_cast<std::uint8_t>(__builtin_bit_cast(std::uint32_t, x + 0x1.8p23F));
}

// ---- Hadamard ----

/// log2(R) levels of butterflies over R vectors that lie `h` floats apart; with `kInside` also those inside a vector.
template <class L, std::size_t R, bool kInside>
inline void Butterflies(float* at, std::size_t h) {
  typename L::Vector x[R];
  for (std::size_t i = 0; i < R; i++) {
    x[i] = L::Load(at + i * h);
    if constexpr (kInside) x[i] = L::Transform(x[i]);
  }
#pragma GCC unroll 8
  for (std::size_t step = 1; step < R; step *= 2) {
#pragma GCC unroll 8
    for (std::size_t i = 0; i < R; i++) {
      if ((i & step) != 0) continue;
      const auto low = x[i];
      x[i] = L::Add(low, x[i + step]);
      x[i + step] = L::Sub(low, x[i + step]);
    }
  }
  for (std::size_t i = 0; i < R; i++) L::Store(at + i * h, x[i]);
}

template <class L, std::size_t R, bool kInside>
void HadamardPass(float* values, std::size_t size, std::size_t h) {
  for (std::size_t base = 0; base < size; base += R * h) {
    for (std::size_t j = 0; j < h; j += L::kWidth) Butterflies<L, R, kInside>(values + base + j, h);
  }
}

/// Levels run in the order 1, 2, 4, ... on every set, several to a pass over memory.
template <class L>
void HadamardOver(float* values, std::size_t size) {
  if (size < L::kWidth) {
    for (std::size_t h = 1; h < size; h *= 2) {
      for (std::size_t i = 0; i < size; i++) {
        if ((i & h) != 0) continue;
        const float low = values[i];
        values[i] = low + values[i + h];
        values[i + h] = low - values[i + h];
      }
    }
    return;
  }
  const std::size_t vectors = size / L::kWidth;
  std::size_t h = L::kWidth;
  if (vectors >= 8) {
    HadamardPass<L, 8, true>(values, size, h);
    h *= 8;
  } else if (vectors >= 4) {
    HadamardPass<L, 4, true>(values, size, h);
    h *= 4;
  } else {
    HadamardPass<L, 1, true>(values, size, h);
  }
  for (; size / h >= 8; h *= 8) HadamardPass<L, 8, false>(values, size, h);
  if (size / h >= 4) {
    HadamardPass<L, 4, false>(values, size, h);
  } else if (size / h == 2) {
    HadamardPass<L, 2, false>(values, size, h);
  }
}

inline void FlipSignsFrom(std::size_t i, float* values, std::size_t size, const std::uint8_t* signs) {
  for (; i < size; i++) {
    const auto flip = static_cast<std::uint32_t>(signs[i / 8] >> (i % 8) & 1) << 31;
    values[i] = __builtin_bit_cast(float, __builtin_bit_cast(std::uint32_t, values[i]) ^ flip);
  }
}

// ---- one-bit codes ----

/// Where a table's steps come from, the same on every set: the widest range of a group, |a| + |b| + |c| + |d| of its
/// four values, is 255 steps; `bias` is the sum of all values below 0, as 16 running sums over the values' positions
/// modulo 16.
struct TableSteps {
  float inverse;
  TableScale scale;
};
inline TableSteps StepsOf(float range, float (&bias)[16]) {
  for (std::size_t width = 8; width != 0; width /= 2) {
    for (std::size_t i = 0; i < width; i++) bias[i] += bias[i + width];
  }
  const bool tiny = !(range >= kTiny);
  return {tiny ? 0 : 255.0F / range, {.step = tiny ? 0 : range / 255.0F, .bias = bias[0]}};
}

struct Lowest {
  const float* add;
  const float* scale;
  const float* error;
  float step, bias, slack;
  float operator()(std::uint32_t sum, std::size_t i) const {
    const float product = static_cast<float>(static_cast<std::int32_t>(sum)) * step + bias;
    return (add[i] + scale[i] * product) - error[i] * slack;
  }
};

inline std::size_t KeepBelowFrom(std::size_t i, std::size_t found, const std::uint32_t* sums, const Lowest& lowest,
                                 std::size_t count, float bound, std::uint32_t* kept, float* kept_lower) {
  for (; i < count; i++) {
    const float lower = lowest(sums[i], i);
    if (!(lower < bound)) continue;
    kept[found] = static_cast<std::uint32_t>(i);
    kept_lower[found++] = lower;
  }
  return found;
}

/// Bytes `first` and later of every code, to their two runs each.
inline void PackBlockFrom(std::size_t first, const std::uint8_t* bits, std::size_t count, std::size_t groups,
                          std::uint8_t* block) {
  const std::size_t stride = groups / 2;
  for (std::size_t byte = first; byte < stride; byte++) {
    for (std::size_t j = 0; j < 16; j++) {
      const unsigned low = j < count ? bits[j * stride + byte] : 0;
      const unsigned high = j + 16 < count ? bits[(j + 16) * stride + byte] : 0;
      block[2 * byte * 16 + j] = static_cast<std::uint8_t>((low & 15) | (high & 15) << 4);
      block[(2 * byte + 1) * 16 + j] = static_cast<std::uint8_t>(low >> 4 | (high & 0xF0));
    }
  }
}

// ---- 4-bit codes ----

/// A run of 2 * half values whose codes take `half` bytes.
inline std::uint32_t DotNibbleRun(const std::uint8_t* codes, const std::int8_t* query, std::size_t half) {
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < half; i++) sum += (codes[i] & 15) * query[i] + (codes[i] >> 4) * query[i + half];
  return static_cast<std::uint32_t>(sum);
}

inline void PackNibbleRun(const std::uint8_t* values, std::uint8_t* codes, std::size_t half) {
  for (std::size_t i = 0; i < half; i++) codes[i] = static_cast<std::uint8_t>(values[i] | values[i + half] << 4);
}

template <class L>
float QuantiseToInt8Over(const float* values, std::size_t size, std::int8_t* query) {
  auto most = L::Zero();
  std::size_t i = 0;
  for (; i + L::kWidth <= size; i += L::kWidth) most = L::Max(most, L::Abs(L::Load(values + i)));
  float largest = L::Largest(most);
  for (; i < size; i++) largest = Larger(largest, __builtin_fabsf(values[i]));
  const bool tiny = !(largest >= kTiny);
  const float inverse = tiny ? 0 : 127.0F / largest;
  auto* bytes = reinterpret_cast<std::uint8_t*>(query);
  for (i = 0; i + L::kWidth <= size; i += L::kWidth) {
    L::StoreRounded(L::Mul(L::Load(values + i), L::Set(inverse)), bytes + i);
  }
  for (; i < size; i++) bytes[i] = RoundedByte(values[i] * inverse);
  return tiny ? 0 : largest / 127.0F;
}

inline std::uint32_t DotBytesFrom(std::size_t i, const std::uint8_t* row, const std::int16_t* query, std::size_t dim) {
  std::uint32_t sum = 0;
  for (; i < dim; i++) sum += static_cast<std::uint32_t>(row[i] * query[i]);
  return sum;
}

// ---- matrices ----

/// out (+)= A rows of `a` times B rows of `b`, over `size` values; rows lie `dim` apart, those of `out` `out_stride`.
template <class L, std::size_t A, std::size_t B>
inline void DotTile(const float* a, const float* b, std::size_t dim, std::size_t size, float* out,
                    std::size_t out_stride, bool add) {
  typename L::Vector sums[A][B];
  for (std::size_t i = 0; i < A; i++) {
    for (std::size_t j = 0; j < B; j++) sums[i][j] = L::Zero();
  }
  const auto step = [&](auto load, std::size_t k) __attribute__((always_inline)) {
    typename L::Vector x[A];
#pragma GCC unroll 8
    for (std::size_t i = 0; i < A; i++) x[i] = load(a + i * dim + k);
#pragma GCC unroll 8
    for (std::size_t j = 0; j < B; j++) {
      const auto y = load(b + j * dim + k);
#pragma GCC unroll 8
      for (std::size_t i = 0; i < A; i++) sums[i][j] = L::MulAdd(x[i], y, sums[i][j]);
    }
  };
  std::size_t k = 0;
  for (; k + L::kWidth <= size; k += L::kWidth) step([](const float* at) { return L::Load(at); }, k);
  if (k < size) step([n = size - k](const float* at) { return L::LoadPart(at, n); }, k);
#pragma GCC unroll 8
  for (std::size_t i = 0; i < A; i++) {
    float dots[B];
    if constexpr (B == 4) {
      L::SumFour(sums[i], dots);
    } else {
      for (std::size_t j = 0; j < B; j++) dots[j] = L::Sum(sums[i][j]);
    }
    for (std::size_t j = 0; j < B; j++) {
      float& to = out[i * out_stride + j];
      to = add ? to + dots[j] : dots[j];
    }
  }
}

/// A rows of `a` against `b_rows` rows of `b`.
template <class L, std::size_t A>
void DotRowsOver(const float* a, const float* b, std::size_t b_rows, std::size_t dim, std::size_t size, float* out,
                 std::size_t out_stride, bool add) {
  std::size_t j = 0;
  for (; j + 4 <= b_rows; j += 4) DotTile<L, A, 4>(a, b + j * dim, dim, size, out + j, out_stride, add);
  for (; j < b_rows; j++) DotTile<L, A, 1>(a, b + j * dim, dim, size, out + j, out_stride, add);
}

/// A piece of `b` (64 rows of 1024 values, 256 KiB) stays in the second-level cache while all of `a` passes, some rows
/// of `a` in the first-level one.
template <class L>
void DotMatrixOver(const float* a, std::size_t a_rows, const float* b, std::size_t b_rows, std::size_t dim,
                   float* out) {
  constexpr std::size_t kValues = 1024;
  constexpr std::size_t kRows = 64;
  for (std::size_t i = 0; dim == 0 && i < a_rows * b_rows; i++) out[i] = 0;
  for (std::size_t k = 0; k < dim; k += kValues) {
    const std::size_t size = dim - k < kValues ? dim - k : kValues;
    for (std::size_t j = 0; j < b_rows; j += kRows) {
      const std::size_t rows = b_rows - j < kRows ? b_rows - j : kRows;
      const float* b_at = b + j * dim + k;
      std::size_t i = 0;
      for (; i + L::kTileRows <= a_rows; i += L::kTileRows) {
        DotRowsOver<L, L::kTileRows>(a + i * dim + k, b_at, rows, dim, size, out + i * b_rows + j, b_rows, k > 0);
      }
      for (; i < a_rows; i++) {
        DotRowsOver<L, 1>(a + i * dim + k, b_at, rows, dim, size, out + i * b_rows + j, b_rows, k > 0);
      }
    }
  }
}

// ---- levels ----

template <class L, bool kStore>
LevelFit QuantiseLevelsOver(const float* values, std::size_t size, float scale, std::uint8_t* levels) {
  using Vector = typename L::Vector;
  const Vector scales = L::Set(scale), least = L::Set(-16), most = L::Set(15), half = L::Set(0.5F);
  const Vector sixteen = L::Set(16);
  Vector product[2] = {L::Zero(), L::Zero()}, norm2[2] = {L::Zero(), L::Zero()};
  const auto step = [&](std::size_t at, int sum) __attribute__((always_inline)) {
    const Vector value = L::Load(values + at);
    const Vector level = L::Min(L::Max(L::Floor(L::Mul(value, scales)), least), most);
    const Vector u = L::Add(level, half);
    product[sum] = L::MulAdd(u, value, product[sum]);
    norm2[sum] = L::MulAdd(u, u, norm2[sum]);
    if constexpr (kStore) L::StoreRounded(L::Add(level, sixteen), levels + at);
  };
  std::size_t i = 0;
  for (; i + 2 * L::kWidth <= size; i += 2 * L::kWidth) {
    step(i, 0);
    step(i + L::kWidth, 1);
  }
  for (; i + L::kWidth <= size; i += L::kWidth) step(i, 0);
  LevelFit fit = {.product = L::Sum(L::Add(product[0], product[1])), .norm2 = L::Sum(L::Add(norm2[0], norm2[1]))};
  for (; i < size; i++) {
    const float level = Smaller(Larger(__builtin_floorf(values[i] * scale), -16), 15);
    const float u = level + 0.5F;
    fit.product += u * values[i];
    fit.norm2 += u * u;
    if constexpr (kStore) levels[i] = RoundedByte(level + 16);
  }
  return fit;
}

template <class L>
LevelFit QuantiseLevelsOver(const float* values, std::size_t size, float scale, std::uint8_t* levels) {
  return levels == nullptr ? QuantiseLevelsOver<L, false>(values, size, scale, levels)
                           : QuantiseLevelsOver<L, true>(values, size, scale, levels);
}

}  // namespace
}  // namespace firn::simd
