#pragma once
// A random rotation in O(d log d): what makes one bit a dimension as good an estimate for every vector.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace firn::index {

/// Vectors of `dim` values to vectors of `padded_dim` values (zeros are appended first), keeping inner products and
/// distances. Three rounds of: random signs, a Hadamard transform of the first 2^m values, one of the last 2^m, where
/// 2^m is the largest power of two that fits (as fast Johnson-Lindenstrauss transforms do; Ailon & Chazelle 2009). Part
/// of the segment's format: the same seed gives the same rotation everywhere, up to rounding. Thread-safe.
class Rotation {
 public:
  static constexpr std::size_t kRounds = 3;

  /// dim: 1 to 65,536.
  Rotation(std::size_t dim, std::uint64_t seed);

  std::size_t dim() const { return dim_; }
  /// `dim` rounded up to a multiple of 16.
  std::size_t padded_dim() const { return padded_dim_; }

  /// `in`: dim values. `out`: padded_dim values; may not overlap `in`.
  void Apply(std::span<const float> in, std::span<float> out) const;

 private:
  std::size_t dim_;
  std::size_t padded_dim_;
  std::size_t window_;               // 2^m
  float scale_;                      // of one transform: 2^(-m/2)
  std::vector<std::uint8_t> signs_;  // kRounds bit sets of padded_dim bits each
};

}  // namespace firn::index
