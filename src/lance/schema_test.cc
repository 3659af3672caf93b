#include "lance/schema.h"

#include <gtest/gtest.h>

#include "lance/logical_type.h"

namespace firn::lance {
namespace {

using arrow::Simple;
using arrow::TimeUnit;
using arrow::TypeId;

arrow::Schema EveryType() {
  arrow::Schema schema;
  const auto add = [&](std::string name, arrow::TypePtr type, bool nullable = true) {
    schema.fields.push_back({std::move(name), std::move(type), nullable, {}});
  };
  for (const TypeId id :
       {TypeId::kNull, TypeId::kBool, TypeId::kInt8, TypeId::kInt16, TypeId::kInt32, TypeId::kInt64, TypeId::kUInt8,
        TypeId::kUInt16, TypeId::kUInt32, TypeId::kUInt64, TypeId::kFloat16, TypeId::kFloat32, TypeId::kFloat64,
        TypeId::kDate32, TypeId::kDate64, TypeId::kUtf8, TypeId::kLargeUtf8, TypeId::kBinary, TypeId::kLargeBinary}) {
    add("c" + std::to_string(static_cast<int>(id)), Simple(id));
  }
  add("decimal", arrow::Decimal128(38, -2));
  add("time32", arrow::Time32(TimeUnit::kSecond));
  add("time64", arrow::Time64(TimeUnit::kNano));
  add("stamp", arrow::Timestamp(TimeUnit::kMicro));
  add("zoned", arrow::Timestamp(TimeUnit::kNano, "+05:30"));
  add("duration", arrow::DurationType(TimeUnit::kMilli), false);
  add("fixed", arrow::FixedSizeBinary(16));
  add("vector", arrow::FixedSizeList(Simple(TypeId::kFloat32), 384));
  add("halves", arrow::FixedSizeList(Simple(TypeId::kFloat16), 3), false);
  add("matrix", arrow::FixedSizeList(arrow::FixedSizeList(Simple(TypeId::kInt8), 3), 2));
  add("list", arrow::List(Simple(TypeId::kUtf8)));
  add("structs", arrow::LargeList(arrow::Struct(
                     {{"x", Simple(TypeId::kInt32), false, {}}, {"y", arrow::List(Simple(TypeId::kBool)), true, {}}})));
  return schema;
}

TEST(Schema, GoesToLanceAndBackForEveryType) {
  arrow::Schema schema = EveryType();
  schema.metadata = {{"a", "b"}};
  schema.fields[0].metadata = {{"ARROW:extension:name", "x.y"}};
  const auto lance = FromArrow(schema, 7);
  ASSERT_TRUE(lance) << lance.error().ToString();
  EXPECT_EQ(lance->fields[0].id, 7);
  const auto back = ToArrow(*lance);
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_TRUE(arrow::Equal(schema, **back)) << (*back)->ToString();
  EXPECT_EQ((*back)->metadata, schema.metadata);
  EXPECT_EQ((*back)->fields[0].metadata, schema.fields[0].metadata);
}

TEST(Schema, NamesTypesAsLanceDoes) {
  const std::vector<std::pair<arrow::TypePtr, std::string>> names = {
      {Simple(TypeId::kFloat16), "halffloat"},
      {arrow::Timestamp(TimeUnit::kMicro), "timestamp:us:-"},
      {arrow::Timestamp(TimeUnit::kMilli, "UTC"), "timestamp:ms:UTC"},
      {arrow::FixedSizeList(Simple(TypeId::kFloat32), 128), "fixed_size_list:float:128"},
      {arrow::List(arrow::Struct({{"x", Simple(TypeId::kInt8), true, {}}})), "list.struct"},
      {arrow::LargeList(Simple(TypeId::kInt8)), "large_list"},
      {arrow::Decimal128(12, 2), "decimal:128:12:2"},
      {arrow::FixedSizeBinary(8), "fixed_size_binary:8"}};
  for (const auto& [type, name] : names) EXPECT_EQ(LogicalFromArrow(*type), name);
}

TEST(Schema, ReadsTheNamesThatOnlyOthersWrite) {
  EXPECT_EQ(LeafFromLogical("dict:string:int32:false")->id, TypeId::kUtf8);
  EXPECT_EQ(LeafFromLogical("dict:timestamp:us:-:int8:true")->id, TypeId::kTimestamp);
  EXPECT_EQ(LeafFromLogical("json")->id, TypeId::kLargeBinary);
  EXPECT_EQ(LeafFromLogical("fixed_size_list:lance.bfloat16:4")->children[0].type->list_size, 2);
}

TEST(Schema, KnowsNoBrokenNames) {
  for (const std::string_view name : {"",
                                      "int65",
                                      "fixed_size_list:",
                                      "fixed_size_list:float",
                                      "fixed_size_list:float:",
                                      "fixed_size_list:float:0",
                                      "fixed_size_list:float:-1",
                                      "fixed_size_list:float:99999999999",
                                      "fixed_size_list:nothing:3",
                                      "fixed_size_binary:x",
                                      "decimal:128:39:0",
                                      "decimal:256:50:2",
                                      "decimal:128:5",
                                      "timestamp:us",
                                      "timestamp:x:-",
                                      "time32:us",
                                      "time64:s",
                                      "duration:",
                                      "dict:string",
                                      "dict:::",
                                      "map"}) {
    EXPECT_EQ(LeafFromLogical(name), nullptr) << name;
  }
  std::string deep;
  for (int i = 0; i < 100; i++) deep += "fixed_size_list:";
  EXPECT_EQ(LeafFromLogical(deep + "float:1"), nullptr);
}

TEST(Schema, NamesTheColumnOfAnUnknownType) {
  Schema schema;
  schema.fields = {{0, -1, "good", "int8", true, {}}, {1, -1, "places", "geometry:wkb", true, {}}};
  const auto arrow = ToArrow(schema);
  ASSERT_FALSE(arrow);
  EXPECT_EQ(arrow.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(arrow.error().message.find("places"), std::string::npos);
  EXPECT_NE(arrow.error().message.find("geometry:wkb"), std::string::npos);
}

TEST(Schema, RefusesNamesThatWouldNotWork) {
  const arrow::TypePtr i8 = Simple(TypeId::kInt8);
  const auto refuses = [](std::vector<arrow::Field> fields) {
    const auto schema = FromArrow({std::move(fields), {}});
    return !schema &&
           (schema.error().kind == ErrorKind::kInvalidArgument || schema.error().kind == ErrorKind::kUnsupported);
  };
  EXPECT_TRUE(refuses({}));
  EXPECT_TRUE(refuses({{"", i8, true, {}}}));
  EXPECT_TRUE(refuses({{"a", i8, true, {}}, {"a", i8, true, {}}}));
  EXPECT_TRUE(refuses({{"a.b", i8, true, {}}}));
  EXPECT_TRUE(refuses({{"s", arrow::Struct({}), true, {}}}));
  EXPECT_TRUE(refuses({{"s", arrow::Struct({{"x", i8, true, {}}, {"x", i8, true, {}}}), true, {}}}));
  EXPECT_TRUE(refuses({{"v", arrow::FixedSizeList(Simple(TypeId::kUtf8), 3), true, {}}}));
}

TEST(Schema, WalksLeavesInColumnOrder) {
  const auto schema = FromArrow(EveryType());
  ASSERT_TRUE(schema);
  std::vector<std::string> names;
  for (const Field* leaf : LeavesOf(*schema, *schema->FindTopLevel("structs"))) names.push_back(leaf->name);
  EXPECT_EQ(names, (std::vector<std::string>{"x", "item"}));
  EXPECT_EQ(LeavesOf(*schema, *schema->FindTopLevel("matrix")).size(), 1U);
}

}  // namespace
}  // namespace firn::lance
