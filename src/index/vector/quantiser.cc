#include "index/vector/quantiser.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "simd/distance.h"
#include "simd/quantised.h"

namespace firn::index {
namespace {

float Dot(std::span<const float> a, std::span<const float> b) {
  float result = 0;
  simd::DotMatrix(a.data(), 1, b.data(), 1, a.size(), &result);
  return result;
}

/// The scale whose levels lie nearest to the residual's direction. Best near 1 / 2.9 of the levels a standard deviation
/// for Gaussian values; a few steps around it find nearly all there is to find.
float BestScale(std::span<const float> residual, float norm) {
  const float deviation = norm / std::sqrt(static_cast<float>(residual.size()));
  constexpr std::array<float, 7> kDeviations = {2.2F, 2.5F, 2.75F, 3.0F, 3.3F, 3.7F, 4.3F};
  float best = 0;
  float best_cosine2 = -1;
  for (const float deviations : kDeviations) {
    const float scale = 16.0F / (deviations * deviation);
    const simd::LevelFit fit = simd::QuantiseLevels(residual, scale, nullptr);
    const float cosine2 = fit.product > 0 ? fit.product * fit.product / fit.norm2 : 0;
    if (cosine2 > best_cosine2) {
      best_cosine2 = cosine2;
      best = scale;
    }
  }
  return best;
}

}  // namespace

RowCode RowEncoder::Encode(std::span<const float> residual, std::span<const float> centroid, std::uint8_t* bits,
                           std::uint8_t* nibbles) {
  const std::size_t dims = residual.size();
  simd::SignBits(residual, bits);
  const float norm2 = Dot(residual, residual);
  const float norm = std::sqrt(norm2);
  RowCode code;
  if (!(norm2 > 0)) {  // the row is its centroid
    std::fill(nibbles, nibbles + dims, std::uint8_t{0});
    return code;
  }

  for (std::size_t i = 0; i < dims; i++) centred_[i] = residual[i] >= 0 ? 0.5F : -0.5F;
  const float product = Dot(centred_, residual);
  code.bit.scale = -2 * norm2 / product;
  code.bit.add = norm2 - code.bit.scale * Dot(centred_, centroid);
  const float cosine = product / (norm * std::sqrt(static_cast<float>(dims)) / 2);
  code.bit.error =
      2 * norm * std::sqrt(std::max(0.0F, 1 - cosine * cosine)) / cosine / std::sqrt(static_cast<float>(dims - 1));

  const float scale = BestScale(residual, norm);
  const simd::LevelFit fit = simd::QuantiseLevels(residual, scale, nibbles);
  for (std::size_t i = 0; i < dims; i++) {
    centred_[i] = static_cast<float>(nibbles[i]) - 15.5F;
    nibbles[i] &= 15;
  }
  code.level.scale = -2 * norm2 / fit.product;
  code.level.add = norm2 - code.level.scale * Dot(centred_, centroid);
  return code;
}

}  // namespace firn::index
