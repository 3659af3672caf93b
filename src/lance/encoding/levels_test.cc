#include "lance/encoding/levels.h"

#include <gtest/gtest.h>

#include "arrow/builder.h"

namespace firn::lance {
namespace {

using arrow::TypeId;

constexpr Layer kItem{};
constexpr Layer kNullableItem{.has_nulls = true};
constexpr Layer kAnyList{.is_list = true, .has_nulls = true, .has_empties = true};
constexpr Layer kFullList{.is_list = true};

arrow::Array Ints(std::vector<std::int32_t> values) {
  arrow::ArrayData data;
  data.type = arrow::Simple(TypeId::kInt32);
  data.length = static_cast<std::int64_t>(values.size());
  data.data = Buffer::OfValues(std::move(values));
  return arrow::Array(std::move(data));
}

LeafPath PathTo(std::vector<arrow::TypePtr> types) { return {"c", std::move(types)}; }

struct Slots {
  std::vector<std::uint16_t> rep;
  std::vector<std::uint16_t> def;
  Levels levels() const { return {rep, def, rep.empty() ? def.size() : rep.size()}; }
};

TEST(Levels, NullItemsKeepTheirPlace) {
  const LeafPath path = PathTo({arrow::Simple(TypeId::kInt32)});
  const std::vector<Layer> layers = {kNullableItem};
  const Slots slots{{}, {0, 1, 0}};
  const auto array = Nest(path, layers, slots.levels(), Ints({1, 2, 3}), 3);
  ASSERT_TRUE(array) << array.error().ToString();
  EXPECT_EQ(array->null_count(), 1);
  EXPECT_TRUE(array->IsNull(1));
  EXPECT_EQ(array->Values<std::int32_t>()[2], 3);
}

TEST(Levels, ListsAreNullEmptyOrFull) {
  // [1, null], null, [], [4]    levels: 1 null item, 2 null list, 3 empty list
  const arrow::TypePtr list = arrow::List(arrow::Simple(TypeId::kInt32));
  const LeafPath path = PathTo({list, list->children[0].type});
  const std::vector<Layer> layers = {kNullableItem, kAnyList};
  const Slots slots{{1, 0, 1, 1, 1}, {0, 1, 2, 3, 0}};
  const auto array = Nest(path, layers, slots.levels(), Ints({1, 0, 4}), 4);
  ASSERT_TRUE(array) << array.error().ToString();
  arrow::Builder wanted(list);
  wanted.child(0).Append<std::int32_t>(1);
  wanted.child(0).AppendNull();
  wanted.CloseList();
  wanted.AppendNull();
  wanted.CloseList();
  wanted.child(0).Append<std::int32_t>(4);
  wanted.CloseList();
  EXPECT_TRUE(arrow::Equal(*array, wanted.Finish()));
}

TEST(Levels, AStructAroundAListMayBeNull) {
  // {[7]}, null, {null}    levels: 1 null list, 2 empty list, 3 null struct
  const arrow::TypePtr list = arrow::List(arrow::Simple(TypeId::kInt32));
  const arrow::TypePtr type = arrow::Struct({{"l", list, true, {}}});
  const LeafPath path = PathTo({type, list, list->children[0].type});
  const std::vector<Layer> layers = {kItem, kAnyList, kNullableItem};
  const Slots slots{{1, 1, 1}, {0, 3, 1}};
  const auto array = Nest(path, layers, slots.levels(), Ints({7}), 3);
  ASSERT_TRUE(array) << array.error().ToString();
  EXPECT_FALSE(array->IsNull(0));
  EXPECT_TRUE(array->IsNull(1));
  EXPECT_FALSE(array->IsNull(2));
  EXPECT_TRUE(array->child(0).IsNull(2));
  EXPECT_TRUE(arrow::Validate(*array, "c"));
}

TEST(Levels, ListsOfListsBeginByTheirRepetition) {
  // [[1, 2], [3]], [[4]]
  const arrow::TypePtr inner = arrow::List(arrow::Simple(TypeId::kInt32));
  const arrow::TypePtr outer = arrow::List(inner);
  const LeafPath path = PathTo({outer, inner, inner->children[0].type});
  const std::vector<Layer> layers = {kItem, kFullList, kFullList};
  const Slots slots{{2, 0, 1, 2}, {}};
  const auto array = Nest(path, layers, slots.levels(), Ints({1, 2, 3, 4}), 2);
  ASSERT_TRUE(array) << array.error().ToString();
  EXPECT_EQ(array->ItemsAt(0).end, 2);
  EXPECT_EQ(array->ItemsAt(1).end, 3);
  EXPECT_EQ(array->child(0).ItemsAt(0).end, 2);
  EXPECT_EQ(array->child(0).ItemsAt(2).begin, 3);
}

TEST(Levels, ContradictionsAreCorrupt) {
  const arrow::TypePtr list = arrow::List(arrow::Simple(TypeId::kInt32));
  const LeafPath path = PathTo({list, list->children[0].type});
  const std::vector<Layer> layers = {kNullableItem, kAnyList};
  const auto kind = [&](const Slots& slots, std::vector<std::int32_t> values, std::uint64_t rows) {
    const auto array = Nest(path, layers, slots.levels(), Ints(std::move(values)), rows);
    return array ? ErrorKind::kInternal : array.error().kind;
  };
  const ErrorKind corrupt = ErrorKind::kDataCorruption;
  EXPECT_EQ(kind({{0}, {0}}, {1}, 1), corrupt);           // goes on before anything began
  EXPECT_EQ(kind({{1, 0}, {2, 0}}, {1}, 1), corrupt);     // a null list with an item
  EXPECT_EQ(kind({{1, 0}, {0, 2}}, {1}, 1), corrupt);     // a null list in the middle of a list
  EXPECT_EQ(kind({{1, 2}, {0, 0}}, {1, 2}, 2), corrupt);  // more repetition than lists
  EXPECT_EQ(kind({{1, 1}, {0, 9}}, {1}, 2), corrupt);     // more definition than layers
  EXPECT_EQ(kind({{1, 1}, {0, 0}}, {1}, 2), corrupt);     // a value is missing
  EXPECT_EQ(kind({{1, 1}, {0, 0}}, {1, 2}, 3), corrupt);  // a row is missing
  EXPECT_EQ(kind({{1, 1}, {0}}, {1, 2}, 2), corrupt);     // a level is missing
  EXPECT_EQ(kind({{}, {0, 0}}, {1, 2}, 2), corrupt);      // no repetition at all
}

TEST(Levels, LayersMustBeThoseOfTheType) {
  const arrow::TypePtr list = arrow::List(arrow::Simple(TypeId::kInt32));
  const LeafPath path = PathTo({list, list->children[0].type});
  const std::vector<Layer> structs = {kItem, kNullableItem};
  const std::vector<Layer> one = {kItem};
  EXPECT_FALSE(CheckLayers(path, structs));
  EXPECT_FALSE(CheckLayers(path, one));
}

}  // namespace
}  // namespace firn::lance
