#include "simd/quantised_body.h"

namespace firn::simd {
namespace {

struct Lanes {
  static constexpr std::size_t kWidth = 1;
  static constexpr std::size_t kTileRows = 4;
  using Vector = float;
  static Vector Zero() { return 0; }
  static Vector Set(float x) { return x; }
  static Vector Load(const float* at) { return *at; }
  static Vector LoadPart(const float*, std::size_t) { return 0; }
  static void Store(float* at, Vector v) { *at = v; }
  static Vector Add(Vector a, Vector b) { return a + b; }
  static Vector Sub(Vector a, Vector b) { return a - b; }
  static Vector Mul(Vector a, Vector b) { return a * b; }
  static Vector Min(Vector a, Vector b) { return Smaller(a, b); }
  static Vector Max(Vector a, Vector b) { return Larger(a, b); }
  static Vector Abs(Vector v) { return __builtin_fabsf(v); }
  static Vector Floor(Vector v) { return __builtin_floorf(v); }
  static Vector MulAdd(Vector a, Vector b, Vector c) { return a * b + c; }
  static float Sum(Vector v) { return v; }
  static float Largest(Vector v) { return v; }
  static void SumFour(const Vector* v, float* sums) {
    for (int i = 0; i < 4; i++) sums[i] = v[i];
  }
  static Vector Transform(Vector v) { return v; }
  static void StoreRounded(Vector v, std::uint8_t* at) { *at = RoundedByte(v); }
};

void FlipSignsScalar(float* values, std::size_t size, const std::uint8_t* signs) {
  FlipSignsFrom(0, values, size, signs);
}

void ScanBlocksScalar(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                      const std::uint8_t* table, std::uint32_t* sums) {
  for (std::size_t block = 0; block < blocks; block++, codes += block_stride, sums += kBlockCodes) {
    for (std::size_t j = 0; j < kBlockCodes; j++) sums[j] = 0;
    for (std::size_t g = 0; g < groups; g++) {
      for (std::size_t j = 0; j < 16; j++) {
        const std::uint8_t code = codes[g * 16 + j];
        sums[j] += table[g * 16 + (code & 15)];
        sums[j + 16] += table[g * 16 + (code >> 4)];
      }
    }
  }
}

void PackBlockScalar(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block) {
  PackBlockFrom(0, bits, count, groups, block);
}

/// What the lower and the higher of two bits add to an entry, above the least: a set bit its value when that is
/// positive, a clear bit the magnitude of a negative one.
inline float PairSum(const float* query, std::size_t bits, float inverse) {
  const auto above_least = [](float value, bool set) {
    const float positive = Larger(value, 0);
    return set ? positive : positive - value;
  };
  return above_least(query[0] * inverse, (bits & 1) != 0) + above_least(query[1] * inverse, (bits & 2) != 0);
}

TableScale BuildTableScalar(const float* query, std::size_t groups, std::uint8_t* table) {
  float range = 0;
  float bias[16] = {};
  for (std::size_t g = 0; g < groups; g++) {
    const float* q = query + 4 * g;
    range = Larger(range,
                   (__builtin_fabsf(q[0]) + __builtin_fabsf(q[1])) + (__builtin_fabsf(q[2]) + __builtin_fabsf(q[3])));
    for (std::size_t i = 0; i < 4; i++) bias[(4 * g + i) % 16] += Smaller(q[i], 0);
  }
  const TableSteps steps = StepsOf(range, bias);
  for (std::size_t g = 0; g < groups; g++, query += 4) {
    for (std::size_t b = 0; b < 16; b++) {
      table[g * 16 + b] = RoundedByte(PairSum(query, b, steps.inverse) + PairSum(query + 2, b / 4, steps.inverse));
    }
  }
  return steps.scale;
}

std::size_t KeepBelowScalar(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                            float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                            float* kept_lower) {
  return KeepBelowFrom(0, 0, sums, {add, scale, error, step, bias, slack}, count, bound, kept, kept_lower);
}

std::int32_t DotNibblesScalar(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim) {
  std::uint32_t sum = 0;
  for (; dim >= 32; dim -= 32, codes += 16, query += 32) sum += DotNibbleRun(codes, query, 16);
  if (dim != 0) sum += DotNibbleRun(codes, query, 8);
  return static_cast<std::int32_t>(sum);
}

void PackNibblesScalar(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes) {
  for (; dim >= 32; dim -= 32, codes += 16, values += 32) PackNibbleRun(values, codes, 16);
  if (dim != 0) PackNibbleRun(values, codes, 8);
}

void DotBytesScalar(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
                    std::int32_t* out) {
  for (std::size_t r = 0; r < count; r++) {
    out[r] = static_cast<std::int32_t>(DotBytesFrom(0, rows + r * dim, query, dim));
  }
}

void SignBitsScalar(const float* values, std::size_t size, std::uint8_t* bits) {
  for (std::size_t i = 0; i < size; i += 8) {
    unsigned byte = 0;
    for (unsigned j = 0; j < 8; j++) byte |= static_cast<unsigned>(values[i + j] >= 0) << j;
    bits[i / 8] = static_cast<std::uint8_t>(byte);
  }
}

}  // namespace

const QuantisedKernels& ScalarQuantisedKernels() {
  static constexpr QuantisedKernels kTable = {.name = "scalar",
                                              .hadamard = HadamardOver<Lanes>,
                                              .flip_signs = FlipSignsScalar,
                                              .scan_blocks = ScanBlocksScalar,
                                              .pack_block = PackBlockScalar,
                                              .build_table = BuildTableScalar,
                                              .keep_below = KeepBelowScalar,
                                              .dot_nibbles = DotNibblesScalar,
                                              .pack_nibbles = PackNibblesScalar,
                                              .quantise_to_int8 = QuantiseToInt8Over<Lanes>,
                                              .dot_bytes = DotBytesScalar,
                                              .dot_matrix = DotMatrixOver<Lanes>,
                                              .quantise_levels = QuantiseLevelsOver<Lanes>,
                                              .sign_bits = SignBitsScalar};
  return kTable;
}

}  // namespace firn::simd
