#include "simd/neighbours.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "simd/distance.h"
#include "simd/neighbours_kernels.h"

namespace firn::simd {
namespace {

std::vector<const NeighbourKernels*> VectorKernels() {
  std::vector<const NeighbourKernels*> tables;
  for (const NeighbourKernels* table : {Avx2NeighbourKernels(), Avx512NeighbourKernels(), NeonNeighbourKernels()}) {
    if (table != nullptr) tables.push_back(table);
  }
  return tables;
}

float Widened(std::uint16_t half) {
  float distance = 0;
  const float zero = 0;
  Distances(Metric::kL2, Element::kF16, {&zero, 1}, &half, 1, {&distance, 1});
  return std::sqrt(distance) * ((half & 0x8000U) != 0 ? -1.0F : 1.0F);
}

TEST(Neighbours, EveryInstructionSetEstimatesTheSame) {
  std::mt19937 random(1);
  for (const std::size_t groups : {16UL, 64UL, 96UL, 256UL}) {
    std::vector<std::uint8_t> block(groups * 16 + kNeighbourFactorBytes), table(groups * 16);
    for (auto& byte : block) byte = static_cast<std::uint8_t>(random());
    for (auto& byte : table) byte = groups == 256 ? 255 : static_cast<std::uint8_t>(random());
    for (std::size_t i = 0; i < 2 * kBlockCodes; i++) {
      const std::uint16_t half = HalfOf(static_cast<float>(random() % 1000) / 250.0F - 1.0F);
      std::memcpy(&block[groups * 16 + 2 * i], &half, 2);
    }
    float wanted[kBlockCodes], got[kBlockCodes];
    const auto& scalar = ScalarNeighbourKernels();
    scalar.estimate(block.data(), groups, table.data(), 0.001F, -3.0F, 2.0F, 0, wanted);
    for (const NeighbourKernels* kernels : VectorKernels()) {
      const float bound = wanted[7] + 0.01F;
      const std::uint32_t below =
          kernels->estimate(block.data(), groups, table.data(), 0.001F, -3.0F, 2.0F, bound, got);
      for (std::size_t i = 0; i < kBlockCodes; i++) {
        EXPECT_NEAR(got[i], wanted[i], 1e-3F);
        EXPECT_EQ((below >> i & 1U) != 0, got[i] < bound);
      }
    }
  }
}

TEST(Neighbours, EveryInstructionSetMultipliesBytesExactly) {
  std::mt19937 random(2);
  for (const std::size_t dim : {64UL, 256UL, 832UL}) {
    std::vector<std::int8_t> rows(11 * dim), query(dim);
    for (auto& value : rows) value = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    for (auto& value : query) value = static_cast<std::int8_t>(random() % 2 == 0 ? 127 : -127);
    for (std::size_t i = 0; i < dim; i++) rows[i] = query[i];
    std::vector<std::int32_t> wanted(11), got(11);
    ScalarNeighbourKernels().dot_signed_bytes(rows.data(), 11, dim, query.data(), wanted.data());
    EXPECT_EQ(wanted[0], static_cast<std::int32_t>(127 * 127 * dim));
    for (const NeighbourKernels* kernels : VectorKernels()) {
      kernels->dot_signed_bytes(rows.data(), 11, dim, query.data(), got.data());
      EXPECT_EQ(got, wanted);
    }
  }
}

TEST(Neighbours, HalvesAreRoundedToNearestAndCut) {
  EXPECT_EQ(HalfOf(1.0F), 0x3C00);
  EXPECT_EQ(HalfOf(-2.0F), 0xC000);
  EXPECT_EQ(HalfOf(1e9F), 0x7BFF);
  EXPECT_EQ(HalfOf(0.0F), 0);
  EXPECT_EQ(HalfOf(0x1.0p-24F), 1);
  EXPECT_EQ(HalfOf(1.0F + 0x1.0p-11F), 0x3C00);  // a tie goes to the even one
  EXPECT_EQ(HalfOf(1.0F + 3 * 0x1.0p-11F), 0x3C02);
  for (float value = 0.0001F; value < 60000.0F; value *= 1.37F)
    EXPECT_NEAR(Widened(HalfOf(value)), value, value * 0x1.0p-11F);
}

}  // namespace
}  // namespace firn::simd
