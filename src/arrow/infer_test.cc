#include "arrow/infer.h"

#include <gtest/gtest.h>

#include "arrow/json.h"

namespace firn::arrow {
namespace {

/// The type of column "c" over rows with these JSON values, or the error.
std::string TypeOf(std::vector<std::string> values, const std::string& name = "c") {
  std::string text;
  for (const std::string& value : values) text += "{\"" + name + "\":" + value + "}\n";
  const auto schema = InferJsonSchema(FromBuffer(Buffer::Of(text)), {});
  return schema ? (*schema)->fields[0].type->ToString() : schema.error().message;
}

TEST(Infer, TakesTheNarrowestTypeOfNumbers) {
  EXPECT_EQ(TypeOf({"1", "-5", "null"}), "int64");
  EXPECT_EQ(TypeOf({"1", "2.5"}), "double");
  EXPECT_EQ(TypeOf({"1", "9223372036854775808"}), "uint64");
  EXPECT_EQ(TypeOf({"-1", "1", "9223372036854775808"}),
            "column \"c\" holds a negative integer in row 0 and one above 2^63 in row 2");
  EXPECT_EQ(TypeOf({"1.0", "-1", "9223372036854775808"}), "double");
}

TEST(Infer, TakesDatesAndDateTimesFromText) {
  EXPECT_EQ(TypeOf({"\"2024-01-01\""}), "date32");
  EXPECT_EQ(TypeOf({"\"2024-01-01\"", "\"2024-01-01T00:00:00\""}), "timestamp[us]");
  EXPECT_EQ(TypeOf({"\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:00+02:00\""}), "timestamp[us, UTC]");
  EXPECT_EQ(TypeOf({"\"2024-01-01T00:00:00Z\"", "\"2024-01-01T00:00:00\""}), "utf8");
  EXPECT_EQ(TypeOf({"\"2024-01-01T00:00:00Z\"", "\"2024-01-01\""}), "utf8");
  EXPECT_EQ(TypeOf({"\"2024-01-01\"", "\"soon\""}), "utf8");
  EXPECT_EQ(TypeOf({"\"+400000-01-01T00:00:00\""}), "utf8") << "beyond microseconds";
}

TEST(Infer, EquallyLongNumbersAreAVector) {
  EXPECT_EQ(TypeOf({"[1,2,3]", "null", "[0.5,1e3,-2]"}), "fixed_size_list<float>[3]");
  EXPECT_EQ(TypeOf({"[1]", "[2]"}), "list<int64>");
  EXPECT_EQ(TypeOf({"[1]", "[2]"}, "my_Vector"), "fixed_size_list<float>[1]");
  EXPECT_EQ(TypeOf({"[1,2]", "[2]"}), "list<int64>");
  EXPECT_EQ(TypeOf({"[1,16777217]", "[2,3]"}), "list<int64>") << "a float cannot hold 2^24 + 1";
  EXPECT_EQ(TypeOf({"[[1,2],[3,4]]", "[[5,6]]"}), "list<fixed_size_list<float>[2]>");
}

TEST(Infer, RaggedVectorsAreAnErrorWhereVectorsWereMeant) {
  EXPECT_EQ(TypeOf({"[1,2]", "[1,2]", "[1,2,3]"}, "embedding"),
            "row 2, column \"embedding\": 3 numbers where 2 are wanted");
  EXPECT_EQ(TypeOf({"[1,2,3]", "[]"}, "vector"), "row 1, column \"vector\": 0 numbers where 3 are wanted");
  std::vector<std::string> rows(20, "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]");
  rows.push_back("[1,2,3]");
  EXPECT_EQ(TypeOf(rows), "row 20, column \"c\": 3 numbers where 16 are wanted");
}

TEST(Infer, ListsOfOtherThings) {
  EXPECT_EQ(TypeOf({"[\"a\"]", "[]", "null"}), "list<utf8>");
  EXPECT_EQ(TypeOf({"[]"}), "list<utf8>");
  EXPECT_EQ(TypeOf({"[true,null]"}), "list<bool>");
  EXPECT_EQ(TypeOf({"[{\"a\":1}]", "[{\"b\":[1.5,2]}]"}), "list<struct<a: int64, b: fixed_size_list<float>[2]>>");
}

TEST(Infer, UnitesMembersOfObjects) {
  EXPECT_EQ(TypeOf({"{\"a\":1}", "{\"b\":\"x\",\"a\":2.5}", "null"}), "struct<a: double, b: utf8>");
}

TEST(Infer, NullsOnlyAreText) { EXPECT_EQ(TypeOf({"null", "null"}), "utf8"); }

TEST(Infer, NamesColumnAndRowsOfAConflict) {
  EXPECT_EQ(TypeOf({"null", "1", "\"a\""}), "column \"c\" holds a number in row 1 and text in row 2");
  EXPECT_EQ(TypeOf({"{\"a\":[true]}", "{\"a\":7}"}), "column \"c.a\" holds a list in row 0 and a number in row 1");
  EXPECT_EQ(TypeOf({"[1,\"x\"]"}), "column \"c[]\" holds a number in row 0 and text in row 0");
  EXPECT_EQ(TypeOf({"true", "{}"}), "column \"c\" holds a boolean in row 0 and an object in row 1");
}

}  // namespace
}  // namespace firn::arrow
