#include "simd/distance.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "simd/kernels.h"

namespace firn::simd {
namespace {

struct RandomRows {
  std::vector<float> query;
  std::vector<std::uint8_t> bytes;  // one byte of slack in front: rows need no alignment
};

std::uint16_t SomeHalf(Random& random) {
  const auto exponent = static_cast<std::uint16_t>(random.Below(20));  // subnormals too; below 2^5
  return static_cast<std::uint16_t>(random.Below(2) << 15 | exponent << 10 | random.Below(1024));
}

RandomRows MakeRows(Random& random, Element element, std::size_t dim, std::size_t count) {
  RandomRows made;
  for (std::size_t i = 0; i < dim; i++) made.query.push_back(static_cast<float>(random.Unit() * 4 - 2));
  std::string bytes(1, '\0');
  for (std::size_t i = 0; i < dim * count; i++) {
    switch (element) {
      case Element::kF32:
        AppendLe(bytes, static_cast<float>(random.Unit() * 4 - 2));
        break;
      case Element::kF64:
        AppendLe(bytes, random.Unit() * 4 - 2);
        break;
      case Element::kF16:
        AppendLe(bytes, SomeHalf(random));
        break;
      case Element::kU8:
        AppendLe(bytes, static_cast<std::uint8_t>(random.Below(256)));
        break;
      case Element::kI8:
        AppendLe(bytes, static_cast<std::int8_t>(random.Below(256) - 128));
        break;
    }
  }
  made.bytes.assign(bytes.begin(), bytes.end());
  return made;
}

constexpr InstructionSet kEverySet[] = {InstructionSet::kScalar, InstructionSet::kNeon, InstructionSet::kAvx2,
                                        InstructionSet::kAvx512};
constexpr Element kAllElements[] = {Element::kF32, Element::kF16, Element::kF64, Element::kU8, Element::kI8};

TEST(Distances, EveryInstructionSetAgreesWithScalarOnRandomInput) {
  Random random(7);
  std::size_t compared = 0;
  for (const KernelTable* table : {Avx2Kernels(), Avx512Kernels(), NeonKernels()}) {
    if (table == nullptr) continue;
    for (const Element element : kAllElements) {
      for (const std::size_t dim : {1U, 2U, 3U, 7U, 8U, 15U, 16U, 17U, 31U, 33U, 64U, 100U, 127U, 384U, 784U, 1025U}) {
        const RandomRows rows = MakeRows(random, element, dim, 5);
        for (std::size_t metric = 0; metric < kFloatMetrics; metric++) {
          float expected[5];
          float actual[5];
          ScalarKernels().kernels[metric][static_cast<std::size_t>(element)](rows.query.data(), dim,
                                                                             rows.bytes.data() + 1, 5, expected);
          table->kernels[metric][static_cast<std::size_t>(element)](rows.query.data(), dim, rows.bytes.data() + 1, 5,
                                                                    actual);
          // Rounding grows with the sum of magnitudes, not with the sum.
          float magnitude = 1;
          for (const float value : rows.query) magnitude += std::abs(value) * 256;
          for (int i = 0; i < 5; i++) {
            ASSERT_NEAR(actual[i], expected[i], 1e-5F * magnitude + 1e-5F * std::abs(expected[i]))
                << table->name << " metric " << metric << " element " << static_cast<int>(element) << " dim " << dim;
            compared++;
          }
        }
      }
    }
  }
  EXPECT_GT(compared + (Avx2Kernels() == nullptr && NeonKernels() == nullptr ? 1 : 0), 0U);
}

TEST(Distances, FollowTheFormulas) {
  const std::vector<float> query = {1, 2, 2};
  const std::vector<float> rows = {1, 2, 2, 0, 0, 0, -1, -2, -2, 2, 0, 1};
  std::vector<float> distances(4);
  Distances(Metric::kL2, Element::kF32, query, rows.data(), 4, distances);
  EXPECT_EQ(distances, (std::vector<float>{0, 9, 36, 6}));
  Distances(Metric::kDot, Element::kF32, query, rows.data(), 4, distances);
  EXPECT_EQ(distances, (std::vector<float>{-8, 1, 10, -3}));
  Distances(Metric::kCosine, Element::kF32, query, rows.data(), 4, distances);
  EXPECT_NEAR(distances[0], 0, 1e-6);
  EXPECT_NEAR(distances[1], 1, 1e-6) << "a zero vector is at distance 1";
  EXPECT_NEAR(distances[2], 2, 1e-6);
  EXPECT_NEAR(distances[3], 1 - 4 / (3 * std::sqrt(5.0)), 1e-6);
}

TEST(Distances, HammingCountsDifferingBits) {
  const std::vector<std::uint8_t> rows = {0xFF, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<float> query = {0, 0, 1, 2, 3, 4, 5, 6, 7};
  std::vector<float> distances(2);
  Distances(Metric::kHamming, Element::kU8, query, rows.data(), 2, distances);
  EXPECT_EQ(distances, (std::vector<float>{8, 0}));
}

TEST(Distances, HalvesWidenExactly) {
  const std::vector<std::uint16_t> rows = {0x3C00, 0xC000, 0x0001, 0x7BFF};  // 1, -2, 2^-24, 65504
  const std::vector<float> query = {1};
  std::vector<float> expected = {0, 3, 1 - 0x1.0p-24F, -65503};
  for (const InstructionSet set : kEverySet) {
    AllowUpTo(set);
    std::vector<float> distances(4);
    Distances(Metric::kDot, Element::kF16, query, rows.data(), 4, distances);
    EXPECT_EQ(distances, expected);
  }
}

TEST(Distances, NoWiderInstructionSetIsUsedThanIsAllowed) {
  AllowUpTo(InstructionSet::kAvx512);
  const InstructionSet widest = ParseInstructionSet(ActiveInstructionSet()).value();
  EXPECT_EQ(widest == InstructionSet::kNeon, NeonKernels() != nullptr);
  for (const InstructionSet set : kEverySet) {
    AllowUpTo(set);
    const InstructionSet active = ParseInstructionSet(ActiveInstructionSet()).value();
    EXPECT_LE(active, set);
    EXPECT_EQ(active == widest, set >= widest);
  }
  EXPECT_FALSE(ParseInstructionSet("mmx").has_value());
}

TEST(TopK, KeepsTheNearestAndBreaksTiesByRow) {
  TopK top(3);
  EXPECT_EQ(top.Bound(), std::numeric_limits<float>::infinity());
  top.Offer(5, 9);
  top.Offer(1, 8);
  top.Offer(5, 2);
  top.Offer(NAN, 1);
  top.Offer(5, 3);
  top.Offer(7, 0);
  EXPECT_EQ(top.Bound(), 5);
  EXPECT_EQ(top.Take(), (std::vector<Hit>{{1, 8}, {5, 2}, {5, 3}}));
}

TEST(TopK, EqualsSortingOnRandomInput) {
  Random random(3);
  for (int round = 0; round < 50; round++) {
    const std::size_t k = random.Below(20);
    TopK top(k);
    std::vector<Hit> all;
    for (std::uint64_t row = 0; row < random.Below(200); row++) {
      all.push_back({static_cast<float>(random.Below(30)), row});
      top.Offer(all.back().distance, row);
    }
    std::ranges::sort(all);
    all.resize(std::min(k, all.size()));
    EXPECT_EQ(top.Take(), all);
  }
}

TEST(Metric, NamesParseBack) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot, Metric::kHamming}) {
    EXPECT_EQ(ParseMetric(NameOf(metric)).value(), metric);
  }
  EXPECT_EQ(ParseMetric("manhattan").error().kind, ErrorKind::kInvalidArgument);
}

TEST(Distances, OneRowAtATimeIsTheSame) {
  std::vector<float> query(37), rows(5 * 37);
  for (std::size_t i = 0; i < query.size(); i++) query[i] = static_cast<float>(i % 7) - 3;
  for (std::size_t i = 0; i < rows.size(); i++) rows[i] = static_cast<float>(i * 31 % 17) - 8;
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    std::vector<float> distances(5);
    Distances(metric, Element::kF32, query, rows.data(), 5, distances);
    const DistanceFrom distance(metric, Element::kF32, query);
    for (std::size_t row = 0; row < 5; row++)
      EXPECT_EQ(distance(rows.data() + row * 37), distances[row]) << NameOf(metric);
  }
}

}  // namespace
}  // namespace firn::simd
