#include "index/vector/quantiser.h"

#include <gtest/gtest.h>

#include <cmath>

#include "index/vector/rotation.h"
#include "index/vector/segment_testing.h"

namespace firn::index {
namespace {

struct Estimated {
  double truth = 0;  // |x - q|^2
  double by_bit = 0;
  double by_level = 0;
  double error = 0;     // one deviation of by_bit, by the code's own bound
  double distance = 0;  // |q - c|
};

/// A random row, centroid and query of the table's own frame, a new rotation, and what the code estimates.
Estimated Try(std::size_t dims, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> o(dims), q(dims), zero(dims, 0.0F);
  for (float& value : o) value = Normal(random);
  // The query lies near the row as seen from the centroid, as near neighbours do.
  for (std::size_t i = 0; i < dims; i++) q[i] = 0.5F * o[i] + Normal(random);
  const Rotation rotation(dims, random.Next());
  const std::size_t d = rotation.padded_dim();
  std::vector<float> residual(d), query(d), centroid(d);
  rotation.Apply(o, residual);
  rotation.Apply(q, query);  // relative to the centroid, so far
  for (std::size_t i = 0; i < d; i++) {
    centroid[i] = Normal(random);
    query[i] += centroid[i];
  }
  std::vector<std::uint8_t> bits(d / 8), nibbles(d);
  const RowCode code = RowEncoder(d).Encode(residual, centroid, bits.data(), nibbles.data());

  Estimated out;
  double by_bit = 0, by_level = 0, distance2 = 0;
  for (std::size_t i = 0; i < d; i++) {
    const unsigned bit = bits[i / 8] >> (i % 8) & 1;
    EXPECT_LT(nibbles[i], 16);
    by_bit += (bit - 0.5) * static_cast<double>(query[i]);
    by_level += (16.0 * bit + nibbles[i] - 15.5) * static_cast<double>(query[i]);
    const double qc = static_cast<double>(query[i]) - static_cast<double>(centroid[i]);
    distance2 += qc * qc;
    const double xq = static_cast<double>(residual[i]) - qc;
    out.truth += xq * xq;
  }
  out.by_bit = distance2 + static_cast<double>(code.bit.add) + static_cast<double>(code.bit.scale) * by_bit;
  out.by_level = distance2 + static_cast<double>(code.level.add) + static_cast<double>(code.level.scale) * by_level;
  out.distance = std::sqrt(distance2);
  out.error = static_cast<double>(code.bit.error) * out.distance;
  return out;
}

constexpr std::size_t kDims[] = {2, 3, 16, 17, 100, 784, 8192};

int TriesFor(std::size_t dims) { return dims > 1000 ? 60 : 1000; }

TEST(Quantiser, EstimatesAreWithoutBias) {
  for (const std::size_t dims : kDims) {
    double bit = 0, level = 0;
    const int tries = TriesFor(dims);
    for (int i = 0; i < tries; i++) {
      const Estimated e = Try(dims, static_cast<std::uint64_t>(i) * 1000 + dims);
      bit += (e.by_bit - e.truth) / e.error;
      level += (e.by_level - e.truth) / (e.error * static_cast<double>(kLevelErrorRatio));
    }
    // A mean of so many deviations is off by one over their square root.
    EXPECT_LT(std::abs(bit / tries), 4 / std::sqrt(tries)) << dims;
    EXPECT_LT(std::abs(level / tries), 4 / std::sqrt(tries)) << dims;
  }
}

TEST(Quantiser, ErrorsExceedTheBoundAsRarelyAsPromised) {
  for (const std::size_t dims : kDims) {
    const int tries = TriesFor(dims);
    int within[2][3] = {};  // by bit, by level; of 1, 1.9 and 4 times the bound
    for (int i = 0; i < tries; i++) {
      const Estimated e = Try(dims, static_cast<std::uint64_t>(i) * 1000 + dims);
      const double off[2] = {std::abs(e.by_bit - e.truth) / e.error,
                             std::abs(e.by_level - e.truth) / (e.error * static_cast<double>(kLevelErrorRatio))};
      for (int which = 0; which < 2; which++) {
        within[which][0] += off[which] <= 1;
        within[which][1] += off[which] <= 1.9;
        within[which][2] += off[which] <= 4;
      }
    }
    const double noise = 2 / std::sqrt(tries);
    for (int which = 0; which < 2; which++) {
      EXPECT_GT(within[which][0], (0.68 - noise) * tries) << dims << " " << which;
      EXPECT_GT(within[which][1], (0.94 - noise / 2) * tries) << dims << " " << which;
      EXPECT_GE(within[which][2], 0.996 * tries) << dims << " " << which;
    }
  }
}

TEST(Quantiser, ARowThatIsItsCentroidIsEstimatedExactly) {
  const std::vector<float> zero(32, 0.0F), centroid(32, 3.0F);
  std::vector<std::uint8_t> bits(4, 0xAA), nibbles(32, 0xAA);
  const RowCode code = RowEncoder(32).Encode(zero, centroid, bits.data(), nibbles.data());
  for (const float factor : {code.bit.add, code.bit.scale, code.bit.error, code.level.add, code.level.scale})
    EXPECT_EQ(factor, 0);
  EXPECT_EQ(nibbles, std::vector<std::uint8_t>(32, 0));
}

TEST(Quantiser, TinyAndHugeResidualsHaveFiniteFactors) {
  for (const float size : {1e-22F, 1e-10F, 1e10F, 1e17F}) {
    std::vector<float> residual(64), centroid(64, size);
    for (std::size_t i = 0; i < residual.size(); i++) residual[i] = (i % 3 == 0 ? -1.0F : 0.7F) * size;
    std::vector<std::uint8_t> bits(8), nibbles(64);
    const RowCode code = RowEncoder(64).Encode(residual, centroid, bits.data(), nibbles.data());
    for (const float factor : {code.bit.add, code.bit.scale, code.bit.error, code.level.add, code.level.scale})
      EXPECT_TRUE(std::isfinite(factor)) << size;
  }
}

}  // namespace
}  // namespace firn::index
