#include "arrow/c_data.h"

#include <gtest/gtest.h>

#include <cstring>

#include "arrow/builder.h"

namespace firn::arrow {
namespace {

using enum TypeId;

/// A foreign array over memory of the test's; counts its releases.
struct Foreign {
  explicit Foreign(std::string text_format) : format(std::move(text_format)) {
    schema.format = format.c_str();
    schema.name = "x";
    schema.flags = ARROW_FLAG_NULLABLE;
    schema.private_data = this;
    schema.release = [](ArrowSchema* self) {
      static_cast<Foreign*>(self->private_data)->schema_releases++;
      self->release = nullptr;
    };
    array.private_data = this;
    array.release = [](ArrowArray* self) {
      static_cast<Foreign*>(self->private_data)->array_releases++;
      self->release = nullptr;
    };
  }
  Foreign& Rows(std::int64_t length, std::int64_t offset, std::int64_t nulls, std::vector<const void*> memory) {
    buffers = std::move(memory);
    array.length = length;
    array.offset = offset;
    array.null_count = nulls;
    array.n_buffers = static_cast<std::int64_t>(buffers.size());
    array.buffers = buffers.data();
    return *this;
  }
  Foreign& Child(Foreign& child) {
    child_schemas.push_back(&child.schema);
    child_arrays.push_back(&child.array);
    schema.children = child_schemas.data();
    array.children = child_arrays.data();
    schema.n_children = array.n_children = static_cast<std::int64_t>(child_arrays.size());
    return *this;
  }

  std::string format;
  std::vector<const void*> buffers;
  std::vector<ArrowSchema*> child_schemas;
  std::vector<ArrowArray*> child_arrays;
  ArrowSchema schema{};
  ArrowArray array{};
  int schema_releases = 0;
  int array_releases = 0;
};

Array Integers(const TypePtr& type, std::initializer_list<std::int64_t> values, std::int64_t null = -999) {
  Builder builder(type);
  for (const std::int64_t value : values) value == null ? builder.AppendNull() : builder.AppendInteger(value);
  return builder.Finish();
}

Array Texts(const TypePtr& type, std::initializer_list<std::string_view> values) {
  Builder builder(type);
  for (const std::string_view value : values) value == "null" ? builder.AppendNull() : builder.AppendBytes(value);
  return builder.Finish();
}

TEST(CData, AnArrayIsReleasedWithItsLastUser) {
  const std::int64_t values[] = {1, 2, 3};
  Foreign foreign("l");
  foreign.Rows(3, 0, 0, {nullptr, values});
  {
    auto array = ImportArray(&foreign.array, &foreign.schema);
    ASSERT_TRUE(array) << array.error().ToString();
    EXPECT_EQ(foreign.array.release, nullptr);
    EXPECT_EQ(foreign.schema_releases, 1);
    const Array slice = array->Slice(1, 2);
    *array = Array();
    EXPECT_EQ(foreign.array_releases, 0);
    EXPECT_EQ(slice.Values<std::int64_t>().data(), values + 1);
  }
  EXPECT_EQ(foreign.array_releases, 1);
}

TEST(CData, OffsetsAreTakenOutOfEveryLayout) {
  const std::uint8_t validity[] = {0b11110111, 0b1};
  const std::uint8_t bools[] = {0b10110100, 0b1};
  Foreign flags("b");
  flags.Rows(5, 2, -1, {validity, bools});
  const auto flag = ImportArray(&flags.array, &flags.schema);
  ASSERT_TRUE(flag);
  EXPECT_EQ(flag->null_count(), 1);
  EXPECT_TRUE(flag->BoolAt(0) && flag->IsNull(1) && flag->BoolAt(2) && flag->BoolAt(3) && !flag->BoolAt(4));

  const std::int32_t offsets[] = {0, 1, 3, 6};
  Foreign text("u");
  text.Rows(2, 1, 0, {nullptr, offsets, "abbccc"});
  const auto words = ImportArray(&text.array, &text.schema);
  ASSERT_TRUE(words);
  EXPECT_TRUE(Equal(*words, Texts(Simple(kUtf8), {"bb", "ccc"})));

  const float items[] = {1, 2, 3, 4, 5, 6, 7, 8};
  Foreign item("f");
  item.Rows(7, 1, 0, {nullptr, items});
  Foreign vectors("+w:2");
  vectors.Rows(2, 1, 0, {nullptr}).Child(item);
  const auto vector = ImportArray(&vectors.array, &vectors.schema);
  ASSERT_TRUE(vector) << vector.error().ToString();
  EXPECT_EQ(vector->child(0).Values<float>()[0], 4.0F);  // two of the parent's offset, one of its own
  EXPECT_EQ(vector->child(0).length(), 4);

  Foreign member("i");
  const std::int32_t numbers[] = {10, 11, 12, 13};
  member.Rows(4, 0, 0, {nullptr, numbers});
  Foreign rows("+s");
  rows.Rows(2, 2, 0, {nullptr}).Child(member);
  const auto batch = ImportBatch(&rows.array, &rows.schema);
  ASSERT_TRUE(batch) << batch.error().ToString();
  EXPECT_TRUE(Equal(batch->columns[0], Integers(Simple(kInt32), {12, 13})));
}

TEST(CData, DictionariesAndViewsBecomePlain) {
  const std::int32_t offsets[] = {0, 3, 7};
  Foreign values("u");
  values.Rows(2, 0, 0, {nullptr, offsets, "redblue"});
  const std::uint8_t indices[] = {1, 0, 9, 1};
  const std::uint8_t validity[] = {0b1011};
  Foreign coded("C");
  coded.Rows(4, 0, 1, {validity, indices});
  coded.schema.dictionary = &values.schema;
  coded.array.dictionary = &values.array;
  const auto words = ImportArray(&coded.array, &coded.schema);
  ASSERT_TRUE(words) << words.error().ToString();
  EXPECT_TRUE(Equal(*words, Texts(Simple(kUtf8), {"blue", "red", "null", "blue"})));

  std::uint8_t views[32] = {};
  const std::int32_t shorter = 3;
  std::memcpy(views, &shorter, 4);
  std::memcpy(views + 4, "abc", 3);
  const std::int32_t longer[] = {15, 0, 0, 1};
  std::memcpy(views + 16, longer, 16);
  const std::int64_t sizes[] = {16};
  Foreign view("vu");
  view.Rows(2, 0, 0, {nullptr, views, "-fifteen letters", sizes});
  const auto texts = ImportArray(&view.array, &view.schema);
  ASSERT_TRUE(texts) << texts.error().ToString();
  EXPECT_TRUE(Equal(*texts, Texts(Simple(kUtf8), {"abc", "fifteen letters"})));
}

TEST(CData, WhatIsBrokenOrForeignIsRefusedAndReleased) {
  const std::int32_t falling[] = {0, 2, 1};
  Foreign text("u");
  text.Rows(2, 0, 0, {nullptr, falling, "ab"});
  EXPECT_EQ(ImportArray(&text.array, &text.schema).error().kind, ErrorKind::kDataCorruption);
  EXPECT_EQ(text.array_releases, 1);
  for (const char* format : {"+m", "+ud:0", "+r", "+vl", "tiM", "d:40,2,256", "?"}) {
    Foreign foreign(format);
    const auto array = ImportArray(&foreign.array, &foreign.schema);
    ASSERT_FALSE(array);
    EXPECT_EQ(array.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(array.error().message.find("\"x\""), std::string::npos);
    EXPECT_EQ(foreign.array_releases + foreign.schema_releases, 2);
  }
  const std::int32_t numbers[] = {1, 2};
  Foreign member("i");
  member.Rows(2, 0, 0, {nullptr, numbers});
  Foreign rows("+s");
  rows.Rows(3, 0, 0, {nullptr}).Child(member);
  EXPECT_EQ(ImportBatch(&rows.array, &rows.schema).error().kind, ErrorKind::kDataCorruption);
}

RecordBatch EveryType() {
  const TypePtr types[] = {Simple(kNull),
                           Simple(kBool),
                           Simple(kInt8),
                           Simple(kUInt64),
                           Simple(kFloat16),
                           Simple(kFloat64),
                           Decimal128(10, 2),
                           Simple(kDate32),
                           Simple(kDate64),
                           Time32(TimeUnit::kMilli),
                           Time64(TimeUnit::kMicro),
                           Timestamp(TimeUnit::kNano, "Europe/Berlin"),
                           Timestamp(TimeUnit::kSecond),
                           DurationType(TimeUnit::kMilli),
                           Simple(kUtf8),
                           Simple(kLargeUtf8),
                           Simple(kBinary),
                           Simple(kLargeBinary),
                           FixedSizeBinary(3),
                           List(Simple(kInt32), false),
                           LargeList(Simple(kUtf8)),
                           FixedSizeList(Simple(kFloat32), 4),
                           Struct({{"a", Simple(kInt64), false, {{"k", "v"}}}, {"b", List(Simple(kUtf8)), true, {}}})};
  Schema schema;
  schema.metadata = {{"made by", "firn"}, {"empty", ""}};
  RecordBatch batch{nullptr, {}, 3};
  for (const TypePtr& type : types) {
    schema.fields.push_back({"c" + std::to_string(schema.fields.size()), type, true, {{"n", "1"}}});
    Builder rows(Struct({{"z", type, false, {}}}));
    rows.AppendNull();  // makes a zero value of its member
    rows.AppendNull();
    const Array pieces[] = {rows.Finish().child(0), Nulls(type, 1)};
    batch.columns.push_back(*Concat(pieces));
  }
  batch.schema = std::make_shared<const Schema>(std::move(schema));
  return batch;
}

TEST(CData, WhatIsExportedComesBackTheSame) {
  const RecordBatch batch = EveryType();
  ArrowSchema schema;
  ArrowArray array;
  ExportSchema(*batch.schema, &schema);
  ExportBatch(batch, &array);
  const auto back = ImportBatch(&array, &schema);
  ASSERT_TRUE(back) << back.error().ToString();
  EXPECT_TRUE(Equal(*back, batch));
  EXPECT_EQ(back->schema->metadata, batch.schema->metadata);
  EXPECT_EQ(back->schema->fields[0].metadata, batch.schema->fields[0].metadata);
  EXPECT_EQ(back->columns[5].data().data.data(), batch.columns[5].data().data.data());  // shared, not copied
}

TEST(CData, AReceiverMayKeepAChildAndReleaseTheRest) {
  const RecordBatch batch = EveryType();
  ArrowArray array;
  ExportBatch(batch, &array);
  ArrowArray child = *array.children[14];
  array.children[14]->release = nullptr;
  array.release(&array);
  EXPECT_EQ(child.length, 3);
  child.release(&child);
  EXPECT_EQ(child.release, nullptr);
}

/// A stream that gives one batch, then fails.
struct Stream {
  Stream() {
    stream.private_data = this;
    stream.get_schema = [](ArrowArrayStream*, ArrowSchema* out) {
      ExportSchema(*EveryType().schema, out);
      return 0;
    };
    stream.get_next = [](ArrowArrayStream* self, ArrowArray* out) {
      if (static_cast<Stream*>(self->private_data)->given++ > 0) return 5;
      ExportBatch(EveryType(), out);
      return 0;
    };
    stream.get_last_error = [](ArrowArrayStream*) { return "the cable is out"; };
    stream.release = [](ArrowArrayStream* self) {
      static_cast<Stream*>(self->private_data)->releases++;
      self->release = nullptr;
    };
  }
  ArrowArrayStream stream{};
  int given = 0;
  int releases = 0;
};

TEST(CData, AStreamIsPulledAndItsErrorPassedOn) {
  Stream stream;
  {
    const auto source = ImportStream(&stream.stream);
    ASSERT_TRUE(source) << source.error().ToString();
    const auto batch = (*source)->Next();
    ASSERT_TRUE(batch && *batch);
    EXPECT_TRUE(Equal(**batch, EveryType()));
    const auto failed = (*source)->Next();
    ASSERT_FALSE(failed);
    EXPECT_NE(failed.error().message.find("the cable is out"), std::string::npos);
    EXPECT_EQ(stream.releases, 0);
  }
  EXPECT_EQ(stream.releases, 1);
}

}  // namespace
}  // namespace firn::arrow
