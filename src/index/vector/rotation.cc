#include "index/vector/rotation.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/random.h"
#include "simd/quantised.h"

namespace firn::index {

Rotation::Rotation(std::size_t dim, std::uint64_t seed)
    : dim_(dim),
      padded_dim_((std::max<std::size_t>(dim, 1) + 15) / 16 * 16),
      window_(std::bit_floor(padded_dim_)),
      scale_(1.0F / std::sqrt(static_cast<float>(window_))),
      signs_(kRounds * padded_dim_ / 8) {
  Random random(seed);
  for (std::uint8_t& byte : signs_) byte = static_cast<std::uint8_t>(random.Next() >> 56);
}

void Rotation::Apply(std::span<const float> in, std::span<float> out) const {
  std::ranges::copy(in, out.begin());
  std::fill(out.begin() + static_cast<std::ptrdiff_t>(dim_), out.end(), 0.0F);
  const auto transform = [&](std::span<float> window) {
    simd::Hadamard(window);
    for (float& value : window) value *= scale_;
  };
  for (std::size_t round = 0; round < kRounds; round++) {
    simd::FlipSigns(out, signs_.data() + round * padded_dim_ / 8);
    transform(out.first(window_));
    if (window_ != padded_dim_) transform(out.last(window_));
  }
}

}  // namespace firn::index
