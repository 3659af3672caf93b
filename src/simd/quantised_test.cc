#include "simd/quantised.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "simd/distance.h"
#include "simd/quantised_kernels.h"

namespace firn::simd {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Floats = std::vector<float>;

const QuantisedKernels& Scalar() { return ScalarQuantisedKernels(); }

/// Every set that this machine has, and the scalar one: what holds by definition holds for all.
std::vector<const QuantisedKernels*> AllTables() {
  std::vector<const QuantisedKernels*> tables = {&Scalar()};
  for (const QuantisedKernels* table : {Avx2QuantisedKernels(), Avx512QuantisedKernels(), NeonQuantisedKernels()}) {
    if (table != nullptr) tables.push_back(table);
  }
  return tables;
}

std::vector<const QuantisedKernels*> VectorTables() {
  std::vector<const QuantisedKernels*> tables = AllTables();
  tables.erase(tables.begin());
  return tables;
}

Bytes RandomBytes(Random& random, std::size_t size, std::uint64_t below = 256) {
  Bytes bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.Below(below));
  return bytes;
}

Floats RandomFloats(Random& random, std::size_t size, double most = 2) {
  Floats floats(size);
  for (float& value : floats) value = static_cast<float>((random.Unit() * 2 - 1) * most);
  return floats;
}

std::vector<std::int8_t> RandomQuery8(Random& random, std::size_t size) {
  std::vector<std::int8_t> query(size);
  for (std::int8_t& value : query) value = static_cast<std::int8_t>(static_cast<int>(random.Below(255)) - 127);
  return query;
}

float MagnitudeOf(const Floats& values) {
  float sum = 0;
  for (const float value : values) sum += std::abs(value);
  return sum;
}

/// Multiples of `unit` around every lane width, and some large ones.
std::vector<std::size_t> Sizes(std::size_t unit) {
  std::vector<std::size_t> sizes;
  for (std::size_t i = 1; i <= 40; i++) sizes.push_back(i * unit);
  for (const std::size_t size : {384U, 400U, 720U, 768U, 784U, 1008U, 1040U, 1536U, 2064U, 4112U, 8192U}) {
    sizes.push_back(size / unit * unit);
  }
  return sizes;
}

// ---- rotation ----

TEST(QuantisedKernels, HadamardFollowsItsDefinition) {
  Random random(1);
  for (const std::size_t size : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 512U}) {
    const Floats values = RandomFloats(random, size);
    for (const QuantisedKernels* table : AllTables()) {
      Floats actual = values;
      table->hadamard(actual.data(), size);
      for (std::size_t i = 0; i < size; i++) {
        double expected = 0;
        for (std::size_t j = 0; j < size; j++) expected += (std::popcount(i & j) % 2 == 0 ? 1 : -1) * values[j];
        ASSERT_NEAR(actual[i], expected, 1e-6 * MagnitudeOf(values)) << table->name << " size " << size << " at " << i;
      }
    }
  }
}

TEST(QuantisedKernels, HadamardEqualsTheScalarOneToTheLastBitAndIsItsOwnInverse) {
  Random random(2);
  for (std::size_t size = 1; size <= 65536; size *= 2) {
    const Floats values = RandomFloats(random, size);
    Floats expected = values;
    Scalar().hadamard(expected.data(), size);
    for (const QuantisedKernels* table : AllTables()) {
      Floats actual = values;
      table->hadamard(actual.data(), size);
      ASSERT_EQ(actual, expected) << table->name << " size " << size;
      table->hadamard(actual.data(), size);
      for (std::size_t i = 0; i < size; i++) {
        ASSERT_NEAR(actual[i] / static_cast<float>(size), values[i], 1e-5) << table->name << " size " << size;
      }
    }
  }
}

TEST(QuantisedKernels, FlippedSignsAreThoseOfTheSetBits) {
  Random random(3);
  for (std::size_t size = 0; size <= 100; size++) {
    const Floats values = RandomFloats(random, size);
    const Bytes signs = RandomBytes(random, (size + 7) / 8);
    for (const QuantisedKernels* table : AllTables()) {
      Floats actual = values;
      table->flip_signs(actual.data(), size, signs.data());
      for (std::size_t i = 0; i < size; i++) {
        ASSERT_EQ(actual[i], (signs[i / 8] >> (i % 8) & 1) != 0 ? -values[i] : values[i]) << table->name << " " << size;
      }
    }
  }
}

// ---- one-bit codes ----

std::vector<std::uint32_t> Scan(const QuantisedKernels& kernels, const Bytes& codes, std::size_t stride,
                                std::size_t blocks, std::size_t groups, const Bytes& table) {
  std::vector<std::uint32_t> sums(blocks * kBlockCodes, 12345);
  kernels.scan_blocks(codes.data(), stride, blocks, groups, table.data(), sums.data());
  return sums;
}

TEST(QuantisedKernels, ScanOfBlocksEqualsTheScalarOne) {
  Random random(4);
  for (const std::size_t groups : Sizes(1)) {
    for (const std::size_t blocks : {0U, 1U, 2U, 3U, 5U}) {
      const std::size_t gap = random.Below(40);
      const std::size_t stride = groups * 16 + gap;
      const Bytes codes = RandomBytes(random, blocks == 0 ? 0 : blocks * stride - gap);
      const Bytes table = RandomBytes(random, groups * 16);
      const auto expected = Scan(Scalar(), codes, stride, blocks, groups, table);
      for (const QuantisedKernels* kernels : VectorTables()) {
        ASSERT_EQ(Scan(*kernels, codes, stride, blocks, groups, table), expected)
            << kernels->name << " groups " << groups << " blocks " << blocks;
      }
    }
  }
}

TEST(QuantisedKernels, ScanOfTheLargestEntriesDoesNotOverflow) {
  for (const std::size_t groups : {256U, 257U, 258U, 511U, 512U, 513U, 514U, 515U, 1024U, 2048U, 5000U}) {
    const Bytes table(groups * 16, 255);
    const Bytes codes(groups * 16, 0x5A);
    for (const QuantisedKernels* kernels : AllTables()) {
      EXPECT_EQ(Scan(*kernels, codes, groups * 16, 1, groups, table),
                std::vector<std::uint32_t>(kBlockCodes, static_cast<std::uint32_t>(groups) * 255))
          << kernels->name << " groups " << groups;
    }
  }
}

TEST(QuantisedKernels, PackedBlocksEqualTheScalarOnes) {
  Random random(5);
  for (const std::size_t groups : Sizes(2)) {
    for (const std::size_t count : {0U, 1U, 15U, 16U, 17U, 31U, 32U}) {
      const Bytes bits = RandomBytes(random, count * groups / 2);
      Bytes expected(groups * 16, 0xEE);
      Scalar().pack_block(bits.data(), count, groups, expected.data());
      for (const QuantisedKernels* kernels : VectorTables()) {
        Bytes actual(groups * 16, 0xEE);
        kernels->pack_block(bits.data(), count, groups, actual.data());
        ASSERT_EQ(actual, expected) << kernels->name << " groups " << groups << " count " << count;
      }
    }
  }
}

/// What a code's bits select of the query, in double.
double SelectedSum(const Floats& query, const std::uint8_t* bits) {
  double sum = 0;
  for (std::size_t i = 0; i < query.size(); i++) sum += (bits[i / 8] >> (i % 8) & 1) != 0 ? query[i] : 0;
  return sum;
}

TEST(QuantisedKernels, APackedAndScannedBlockGivesTheInnerProductsOfItsBits) {
  Random random(6);
  for (const std::size_t dim : Sizes(8)) {
    const std::size_t groups = dim / 4;
    const std::size_t count = 1 + random.Below(kBlockCodes);
    const Floats query = RandomFloats(random, dim);
    const Bytes bits = RandomBytes(random, count * dim / 8);
    for (const QuantisedKernels* kernels : AllTables()) {
      Bytes block(groups * 16), table(groups * 16);
      kernels->pack_block(bits.data(), count, groups, block.data());
      const TableScale scale = kernels->build_table(query.data(), groups, table.data());
      const auto sums = Scan(*kernels, block, groups * 16, 1, groups, table);
      const double bound = static_cast<double>(groups) * scale.step / 2 + 0x1p-20 * MagnitudeOf(query);
      for (std::size_t i = 0; i < count; i++) {
        ASSERT_NEAR(sums[i] * static_cast<double>(scale.step) + scale.bias,
                    SelectedSum(query, bits.data() + i * dim / 8), bound)
            << kernels->name << " dim " << dim << " code " << i;
      }
    }
  }
}

TEST(QuantisedKernels, ScanAddsTheEntriesThatTheBitsSelect) {
  Random random(7);
  const std::size_t groups = 50;
  const Bytes bits = RandomBytes(random, 32 * groups / 2);
  const Bytes table = RandomBytes(random, groups * 16);
  for (const QuantisedKernels* kernels : AllTables()) {
    Bytes block(groups * 16);
    kernels->pack_block(bits.data(), 32, groups, block.data());
    const auto sums = Scan(*kernels, block, groups * 16, 1, groups, table);
    for (std::size_t i = 0; i < 32; i++) {
      std::uint32_t expected = 0;
      for (std::size_t g = 0; g < groups; g++) {
        expected += table[g * 16 + (bits[i * groups / 2 + g / 2] >> (g % 2 * 4) & 15)];
      }
      ASSERT_EQ(sums[i], expected) << kernels->name << " code " << i;
    }
  }
}

TEST(QuantisedKernels, TablesEqualTheScalarOnesToTheLastBit) {
  Random random(8);
  for (const std::size_t dim : Sizes(4)) {
    for (const double most : {1e-3, 1.0, 1e6}) {
      Floats query = RandomFloats(random, dim, most);
      if (random.Below(4) == 0) query[random.Below(dim)] = 0;
      Bytes expected(dim * 4), actual(dim * 4);
      const TableScale scale = Scalar().build_table(query.data(), dim / 4, expected.data());
      EXPECT_EQ(*std::ranges::max_element(expected), 255);
      for (const QuantisedKernels* kernels : VectorTables()) {
        const TableScale other = kernels->build_table(query.data(), dim / 4, actual.data());
        ASSERT_EQ(actual, expected) << kernels->name << " dim " << dim;
        ASSERT_EQ(other.step, scale.step) << kernels->name << " dim " << dim;
        ASSERT_EQ(other.bias, scale.bias) << kernels->name << " dim " << dim;
      }
    }
  }
}

TEST(QuantisedKernels, ATableOfNothingIsAllZeros) {
  for (const QuantisedKernels* kernels : AllTables()) {
    for (const float value : {0.0F, -0.0F, 1e-35F, -1e-40F}) {
      const Floats query(28, value);
      Bytes table(28 * 4, 77);
      const TableScale scale = kernels->build_table(query.data(), 7, table.data());
      EXPECT_EQ(table, Bytes(28 * 4, 0)) << kernels->name;
      EXPECT_EQ(scale.step, 0);
      EXPECT_NEAR(scale.bias, 0, 1e-30);
    }
    EXPECT_EQ(kernels->build_table(nullptr, 0, nullptr).step, 0);
  }
}

struct Kept {
  std::vector<std::uint32_t> positions;
  Floats lower;
  bool operator==(const Kept&) const = default;
};

struct Estimates {
  std::vector<std::uint32_t> sums;
  Floats add, scale, error;
};

Kept Keep(const QuantisedKernels& kernels, const Estimates& of, float bound) {
  const std::size_t count = of.sums.size();
  Kept kept{std::vector<std::uint32_t>(count), Floats(count)};
  const std::size_t found = kernels.keep_below(of.sums.data(), of.add.data(), of.scale.data(), of.error.data(), 0.37F,
                                               -1.5F, 1.9F, count, bound, kept.positions.data(), kept.lower.data());
  kept.positions.resize(found);
  kept.lower.resize(found);
  return kept;
}

TEST(QuantisedKernels, KeptEstimatesAreThoseBelowTheBoundOnEverySet) {
  Random random(9);
  for (std::size_t count = 0; count <= 100; count++) {
    Estimates of;
    for (std::size_t i = 0; i < count; i++) of.sums.push_back(static_cast<std::uint32_t>(random.Below(50000)));
    of.add = RandomFloats(random, count, 1000);
    of.scale = RandomFloats(random, count, 0.1);
    of.error = RandomFloats(random, count, 30);
    if (count > 10) of.add[random.Below(count)] = NAN;
    for (const float bound : {-2000.0F, -900.0F, 0.0F, 900.0F, INFINITY, NAN}) {
      const Kept expected = Keep(Scalar(), of, bound);
      for (std::size_t k = 0; k < expected.positions.size(); k++) {
        const std::uint32_t i = expected.positions[k];
        ASSERT_NEAR(expected.lower[k], of.add[i] + of.scale[i] * (of.sums[i] * 0.37F - 1.5F) - of.error[i] * 1.9F,
                    0.01);
        ASSERT_LT(expected.lower[k], bound);
        ASSERT_TRUE(k == 0 || expected.positions[k - 1] < i);
      }
      if (bound == INFINITY) {
        ASSERT_EQ(expected.positions.size(), count > 10 ? count - 1 : count);
      }
      for (const QuantisedKernels* kernels : VectorTables()) {
        ASSERT_EQ(Keep(*kernels, of, bound), expected) << kernels->name << " count " << count << " bound " << bound;
      }
    }
  }
}

TEST(QuantisedKernels, SignBitsAreSetForWhatIsNotNegative) {
  Random random(10);
  for (const std::size_t size : Sizes(8)) {
    Floats values = RandomFloats(random, size);
    values[0] = -0.0F;
    values[1] = 0;
    values[size - 1] = -1e-40F;
    for (const QuantisedKernels* kernels : AllTables()) {
      Bytes bits(size / 8, 0xEE);
      kernels->sign_bits(values.data(), size, bits.data());
      for (std::size_t i = 0; i < size; i++) {
        ASSERT_EQ((bits[i / 8] >> (i % 8) & 1) != 0, values[i] >= 0)
            << kernels->name << " size " << size << " at " << i;
      }
    }
  }
}

// ---- 4-bit codes and bytes ----

TEST(QuantisedKernels, PackedNibblesGiveTheNaiveInnerProduct) {
  Random random(11);
  for (const std::size_t dim : Sizes(16)) {
    const Bytes values = RandomBytes(random, dim, 16);
    const std::vector<std::int8_t> query = RandomQuery8(random, dim);
    std::int32_t expected = 0;
    for (std::size_t i = 0; i < dim; i++) expected += values[i] * query[i];
    Bytes reference(dim / 2);
    Scalar().pack_nibbles(values.data(), dim, reference.data());
    for (const QuantisedKernels* kernels : AllTables()) {
      Bytes codes(dim / 2, 0xEE);
      kernels->pack_nibbles(values.data(), dim, codes.data());
      ASSERT_EQ(codes, reference) << kernels->name << " dim " << dim;
      ASSERT_EQ(kernels->dot_nibbles(codes.data(), query.data(), dim), expected) << kernels->name << " dim " << dim;
    }
  }
}

TEST(QuantisedKernels, NibbleRunsLieAsTheHeaderSays) {
  Bytes values(48);
  for (std::size_t i = 0; i < 48; i++) values[i] = static_cast<std::uint8_t>(i * 7 % 16);
  for (const QuantisedKernels* kernels : AllTables()) {
    Bytes codes(24);
    kernels->pack_nibbles(values.data(), 48, codes.data());
    for (std::size_t i = 0; i < 16; i++) EXPECT_EQ(codes[i], values[i] | values[i + 16] << 4) << kernels->name;
    for (std::size_t i = 0; i < 8; i++) EXPECT_EQ(codes[16 + i], values[32 + i] | values[40 + i] << 4) << kernels->name;
  }
}

TEST(QuantisedKernels, TheLargestNibblesDoNotOverflow) {
  const std::size_t dim = 65536;
  const Bytes codes(dim / 2, 0xFF);
  for (const int value : {-127, 127}) {
    const std::vector<std::int8_t> query(dim, static_cast<std::int8_t>(value));
    for (const QuantisedKernels* kernels : AllTables()) {
      EXPECT_EQ(kernels->dot_nibbles(codes.data(), query.data(), dim), 65536 * 15 * value) << kernels->name;
    }
  }
}

TEST(QuantisedKernels, QueriesRoundToTheSameBytesOnEverySet) {
  Random random(12);
  for (const std::size_t size : Sizes(1)) {
    const Floats values = RandomFloats(random, size, random.Unit() * 100 + 0.01);
    std::vector<std::int8_t> expected(size), actual(size);
    const float step = Scalar().quantise_to_int8(values.data(), size, expected.data());
    for (std::size_t i = 0; i < size; i++) {
      ASSERT_GE(expected[i], -127);
      ASSERT_NEAR(static_cast<float>(expected[i]) * step, values[i], step * 0.501F) << size;
    }
    for (const QuantisedKernels* kernels : VectorTables()) {
      ASSERT_EQ(kernels->quantise_to_int8(values.data(), size, actual.data()), step) << kernels->name;
      ASSERT_EQ(actual, expected) << kernels->name << " size " << size;
    }
  }
  for (const QuantisedKernels* kernels : AllTables()) {
    const Floats zeros(21, -0.0F);
    std::vector<std::int8_t> query(21, 5);
    EXPECT_EQ(kernels->quantise_to_int8(zeros.data(), 21, query.data()), 0);
    EXPECT_EQ(query, std::vector<std::int8_t>(21, 0));
    EXPECT_EQ(kernels->quantise_to_int8(nullptr, 0, nullptr), 0);
  }
}

TEST(QuantisedKernels, DotOfBytesIsTheNaiveSum) {
  Random random(13);
  for (const std::size_t dim : Sizes(1)) {
    for (const std::size_t count : {0U, 1U, 2U, 3U, 4U, 5U, 7U, 9U}) {
      const Bytes rows = RandomBytes(random, count * dim);
      std::vector<std::int16_t> query(dim);
      for (auto& value : query) value = static_cast<std::int16_t>(static_cast<int>(random.Below(4095)) - 2047);
      std::vector<std::int32_t> expected(count);
      for (std::size_t r = 0; r < count; r++) {
        for (std::size_t i = 0; i < dim; i++) expected[r] += rows[r * dim + i] * query[i];
      }
      for (const QuantisedKernels* kernels : AllTables()) {
        std::vector<std::int32_t> actual(count);
        kernels->dot_bytes(rows.data(), count, dim, query.data(), actual.data());
        ASSERT_EQ(actual, expected) << kernels->name << " dim " << dim << " count " << count;
      }
    }
  }
}

TEST(QuantisedKernels, TheLargestBytesDoNotOverflow) {
  const std::size_t dim = 4113;
  const Bytes rows(2 * dim, 255);
  for (const int value : {-2047, 2047}) {
    const std::vector<std::int16_t> query(dim, static_cast<std::int16_t>(value));
    for (const QuantisedKernels* kernels : AllTables()) {
      std::vector<std::int32_t> actual(2);
      kernels->dot_bytes(rows.data(), 2, dim, query.data(), actual.data());
      EXPECT_EQ(actual, std::vector<std::int32_t>(2, 4113 * 255 * value)) << kernels->name;
    }
  }
}

// ---- matrices and levels ----

TEST(QuantisedKernels, DotMatrixIsTheInnerProductOfEveryPairOfRows) {
  Random random(14);
  for (const std::size_t dim : {0U, 1U, 3U, 4U, 5U, 7U, 8U, 9U, 15U, 16U, 17U, 33U, 100U, 784U, 1023U, 1025U, 2100U}) {
    for (const auto& [a_rows, b_rows] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
             {0, 3}, {3, 0}, {1, 1}, {2, 3}, {3, 4}, {4, 5}, {6, 4}, {7, 9}, {13, 11}, {5, 70}, {12, 131}}) {
      if (dim > 784 && a_rows * b_rows > 400) continue;
      const Floats a = RandomFloats(random, a_rows * dim, 1);
      const Floats b = RandomFloats(random, b_rows * dim, 1);
      for (const QuantisedKernels* kernels : AllTables()) {
        Floats out(a_rows * b_rows, 1e9F);
        kernels->dot_matrix(a.data(), a_rows, b.data(), b_rows, dim, out.data());
        for (std::size_t i = 0; i < a_rows; i++) {
          for (std::size_t j = 0; j < b_rows; j++) {
            double expected = 0;
            for (std::size_t k = 0; k < dim; k++) expected += static_cast<double>(a[i * dim + k]) * b[j * dim + k];
            ASSERT_NEAR(out[i * b_rows + j], expected, 1e-6 * static_cast<double>(dim) + 1e-7)
                << kernels->name << " dim " << dim << " of " << a_rows << " x " << b_rows << " at " << i << ", " << j;
          }
        }
      }
    }
  }
}

TEST(QuantisedKernels, LevelsAreTheSameOnEverySetAndTheirSumsDifferInRounding) {
  Random random(15);
  for (const std::size_t size : Sizes(1)) {
    const Floats values = RandomFloats(random, size, 1);
    for (const float scale : {0.0F, 3.7F, 16.0F, 40.0F, 1e30F}) {
      Bytes expected(size, 0xEE);
      double product = 0, norm2 = 0;
      for (std::size_t i = 0; i < size; i++) {
        const float level = std::clamp(std::floor(values[i] * scale), -16.0F, 15.0F) + 16;
        expected[i] = static_cast<std::uint8_t>(level);
        product += (level - 15.5) * values[i];
        norm2 += (level - 15.5) * (level - 15.5);
      }
      for (const QuantisedKernels* kernels : AllTables()) {
        Bytes levels(size, 0xEE);
        const LevelFit fit = kernels->quantise_levels(values.data(), size, scale, levels.data());
        ASSERT_EQ(levels, expected) << kernels->name << " size " << size << " scale " << scale;
        ASSERT_NEAR(fit.product, product, 2e-5 * MagnitudeOf(values)) << kernels->name << " size " << size;
        ASSERT_NEAR(fit.norm2, norm2, 1e-6 * norm2) << kernels->name << " size " << size;
        const LevelFit dry = kernels->quantise_levels(values.data(), size, scale, nullptr);
        ASSERT_EQ(dry.product, fit.product) << kernels->name;
        ASSERT_EQ(dry.norm2, fit.norm2) << kernels->name;
      }
    }
  }
}

/// FNV-1a.
template <class T>
std::uint64_t HashOf(std::uint64_t hash, const std::vector<T>& values) {
  Bytes bytes(values.size() * sizeof(T));
  std::memcpy(bytes.data(), values.data(), bytes.size());
  for (const std::uint8_t byte : bytes) hash = (hash ^ byte) * 0x100000001B3ULL;
  return hash;
}

TEST(QuantisedKernels, WhatDecidesASearchIsTheSameOnEveryMachine) {
  for (const QuantisedKernels* kernels : AllTables()) {
    Random random(17);
    Floats values = RandomFloats(random, 1024);
    kernels->hadamard(values.data(), values.size());
    Bytes table(4096), levels(1024);
    std::vector<std::int8_t> query(1024);
    const TableScale scale = kernels->build_table(values.data(), 256, table.data());
    const float step = kernels->quantise_to_int8(values.data(), 1024, query.data());
    kernels->quantise_levels(values.data(), 1024, 0.3F, levels.data());
    const Estimates of = {std::vector<std::uint32_t>(1024, 777), values, RandomFloats(random, 1024),
                          RandomFloats(random, 1024)};
    const Kept kept = Keep(*kernels, of, 1);
    std::uint64_t hash = HashOf(0xCBF29CE484222325ULL, values);
    hash = HashOf(HashOf(HashOf(hash, table), levels), query);
    hash = HashOf(hash, Floats{scale.step, scale.bias, step});
    hash = HashOf(HashOf(hash, kept.positions), kept.lower);
    EXPECT_EQ(hash, 9742124070612748167ULL) << kernels->name;
  }
}

TEST(QuantisedKernels, ThePublicFunctionsUseTheActiveTable) {
  Random random(16);
  const Floats query = RandomFloats(random, 64);
  std::vector<Bytes> tables;
  for (const InstructionSet set : {InstructionSet::kScalar, InstructionSet::kAvx2, InstructionSet::kAvx512}) {
    AllowUpTo(set);
    Floats rotated = query;
    const Bytes signs = {1, 2, 3, 4, 5, 6, 7, 8};
    FlipSigns(rotated, signs.data());
    Hadamard(rotated);
    Bytes table(64 * 4), bits(8), block(256), levels(64), codes(32);
    const TableScale scale = BuildTable(rotated, table.data());
    SignBits(rotated, bits.data());
    PackBlock(bits.data(), 1, 16, block.data());
    std::vector<std::uint32_t> sums(kBlockCodes);
    ScanBlocks(block.data(), 256, 1, 16, table.data(), sums.data());
    EXPECT_NEAR(static_cast<float>(sums[0]) * scale.step + scale.bias, SelectedSum(rotated, bits.data()),
                16 * scale.step);
    const Floats zero(kBlockCodes, 0), one(kBlockCodes, 1);
    std::vector<std::uint32_t> kept(kBlockCodes);
    Floats lower(kBlockCodes);
    EXPECT_EQ(KeepBelow(sums.data(), zero.data(), one.data(), zero.data(), 1, 0, 1, 1, 1e9F, kept.data(), lower.data()),
              1U);
    EXPECT_EQ(lower[0], static_cast<float>(sums[0]));
    QuantiseLevels(rotated, 0.1F, levels.data());
    for (std::uint8_t& level : levels) level /= 2;
    PackNibbles(levels.data(), 64, codes.data());
    std::vector<std::int8_t> bytes(64);
    EXPECT_GT(QuantiseToInt8(rotated, bytes.data()), 0);
    const std::vector<std::int16_t> words(bytes.begin(), bytes.end());
    std::int32_t dot = 0;
    DotBytes(levels.data(), 1, 64, words.data(), &dot);
    EXPECT_EQ(DotNibbles(codes.data(), bytes.data(), 64), dot);
    float square = 0;
    DotMatrix(query.data(), 1, query.data(), 1, 64, &square);
    EXPECT_GT(square, 0);
    tables.push_back(std::move(table));
  }
  EXPECT_EQ(tables[0], tables[1]);
  EXPECT_EQ(tables[0], tables[2]);
}

}  // namespace
}  // namespace firn::simd
