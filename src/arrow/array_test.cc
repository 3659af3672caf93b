#include "arrow/array.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "arrow/buffers.h"
#include "arrow/builder.h"

namespace firn::arrow {
namespace {

using enum TypeId;

/// `length` random values of any type, a fifth of them null.
void AppendRandom(Builder& builder, std::mt19937_64& random) {
  const Type& type = builder.type();
  if (random() % 5 == 0) return builder.AppendNull();
  if (type.id == kNull) return builder.AppendNull();
  if (type.id == kBool) return builder.AppendBool(random() % 2 == 0);
  if (IsVarBytes(type.id))
    return builder.AppendBytes(std::string(random() % 7, static_cast<char>('a' + random() % 26)));
  if (type.id == kStruct) {
    for (std::size_t i = 0; i < type.children.size(); i++) AppendRandom(builder.child(i), random);
    return builder.CloseStruct();
  }
  if (type.id == kList || type.id == kLargeList || type.id == kFixedSizeList) {
    const auto items = type.id == kFixedSizeList ? static_cast<std::uint64_t>(type.list_size) : random() % 4;
    for (std::uint64_t i = 0; i < items; i++) AppendRandom(builder.child(0), random);
    return builder.CloseList();
  }
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(BitWidth(type) / 8));
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  builder.AppendFixed(bytes);
}

Array Random(const TypePtr& type, std::int64_t length, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  Builder builder(type);
  for (std::int64_t i = 0; i < length; i++) AppendRandom(builder, random);
  return builder.Finish();
}

/// The slow, obviously right way to pick rows.
Array OneByOne(const Array& array, std::span<const std::int64_t> indices) {
  Builder builder(array.type_ptr());
  for (const std::int64_t i : indices) builder.AppendFrom(array, i);
  return builder.Finish();
}

std::vector<std::int64_t> Range(std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> range;
  for (std::int64_t i = begin; i < end; i++) range.push_back(i);
  return range;
}

class EveryType : public testing::TestWithParam<TypePtr> {};

std::vector<TypePtr> Types() {
  const TypePtr nested = Struct({{"a", Simple(kInt32), true, {}}, {"b", List(Simple(kUtf8)), true, {}}});
  return {Simple(kNull),
          Simple(kBool),
          Simple(kInt8),
          Simple(kUInt16),
          Simple(kFloat32),
          Simple(kInt64),
          Decimal128(20, 3),
          FixedSizeBinary(5),
          FixedSizeBinary(0),
          Simple(kUtf8),
          Simple(kLargeUtf8),
          Simple(kBinary),
          Simple(kLargeBinary),
          List(Simple(kInt16)),
          LargeList(Simple(kBool)),
          FixedSizeList(Simple(kFloat32), 8),
          FixedSizeList(Simple(kFloat32), 0),
          FixedSizeList(FixedSizeList(Simple(kBool), 3), 2),
          nested,
          List(nested),
          List(Simple(kNull)),
          Struct({})};
}

INSTANTIATE_TEST_SUITE_P(Array, EveryType, testing::ValuesIn(Types()));

TEST_P(EveryType, BuildsValidArrays) {
  const Array array = Random(GetParam(), 137, 1);
  EXPECT_EQ(array.length(), 137);
  const auto valid = Validate(array, "it", false);
  EXPECT_TRUE(valid) << valid.error().ToString();
  EXPECT_TRUE(Equal(array, Random(GetParam(), 137, 1)));
  EXPECT_TRUE(Validate(Nulls(GetParam(), 11), "nulls"));
  EXPECT_EQ(Nulls(GetParam(), 11).null_count(), 11);
  EXPECT_TRUE(Validate(Nulls(GetParam(), 0), "no nulls"));
}

TEST_P(EveryType, SlicesHoldTheSameRows) {
  const Array array = Random(GetParam(), 150, 2);
  for (const auto& [begin, length] :
       {std::pair{0, 150}, {0, 7}, {8, 64}, {3, 141}, {77, 1}, {149, 1}, {150, 0}, {31, 33}}) {
    const Array slice = array.Slice(begin, length);
    const auto valid = Validate(slice, "slice");
    EXPECT_TRUE(valid) << valid.error().ToString();
    EXPECT_TRUE(Equal(slice, OneByOne(array, Range(begin, begin + length)))) << begin << "+" << length;
    if (length > 10) {
      EXPECT_TRUE(Equal(slice.Slice(5, 6), OneByOne(array, Range(begin + 5, begin + 11))));
    }
  }
}

TEST_P(EveryType, TakeFollowsTheIndices) {
  const Array array = Random(GetParam(), 150, 3).Slice(13, 130);
  std::mt19937_64 random(4);
  std::vector<std::int64_t> indices = Range(20, 40);
  for (int i = 0; i < 200; i++) indices.push_back(static_cast<std::int64_t>(random() % 130));
  const Array taken = Take(array, indices);
  const auto valid = Validate(taken, "taken");
  EXPECT_TRUE(valid) << valid.error().ToString();
  EXPECT_TRUE(Equal(taken, OneByOne(array, indices)));
  EXPECT_EQ(Take(array, {}).length(), 0);
  EXPECT_TRUE(Validate(Take(array, {}), "nothing taken"));
}

TEST_P(EveryType, ConcatIsTheRowsInOrder) {
  const Array whole = Random(GetParam(), 200, 5);
  const std::vector<Array> parts = {whole.Slice(0, 3), whole.Slice(3, 0), whole.Slice(3, 100), whole.Slice(103, 97)};
  const auto joined = Concat(parts);
  ASSERT_TRUE(joined);
  const auto valid = Validate(*joined, "joined");
  EXPECT_TRUE(valid) << valid.error().ToString();
  EXPECT_TRUE(Equal(*joined, whole));
}

TEST(Array, EqualityIgnoresWhatStandsUnderANull) {
  ArrayData a{Simple(kInt32),
              2,
              1,
              Buffer::Of(std::vector<std::uint8_t>{1}),
              Buffer::OfValues(std::vector<std::int32_t>{7, 8}),
              {},
              {}};
  ArrayData b = a;
  b.data = Buffer::OfValues(std::vector<std::int32_t>{7, 9});
  EXPECT_TRUE(Equal(Array(a), Array(b)));
  b.data = Buffer::OfValues(std::vector<std::int32_t>{6, 9});
  EXPECT_FALSE(Equal(Array(a), Array(b)));
}

TEST(Array, ConcatRefusesDifferentTypesAndEmptyInput) {
  const Array arrays[] = {Nulls(Simple(kInt32), 1), Nulls(Simple(kInt64), 1)};
  EXPECT_EQ(Concat(arrays).error().kind, ErrorKind::kInvalidArgument);
  EXPECT_FALSE(Concat(std::span<const Array>()));
}

TEST(Array, ConcatRefusesTextBeyond32BitOffsets) {
  // Two arrays that claim 1.5 GiB each: the check must come before any copy, so the bytes need not be real.
  const auto claims = [](std::int32_t bytes) {
    static const std::uint8_t byte = 0;
    return Array({Simple(kUtf8),
                  1,
                  0,
                  {},
                  Buffer::OfValues(std::vector<std::int32_t>{0, bytes}),
                  Buffer(nullptr, {&byte, 1}),
                  {}});
  };
  const Array arrays[] = {claims(3 << 29), claims(3 << 29)};
  const auto joined = Concat(arrays);
  ASSERT_FALSE(joined);
  EXPECT_EQ(joined.error().kind, ErrorKind::kInvalidArgument);
}

TEST(Validate, FindsWhatIsBroken) {
  const auto broken = [](ArrayData data, bool utf8 = false) {
    const Status status = Validate(Array(std::move(data)), "column \"x\"", utf8);
    return !status && status.error().kind == ErrorKind::kDataCorruption &&
           status.error().message.find("column \"x\"") != std::string::npos;
  };
  const auto offsets = [](std::vector<std::int32_t> values) { return Buffer::OfValues(std::move(values)); };
  const Buffer text = Buffer::Of(std::string("ab\xC3\xA9"));
  EXPECT_TRUE(broken({Simple(kInt32), 3, 0, {}, offsets({1, 2}), {}, {}}));
  EXPECT_TRUE(broken({Simple(kInt32), -1, 0, {}, offsets({1, 2}), {}, {}}));
  EXPECT_TRUE(broken({Simple(kInt32), 2, 1, {}, offsets({1, 2}), {}, {}}));
  EXPECT_TRUE(broken({Simple(kInt32), 2, 2, Buffer::Of(std::vector<std::uint8_t>{1}), offsets({1, 2}), {}, {}}));
  EXPECT_TRUE(broken({Simple(kBool), 9, 0, {}, Buffer::Of(std::vector<std::uint8_t>{1}), {}, {}}));
  EXPECT_TRUE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 1}), text, {}}));
  EXPECT_TRUE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 2, 1}), text, {}}));
  EXPECT_TRUE(broken({Simple(kUtf8), 2, 0, {}, offsets({-1, 2, 3}), text, {}}));
  EXPECT_TRUE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 2, 5}), text, {}}));
  EXPECT_FALSE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 2, 4}), text, {}}, true));
  EXPECT_TRUE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 3, 4}), text, {}}, true));
  EXPECT_FALSE(broken({Simple(kUtf8), 2, 0, {}, offsets({0, 3, 4}), text, {}}, false));
  EXPECT_FALSE(
      broken({Simple(kUtf8), 2, 1, Buffer::Of(std::vector<std::uint8_t>{1}), offsets({0, 2, 3}), text, {}}, true));
  EXPECT_TRUE(broken({List(Simple(kInt32)), 1, 0, {}, offsets({0, 2}), {}, {Nulls(Simple(kInt32), 1)}}));
  EXPECT_TRUE(broken({List(Simple(kInt32)), 1, 0, {}, offsets({0, 1}), {}, {Nulls(Simple(kInt16), 1)}}));
  EXPECT_TRUE(broken({List(Simple(kInt32)), 1, 0, {}, offsets({0, 1}), {}, {}}));
  EXPECT_TRUE(broken({FixedSizeList(Simple(kInt32), 2), 2, 0, {}, {}, {}, {Nulls(Simple(kInt32), 3)}}));
  EXPECT_TRUE(broken({Struct({{"a", Simple(kInt32), true, {}}}), 2, 0, {}, {}, {}, {Nulls(Simple(kInt32), 3)}}));
}

TEST(RecordBatch, FindsColumnsAndJoinsBatches) {
  const auto schema =
      std::make_shared<const Schema>(Schema{{{"a", Simple(kInt64), true, {}}, {"b", Simple(kUtf8), true, {}}}, {}});
  const RecordBatch batch{schema, {Random(Simple(kInt64), 20, 1), Random(Simple(kUtf8), 20, 2)}, 20};
  EXPECT_EQ(batch.Column("b"), &batch.columns[1]);
  EXPECT_EQ(batch.Column("c"), nullptr);
  const RecordBatch parts[] = {batch.Slice(0, 9), batch.Slice(9, 11)};
  const auto joined = Concat(schema, parts);
  ASSERT_TRUE(joined);
  EXPECT_TRUE(Equal(*joined, batch));
  const auto none = Concat(schema, std::span<const RecordBatch>());
  ASSERT_TRUE(none);
  EXPECT_EQ(none->rows, 0);
  EXPECT_EQ(none->columns.size(), 2U);
  EXPECT_TRUE(Equal(Take(batch, Range(5, 9)), batch.Slice(5, 4)));
}

TEST(Builder, NullVectorsHaveZerosAndNoNullItems) {
  Builder builder(FixedSizeList(Simple(kFloat32), 2));
  builder.child(0).AppendMany<float>(std::vector<float>{1, 2});
  builder.CloseList();
  builder.AppendNull();
  const Array array = builder.Finish();
  EXPECT_EQ(array.child(0).null_count(), 0);
  EXPECT_EQ(array.child(0).Values<float>()[3], 0.0F);
  EXPECT_TRUE(array.IsNull(1));
}

TEST(Builder, MembersOfANullStructAreNullWhereTheyMayBe) {
  Builder builder(Struct({{"a", Simple(kInt32), true, {}}, {"b", Simple(kInt32), false, {}}}));
  builder.AppendNull();
  const Array array = builder.Finish();
  EXPECT_TRUE(array.child(0).IsNull(0));
  EXPECT_FALSE(array.child(1).IsNull(0));
}

TEST(Builder, StartsAgainAfterFinish) {
  Builder builder(List(Simple(kUtf8)));
  builder.child(0).AppendBytes("a");
  builder.CloseList();
  EXPECT_EQ(builder.Finish().length(), 1);
  builder.AppendNull();
  const Array array = builder.Finish();
  EXPECT_EQ(array.length(), 1);
  EXPECT_EQ(array.child(0).length(), 0);
  EXPECT_TRUE(Validate(array, "second"));
}

TEST(Builder, IntegersAndFloatsGoIntoAnyWidth) {
  for (const TypeId id : {kInt8, kInt16, kInt32, kInt64}) {
    Builder builder(Simple(id));
    builder.AppendInteger(-5);
    const Array array = builder.Finish();
    const std::int64_t shift = 64 - BitWidth(array.type());
    std::int64_t wide = 0;
    std::memcpy(&wide, array.data().data.data(), array.data().data.size());
    EXPECT_EQ(wide << shift >> shift, -5);
  }
  Builder half(Simple(kFloat16));
  half.AppendFloating(1.5);
  EXPECT_EQ(half.Finish().Values<std::uint16_t>()[0], 0x3E00);
}

TEST(HalfFloat, EveryHalfSurvivesTheWayThroughFloat) {
  for (std::uint32_t half = 0; half < 65536; half++) {
    const float wide = HalfToFloat(static_cast<std::uint16_t>(half));
    if (std::isnan(wide)) {
      EXPECT_TRUE(std::isnan(HalfToFloat(FloatToHalf(wide))));
    } else {
      EXPECT_EQ(FloatToHalf(wide), half);
    }
  }
}

TEST(HalfFloat, RoundsToTheNearestEven) {
  EXPECT_EQ(FloatToHalf(2049.0F), FloatToHalf(2048.0F));  // a tie, 2048 is even
  EXPECT_EQ(FloatToHalf(2051.0F), FloatToHalf(2052.0F));
  EXPECT_EQ(FloatToHalf(65519.0F), 0x7BFF);
  EXPECT_EQ(FloatToHalf(65520.0F), 0x7C00);
  EXPECT_EQ(FloatToHalf(-std::numeric_limits<float>::infinity()), 0xFC00);
  EXPECT_EQ(FloatToHalf(0x1p-25F), 0);  // a tie between 0 and the least subnormal
  EXPECT_EQ(FloatToHalf(0x1.8p-25F), 1);
}

TEST(BitmapBuilder, BitsComeOutAsTheyWentIn) {
  for (const int zero_at : {-1, 5, 20, 63, 99}) {
    BitmapBuilder builder;
    builder.AppendMany(20, zero_at != 5);
    for (int i = 20; i < 100; i++) builder.Append(i != zero_at);
    const std::int64_t zeros = zero_at == 5 ? 20 : zero_at >= 20 ? 1 : 0;
    EXPECT_EQ(builder.zeros(), zeros);
    const Buffer bits = builder.Finish();
    EXPECT_EQ(CountOnes(bits.data(), 0, 100), 100 - zeros);
    EXPECT_EQ(BitAt(bits.data(), 99), zero_at != 99);
    EXPECT_EQ(builder.length(), 0);
  }
}

TEST(Buffers, BitsCopyAtAnyAlignment) {
  std::mt19937_64 random(6);
  std::vector<std::uint8_t> from(40);
  for (auto& byte : from) byte = static_cast<std::uint8_t>(random());
  for (int begin = 0; begin < 20; begin++) {
    for (int to_begin = 0; to_begin < 20; to_begin++) {
      for (const int count : {0, 1, 7, 8, 63, 200}) {
        std::vector<std::uint8_t> to(40, 0xA5);
        CopyBits(from.data(), begin, to.data(), to_begin, count);
        std::int64_t ones = 0;
        for (int i = 0; i < 320; i++) {
          const bool copied = i >= to_begin && i < to_begin + count;
          const bool want = copied ? BitAt(from.data(), begin + i - to_begin) : (0xA5 >> (i & 7) & 1) != 0;
          ASSERT_EQ(BitAt(to.data(), i), want);
          ones += copied && want ? 1 : 0;
        }
        ASSERT_EQ(CountOnes(from.data(), begin, count), ones);
      }
    }
  }
}

}  // namespace
}  // namespace firn::arrow
