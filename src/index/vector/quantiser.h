#pragma once
// RaBitQ (Gao & Long, SIGMOD 2024) and its extension to more bits (Gao et al. 2024): what a segment keeps of a row, and
// how a distance is estimated from it.
//
// In the rotated frame let c be the row's centroid, o = x - c, and u the code: one value a dimension, near o's
// direction.
//   1 bit:  u[i] = b[i] - 1/2, b[i] = (o[i] >= 0)
//   5 bits: u[i] = l[i] - 15.5, l[i] = 16 b[i] + n[i]; the nibble n[i] is the supplement of the bit
// Then <o, q - c> is about |o|^2 / <u, o> * <u, q - c>, without bias over random rotations, and
//   |x - q|^2 = |q - c|^2 + |o|^2 - 2 <o, q - c>
//            ~= |q - c|^2 + add + scale * <u, q>,    scale = -2 |o|^2 / <u, o>,   add = |o|^2 - scale * <u, c>
// so that one lookup table of q serves all clusters. The estimate is off by at most slack * error * |q - c|, with a
// probability that grows with slack (their theorem 3.2):
//   error = 2 |o| sqrt((1 - t^2) / t^2) / sqrt(d - 1),    t = <u, o> / (|u| |o|)

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace firn::index {

struct BitFactors {
  float add = 0;
  float scale = 0;
  float error = 0;
};

struct LevelFactors {
  float add = 0;
  float scale = 0;
};

/// The 5-bit estimate's error is about this part of the 1-bit one's.
inline constexpr float kLevelErrorRatio = 1.0F / 13.0F;

struct RowCode {
  BitFactors bit;
  LevelFactors level;
};

/// Encodes rows of d values, d a multiple of 16, in memory of its own: one encoder a thread.
class RowEncoder {
 public:
  explicit RowEncoder(std::size_t dims) : centred_(dims) {}

  /// residual: o; centroid: c. Writes d / 8 bytes of bits and d nibbles, one a byte.
  RowCode Encode(std::span<const float> residual, std::span<const float> centroid, std::uint8_t* bits,
                 std::uint8_t* nibbles);

 private:
  std::vector<float> centred_;  // u
};

}  // namespace firn::index
