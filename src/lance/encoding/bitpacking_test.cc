#include "lance/encoding/bitpacking.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <vector>

namespace firn::lance {
namespace {

/// The layout as its definition says it, bit by bit.
template <class T>
std::vector<std::uint8_t> Pack(const std::vector<T>& values, unsigned width) {
  constexpr unsigned kBits = 8 * sizeof(T);
  constexpr unsigned kLanes = 1024 / kBits;
  constexpr std::array<unsigned, 8> kOrder = {0, 4, 2, 6, 1, 5, 3, 7};
  std::vector<T> words(std::size_t{kLanes} * width, 0);
  for (unsigned lane = 0; lane < kLanes; lane++) {
    for (unsigned row = 0; row < kBits; row++) {
      const T value = values[kOrder[row / 8] * 16 + (row % 8) * 128 + lane];
      for (unsigned bit = 0; bit < width; bit++) {
        const unsigned at = row * width + bit;
        if ((value >> bit & 1) != 0) words[at / kBits * kLanes + lane] |= static_cast<T>(T{1} << (at % kBits));
      }
    }
  }
  std::vector<std::uint8_t> bytes(words.size() * sizeof(T));
  CopyBytes(bytes.data(), {reinterpret_cast<const std::uint8_t*>(words.data()), bytes.size()});
  return bytes;
}

template <class T>
std::vector<T> Values(unsigned width, std::size_t count, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<T> values(count);
  const std::uint64_t mask = width == 64 ? ~0ULL : (1ULL << width) - 1;
  for (T& value : values) value = static_cast<T>(random() & mask);
  return values;
}

template <class T>
class Bitpacking : public testing::Test {};
using Words = testing::Types<std::uint8_t, std::uint16_t, std::uint32_t, std::uint64_t>;
TYPED_TEST_SUITE(Bitpacking, Words);

TYPED_TEST(Bitpacking, EveryWidthUnpacksInline) {
  using T = TypeParam;
  for (unsigned width = 0; width <= 8 * sizeof(T); width++) {
    const std::vector<T> values = Values<T>(width, 1024, width);
    std::vector<std::uint8_t> packed(sizeof(T));
    packed[0] = static_cast<std::uint8_t>(width);
    const std::vector<std::uint8_t> block = Pack(values, width);
    packed.insert(packed.end(), block.begin(), block.end());
    for (const std::size_t count : {1024U, 1U, 700U}) {
      std::vector<T> out(count);
      ASSERT_TRUE(UnpackInline(packed, sizeof(T), count, reinterpret_cast<std::uint8_t*>(out.data()))) << width;
      EXPECT_TRUE(std::equal(out.begin(), out.end(), values.begin())) << width;
    }
    packed.pop_back();
    std::vector<T> out(1024);
    EXPECT_FALSE(UnpackInline(packed, sizeof(T), 1024, reinterpret_cast<std::uint8_t*>(out.data()))) << width;
  }
}

TYPED_TEST(Bitpacking, TheTailOutOfLineIsPaddedOrPlain) {
  using T = TypeParam;
  const unsigned width = 3;
  const std::vector<T> values = Values<T>(width, 2048, 9);
  const std::vector<std::uint8_t> first = Pack(std::vector<T>(values.begin(), values.begin() + 1024), width);
  const std::vector<std::uint8_t> second = Pack(std::vector<T>(values.begin() + 1024, values.end()), width);
  const std::size_t count = 1024 + 100;
  std::vector<T> out(count);
  const auto bytes = reinterpret_cast<std::uint8_t*>(out.data());

  std::vector<std::uint8_t> padded = first;
  padded.insert(padded.end(), second.begin(), second.end());
  ASSERT_TRUE(UnpackOutOfLine(padded, sizeof(T), width, count, bytes));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), values.begin()));

  std::vector<std::uint8_t> plain = first;
  const auto* tail = reinterpret_cast<const std::uint8_t*>(values.data() + 1024);
  plain.insert(plain.end(), tail, tail + 100 * sizeof(T));
  std::fill(out.begin(), out.end(), T{0});
  ASSERT_TRUE(UnpackOutOfLine(plain, sizeof(T), width, count, bytes));
  EXPECT_TRUE(std::equal(out.begin(), out.end(), values.begin()));

  EXPECT_FALSE(UnpackOutOfLine(ByteSpan(plain).first(plain.size() - 1), sizeof(T), width, count, bytes));
}

TEST(BitpackingInline, AWidthBeyondTheTypeIsCorrupt) {
  const std::vector<std::uint8_t> packed(4096, 33);
  std::vector<std::uint32_t> out(1024);
  const Status status = UnpackInline(packed, 4, 1024, reinterpret_cast<std::uint8_t*>(out.data()));
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDataCorruption);
}

}  // namespace
}  // namespace firn::lance
