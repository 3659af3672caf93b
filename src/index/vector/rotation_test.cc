#include "index/vector/rotation.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "index/vector/segment_testing.h"

namespace firn::index {
namespace {

std::vector<float> RandomVector(std::size_t dims, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> vector(dims);
  for (float& value : vector) value = Normal(random);
  return vector;
}

std::vector<float> Rotate(std::size_t dims, std::uint64_t seed, std::span<const float> vector) {
  const Rotation rotation(dims, seed);
  std::vector<float> out(rotation.padded_dim());
  rotation.Apply(vector, out);
  return out;
}

double Dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); i++) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

/// docs/FORMAT.md, word by word, in doubles and without a fast transform.
std::vector<double> RotateAsWritten(std::span<const float> vector, std::uint64_t seed) {
  const std::size_t d = (vector.size() + 15) / 16 * 16;
  const std::size_t window = std::bit_floor(d);
  std::vector<double> x(vector.begin(), vector.end());
  x.resize(d, 0.0);
  std::uint64_t state = seed;
  const auto next = [&] {
    std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  };
  const auto transform = [&](std::size_t from) {
    std::vector<double> y(window, 0.0);
    for (std::size_t i = 0; i < window; i++) {
      for (std::size_t j = 0; j < window; j++) y[i] += (std::popcount(i & j) % 2 == 0 ? 1 : -1) * x[from + j];
    }
    for (std::size_t i = 0; i < window; i++) x[from + i] = y[i] / std::sqrt(static_cast<double>(window));
  };
  for (int round = 0; round < 3; round++) {
    for (std::size_t byte = 0; byte < d / 8; byte++) {
      const std::uint64_t signs = next() >> 56;
      for (std::size_t bit = 0; bit < 8; bit++) {
        if ((signs >> bit & 1) != 0) x[8 * byte + bit] *= -1;
      }
    }
    transform(0);
    if (window != d) transform(d - window);
  }
  return x;
}

TEST(Rotation, KeepsInnerProductsAndLengths) {
  for (const std::size_t dims : {1, 2, 3, 15, 16, 17, 33, 100, 784, 1000, 8192}) {
    const auto a = RandomVector(dims, dims), b = RandomVector(dims, dims + 1);
    const auto ra = Rotate(dims, 5, a), rb = Rotate(dims, 5, b);
    const double scale = std::sqrt(Dot(a, a) * Dot(b, b));
    EXPECT_NEAR(Dot(ra, rb), Dot(a, b), 1e-5 * scale) << dims;
    EXPECT_NEAR(Dot(ra, ra), Dot(a, a), 1e-5 * Dot(a, a)) << dims;
  }
}

TEST(Rotation, IsTheOneThatTheFormatDescribes) {
  for (const std::size_t dims : {1, 2, 16, 17, 33, 100, 300}) {
    const auto vector = RandomVector(dims, 3);
    const auto fast = Rotate(dims, 0xF1F2F3F4F5F6F7F8ULL, vector);
    const auto slow = RotateAsWritten(vector, 0xF1F2F3F4F5F6F7F8ULL);
    ASSERT_EQ(fast.size(), slow.size());
    for (std::size_t i = 0; i < fast.size(); i++) EXPECT_NEAR(fast[i], slow[i], 1e-4) << dims << " " << i;
  }
}

TEST(Rotation, OfASeedNeverChanges) {
  const std::vector<float> vector = {1, 2, 4, 8, 16};
  // Windows of 16 values: sums of halves, quarters and eighths, so without rounding.
  EXPECT_EQ(Rotate(5, 42, vector), (std::vector<float>{-4.125F, -2.625F, 4.5F, 4.25F, -2.75F, 9.5F, -6.125F, 4.875F,
                                                       1.875F, 5.625F, -1.5F, -6.5F, 0.5F, 2.0F, -5.375F, -2.625F}));
  EXPECT_NE(Rotate(5, 42, vector), Rotate(5, 43, vector));
}

TEST(Rotation, SpreadsAVectorOfOneValueOverAllOthers) {
  for (const std::size_t dims : {64, 100, 784, 1536}) {
    for (const std::size_t at : {std::size_t{0}, dims / 2, dims - 1}) {
      std::vector<float> unit(dims, 0.0F);
      unit[at] = 1;
      float largest = 0;
      for (const float value : Rotate(dims, 9, unit)) largest = std::max(largest, std::abs(value));
      EXPECT_LT(largest, 8 / std::sqrt(static_cast<float>(dims))) << dims << " " << at;
    }
  }
}

TEST(Rotation, TakesDimensionsUpTo65536) {
  const Rotation small(1, 1), large(65'536, 1);
  EXPECT_EQ(small.padded_dim(), 16U);
  EXPECT_EQ(large.padded_dim(), 65'536U);
}

}  // namespace
}  // namespace firn::index
