#include "arrow/type.h"

#include <gtest/gtest.h>

namespace firn::arrow {
namespace {

TEST(Type, PrintsAsPeopleWriteIt) {
  EXPECT_EQ(Simple(TypeId::kInt64)->ToString(), "int64");
  EXPECT_EQ(Timestamp(TimeUnit::kMicro, "UTC")->ToString(), "timestamp[us, UTC]");
  EXPECT_EQ(Timestamp(TimeUnit::kSecond)->ToString(), "timestamp[s]");
  EXPECT_EQ(FixedSizeList(Simple(TypeId::kFloat32), 384)->ToString(), "fixed_size_list<float>[384]");
  EXPECT_EQ(Struct({{"a", Simple(TypeId::kInt64), true, {}}, {"b c", Simple(TypeId::kUtf8), false, {}}})->ToString(),
            "struct<a: int64, `b c`: utf8 not null>");
  EXPECT_EQ(Decimal128(10, 2)->ToString(), "decimal128(10, 2)");
  EXPECT_EQ(FixedSizeBinary(16)->ToString(), "fixed_size_binary[16]");
  EXPECT_EQ(LargeList(Simple(TypeId::kDate32), false)->ToString(), "large_list<date32 not null>");
  EXPECT_EQ(
      (Schema{{{"id", Simple(TypeId::kInt64), false, {}}, {"t", Time64(TimeUnit::kNano), true, {}}}, {}}.ToString()),
      "id: int64 not null\nt: time64[ns]\n");
}

TEST(Type, EqualityCountsParametersAndMembersButNotTheNameOfAnItem) {
  EXPECT_TRUE(Equal(*List(Simple(TypeId::kInt8)), *List(Simple(TypeId::kInt8))));
  EXPECT_FALSE(Equal(*List(Simple(TypeId::kInt8)), *List(Simple(TypeId::kInt8), false)));
  EXPECT_FALSE(Equal(*Timestamp(TimeUnit::kMilli), *Timestamp(TimeUnit::kMicro)));
  EXPECT_FALSE(Equal(*Timestamp(TimeUnit::kMilli, "UTC"), *Timestamp(TimeUnit::kMilli)));
  EXPECT_FALSE(Equal(*FixedSizeBinary(2), *FixedSizeBinary(3)));
  EXPECT_FALSE(Equal(*Decimal128(10, 2), *Decimal128(10, 3)));
  Type element = *List(Simple(TypeId::kInt8));
  element.children[0].name = "element";
  EXPECT_TRUE(Equal(element, *List(Simple(TypeId::kInt8))));
  EXPECT_FALSE(
      Equal(*Struct({{"a", Simple(TypeId::kInt8), true, {}}}), *Struct({{"b", Simple(TypeId::kInt8), true, {}}})));
}

TEST(Type, KnowsWidthsAndFamilies) {
  EXPECT_EQ(BitWidth(*Simple(TypeId::kBool)), 1);
  EXPECT_EQ(BitWidth(*Simple(TypeId::kFloat16)), 16);
  EXPECT_EQ(BitWidth(*Decimal128(5, 0)), 128);
  EXPECT_EQ(BitWidth(*FixedSizeBinary(5)), 40);
  EXPECT_EQ(BitWidth(*Simple(TypeId::kUtf8)), 0);
  EXPECT_TRUE(IsSigned(TypeId::kInt8) && !IsSigned(TypeId::kUInt8) && IsInteger(TypeId::kUInt64));
  EXPECT_TRUE(HasLargeOffsets(TypeId::kLargeList) && !HasLargeOffsets(TypeId::kList));
  EXPECT_TRUE(IsVector(*FixedSizeList(Simple(TypeId::kUInt8), 4)));
  EXPECT_FALSE(IsVector(*FixedSizeList(Simple(TypeId::kInt64), 4)));
  EXPECT_FALSE(IsVector(*List(Simple(TypeId::kFloat32))));
}

}  // namespace
}  // namespace firn::arrow
