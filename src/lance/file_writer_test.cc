#include "lance/file_writer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "arrow/buffers.h"
#include "arrow/builder.h"
#include "lance/fragment_reader.h"
#include "lance/manifest_testing.h"
#include "store/counting.h"
#include "store/faulty.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

using arrow::Array;
using arrow::Builder;
using arrow::Simple;
using arrow::TypeId;

std::string RandomText(Random& random, std::uint64_t longest) {
  std::string text(random.Below(longest + 1), ' ');
  for (char& c : text) c = static_cast<char>('a' + random.Below(26));
  return text;
}

/// What a column may hold besides its type.
struct Shape {
  double null_share = 0.2;
  double empty_share = 0.2;
  std::uint64_t longest_list = 4;
  std::uint64_t longest_text = 30;
};

/// Appends one random value, with nulls only where the field allows them.
void AppendRandom(Builder& to, const arrow::Field& field, const Shape& shape, Random& random) {
  const arrow::Type& type = *field.type;
  if (field.nullable && random.Unit() < shape.null_share) return to.AppendNull();
  switch (type.id) {
    case TypeId::kNull:
      return to.AppendNull();
    case TypeId::kBool:
      return to.AppendBool(random.Below(2) == 0);
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
    case TypeId::kBinary:
    case TypeId::kLargeBinary:
      return to.AppendBytes(RandomText(random, shape.longest_text));
    case TypeId::kList:
    case TypeId::kLargeList: {
      const bool empty = random.Unit() < shape.empty_share;
      const std::uint64_t items = empty ? 0 : 1 + random.Below(shape.longest_list);
      for (std::uint64_t i = 0; i < items; i++) AppendRandom(to.child(0), type.children[0], shape, random);
      return to.CloseList();
    }
    case TypeId::kFixedSizeList:
      for (std::int32_t i = 0; i < type.list_size; i++) AppendRandom(to.child(0), type.children[0], shape, random);
      return to.CloseList();
    case TypeId::kStruct:
      for (std::size_t i = 0; i < type.children.size(); i++) AppendRandom(to.child(i), type.children[i], shape, random);
      return to.CloseStruct();
    default: {
      std::string bytes;
      while (bytes.size() < static_cast<std::size_t>(arrow::BitWidth(type) / 8)) AppendLe(bytes, random.Next());
      bytes.resize(static_cast<std::size_t>(arrow::BitWidth(type) / 8));
      return to.AppendFixed(AsBytes(bytes));
    }
  }
}

arrow::RecordBatch RandomBatch(const arrow::SchemaPtr& schema, std::int64_t rows, const Shape& shape, Random& random) {
  arrow::RecordBatch batch{schema, {}, rows};
  for (const arrow::Field& field : schema->fields) {
    Builder builder(field.type);
    for (std::int64_t row = 0; row < rows; row++) AppendRandom(builder, field, shape, random);
    batch.columns.push_back(builder.Finish());
  }
  return batch;
}

/// A store, and files in it.
class FileWriterTest : public testing::Test {
 protected:
  Result<Fragment> Write(const arrow::SchemaPtr& schema, const std::vector<arrow::RecordBatch>& batches,
                         const WriterOptions& options = {}) {
    FIRN_TRY(schema_, FromArrow(*schema));
    FIRN_TRY(FileWriter writer,
             FileWriter::Start(*store_, "t.lance/data/f.lance", "f.lance", schema_, options, Deadline::Never()));
    for (const arrow::RecordBatch& batch : batches) FIRN_CHECK(writer.Append(batch, Deadline::Never()));
    return writer.Finish(Deadline::Never());
  }

  Result<arrow::RecordBatch> Read(const arrow::SchemaPtr& schema, const Fragment& fragment, const RowSelection& rows) {
    FileMetadataCache cache;
    const ReadContext context{*store_, "t.lance", schema_, cache, nullptr};
    std::vector<std::string> columns;
    for (const arrow::Field& field : schema->fields) columns.push_back(field.name);
    const FragmentRead read{&fragment, rows};
    FIRN_TRY(const auto batches, ReadFragments(context, {&read, 1}, columns, Deadline::Never()));
    return arrow::Concat(schema, batches[0]);
  }

  void ExpectRoundTrip(const arrow::SchemaPtr& schema, const std::vector<arrow::RecordBatch>& batches,
                       const WriterOptions& options = {}) {
    const arrow::RecordBatch expected = Must(arrow::Concat(schema, batches));
    const Fragment fragment = Must(Write(schema, batches, options));
    ASSERT_EQ(fragment.physical_rows, static_cast<std::uint64_t>(expected.rows));
    if (expected.rows == 0) return;
    const auto all = Read(schema, fragment, RowSelection::Rows(0, fragment.physical_rows));
    ASSERT_TRUE(all) << all.error().ToString();
    for (std::size_t i = 0; i < expected.columns.size(); i++) {
      ASSERT_TRUE(arrow::Equal(all->columns[i], expected.columns[i])) << schema->fields[i].name;
    }
    std::vector<std::uint32_t> some;
    for (std::int64_t row = 0; row < expected.rows; row += 1 + row % 13)
      some.push_back(static_cast<std::uint32_t>(row));
    const auto taken = Read(schema, fragment, RowSelection::Offsets(some));
    ASSERT_TRUE(taken) << taken.error().ToString();
    const std::vector<std::int64_t> indices(some.begin(), some.end());
    for (std::size_t i = 0; i < expected.columns.size(); i++) {
      ASSERT_TRUE(arrow::Equal(taken->columns[i], arrow::Take(expected.columns[i], indices)))
          << "taken " << schema->fields[i].name;
    }
  }

  std::unique_ptr<store::ObjectStore> store_ = store::OpenMemory("test", SystemClock());
  Schema schema_;
};

arrow::SchemaPtr EveryStorableType(bool nullable) {
  auto schema = std::make_shared<arrow::Schema>();
  const auto add = [&](std::string name, arrow::TypePtr type) {
    schema->fields.push_back({std::move(name), std::move(type), nullable, {}});
  };
  for (const TypeId id :
       {TypeId::kBool, TypeId::kInt8, TypeId::kInt16, TypeId::kInt32, TypeId::kInt64, TypeId::kUInt8, TypeId::kUInt16,
        TypeId::kUInt32, TypeId::kUInt64, TypeId::kFloat16, TypeId::kFloat32, TypeId::kFloat64, TypeId::kDate32,
        TypeId::kDate64, TypeId::kUtf8, TypeId::kLargeUtf8, TypeId::kBinary, TypeId::kLargeBinary}) {
    add(Simple(id)->ToString(), Simple(id));
  }
  if (nullable) add("null", Simple(TypeId::kNull));
  add("decimal", arrow::Decimal128(20, 2));
  add("time32", arrow::Time32(arrow::TimeUnit::kSecond));
  add("stamp", arrow::Timestamp(arrow::TimeUnit::kMicro, "UTC"));
  add("fixed", arrow::FixedSizeBinary(7));
  add("wide", arrow::FixedSizeBinary(300));
  for (const TypeId id : {TypeId::kFloat16, TypeId::kFloat32, TypeId::kFloat64, TypeId::kUInt8, TypeId::kInt8}) {
    add("vector of " + Simple(id)->ToString(), arrow::FixedSizeList(Simple(id), 5));
  }
  const arrow::TypePtr pair =
      arrow::Struct({{"x", Simple(TypeId::kInt32), nullable, {}}, {"y", Simple(TypeId::kUtf8), nullable, {}}});
  add("list", arrow::List(Simple(TypeId::kInt32), nullable));
  add("flags", arrow::List(Simple(TypeId::kBool), nullable));
  add("texts", arrow::LargeList(Simple(TypeId::kUtf8), nullable));
  add("lists", arrow::List(arrow::List(Simple(TypeId::kInt16), nullable), nullable));
  add("vectors", arrow::List(arrow::FixedSizeList(Simple(TypeId::kFloat32), 3), nullable));
  add("pair", pair);
  add("pairs", arrow::List(pair, nullable));
  add("deep", arrow::Struct({{"a",
                              arrow::List(arrow::Struct({{"b", arrow::List(pair, nullable), nullable, {}}}), nullable),
                              nullable,
                              {}}}));
  return schema;
}

TEST_F(FileWriterTest, EveryTypeComesBack) {
  for (const bool nullable : {false, true}) {
    const arrow::SchemaPtr schema = EveryStorableType(nullable);
    for (const std::int64_t rows : {1, 2, 9, 700, 5000}) {
      for (const FileVersion version : {FileVersion{2, 1}, FileVersion{2, 2}}) {
        Random random(static_cast<std::uint64_t>(rows));
        SCOPED_TRACE(std::to_string(rows) + (nullable ? " rows with nulls" : " rows"));
        ExpectRoundTrip(schema, {RandomBatch(schema, rows, {}, random)}, {.version = version});
      }
    }
  }
}

TEST_F(FileWriterTest, BatchesAndPagesOfAnySizeComeBack) {
  const arrow::SchemaPtr schema = EveryStorableType(true);
  for (std::uint64_t seed = 1; seed <= 12; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    const Shape shape{random.Unit(), random.Unit(), 1 + random.Below(20), random.Below(400)};
    std::vector<arrow::RecordBatch> batches;
    for (int i = 0; i < 5; i++) {
      batches.push_back(RandomBatch(schema, static_cast<std::int64_t>(random.Below(120)), shape, random));
    }
    // Slices, so that no buffer begins where it was allocated.
    for (arrow::RecordBatch& batch : batches) {
      const std::int64_t skip = std::min<std::int64_t>(batch.rows, 3);
      batch = batch.Slice(skip, batch.rows - skip);
    }
    ExpectRoundTrip(schema, batches, {.page_bytes = 1 + random.Below(5000)});
  }
}

TEST_F(FileWriterTest, LongRunsOfEmptyListsComeBack) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"l", arrow::List(Simple(TypeId::kInt64)), true, {}},
                    {"b", arrow::List(Simple(TypeId::kBool)), true, {}}};
  arrow::RecordBatch batch{schema, {}, 60'000};
  for (const arrow::Field& field : schema->fields) {
    Builder builder(field.type);
    for (int row = 0; row < 60'000; row++) {
      if (row == 30'000)
        AppendRandom(builder.child(0), {"", field.type->children[0].type, false, {}}, {}, *std::make_unique<Random>(1));
      if (row % 3 == 1) {
        builder.AppendNull();
      } else {
        builder.CloseList();
      }
    }
    batch.columns.push_back(builder.Finish());
  }
  ExpectRoundTrip(schema, {batch});
}

TEST_F(FileWriterTest, OneRowWithManyEmptyListsComesBack) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"l", arrow::List(arrow::List(Simple(TypeId::kInt64))), true, {}}};
  Builder builder(schema->fields[0].type);
  for (int i = 0; i < 50'000; i++) {
    if (i % 20'000 == 10'000) builder.child(0).child(0).AppendInteger(i);
    builder.child(0).CloseList();
  }
  builder.CloseList();
  ExpectRoundTrip(schema, {{schema, {builder.Finish()}, 1}});
}

TEST_F(FileWriterTest, ValuesOfAnyLengthComeBack) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"t", Simple(TypeId::kUtf8), true, {}}, {"l", Simple(TypeId::kLargeBinary), true, {}}};
  arrow::RecordBatch batch{schema, {}, 0};
  for (const arrow::Field& field : schema->fields) {
    Builder builder(field.type);
    for (const std::size_t length : {0U, 1U, 255U, 256U, 8191U, 8192U, 8193U, 40'000U, 3'000'000U}) {
      builder.AppendBytes(std::string(length, 'x'));
      builder.AppendNull();
    }
    batch.rows = builder.length();
    batch.columns.push_back(builder.Finish());
  }
  ExpectRoundTrip(schema, {batch});
  ExpectRoundTrip(schema, {batch.Slice(0, 12)});
}

TEST_F(FileWriterTest, VectorsGoToTheStoreAsTheyAre) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"v", arrow::FixedSizeList(Simple(TypeId::kFloat32), 64), false, {}}};
  Random random(3);
  std::vector<arrow::RecordBatch> batches;
  for (int i = 0; i < 7; i++) batches.push_back(RandomBatch(schema, 100, {.null_share = 0}, random));
  ExpectRoundTrip(schema, batches, {.page_bytes = 64 * 4 * 150});
}

TEST_F(FileWriterTest, BatchesMayBeStricterAboutNullsThanTheTable) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"v", arrow::FixedSizeList(Simple(TypeId::kInt8), 2), true, {}}};
  auto strict = std::make_shared<arrow::Schema>();
  strict->fields = {{"v", arrow::FixedSizeList(Simple(TypeId::kInt8), 2, false), false, {}}};
  Random random(1);
  const Schema lance = Must(FromArrow(*schema));
  auto writer = FileWriter::Start(*store_, "f", "f", lance, {}, Deadline::Never());
  ASSERT_TRUE(writer);
  ASSERT_TRUE(writer->Append(RandomBatch(schema, 5, {}, random), Deadline::Never()));
  ASSERT_TRUE(writer->Append(RandomBatch(strict, 5, {}, random), Deadline::Never()));
  EXPECT_TRUE(writer->Finish(Deadline::Never()));
}

TEST_F(FileWriterTest, AFileWithoutRowsIsAFile) {
  const arrow::SchemaPtr schema = EveryStorableType(true);
  const Fragment fragment = Must(Write(schema, {}));
  EXPECT_EQ(fragment.physical_rows, 0U);
  EXPECT_GT(fragment.files[0].size_bytes, 0U);
}

TEST_F(FileWriterTest, TheFragmentNamesLeavesAndTheObjectsSize) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"a", arrow::List(Simple(TypeId::kInt32)), true, {}}, {"b", Simple(TypeId::kInt32), true, {}}};
  Random random(1);
  const Fragment fragment = Must(Write(schema, {RandomBatch(schema, 10, {}, random)}));
  const DataFile& file = fragment.files.at(0);
  EXPECT_EQ(file.path, "f.lance");
  EXPECT_EQ(file.field_ids, (std::vector<std::int32_t>{1, 2}));  // 0 is the list itself
  EXPECT_EQ(file.column_indices, (std::vector<std::int32_t>{0, 1}));
  const auto object = Must(store::Read(*store_, store::ReadRequest::Whole("t.lance/data/f.lance"), Deadline::Never()));
  EXPECT_EQ(file.size_bytes, object.object_size_bytes);
}

TEST_F(FileWriterTest, WrongBatchesAreRefusedByColumnAndLeaveTheFileAlone) {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"id", Simple(TypeId::kInt32), false, {}},
                    {"tags", arrow::List(Simple(TypeId::kUtf8), false), true, {}}};
  const Schema lance = Must(FromArrow(*schema));
  auto writer = FileWriter::Start(*store_, "f", "f", lance, {}, Deadline::Never());
  ASSERT_TRUE(writer);
  Random random(1);
  const arrow::RecordBatch good = RandomBatch(schema, 5, {}, random);
  const auto refuses = [&](const arrow::RecordBatch& batch, std::string_view column) {
    const Status status = writer->Append(batch, Deadline::Never());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(status.error().message.find(column), std::string::npos) << status.error().message;
  };
  refuses({schema, {arrow::Nulls(schema->fields[0].type, 5), good.columns[1]}, 5}, "id");
  Builder tags(schema->fields[1].type);
  tags.child(0).AppendNull();
  tags.CloseList();
  refuses({schema, {good.columns[0].Slice(0, 1), tags.Finish()}, 1}, "tags");
  refuses({schema, {good.columns[1], good.columns[1]}, 5}, "id");
  refuses({schema, {good.columns[0]}, 5}, "columns");
  refuses({schema, {good.columns[0].Slice(0, 4), good.columns[1]}, 5}, "id");
  auto other = std::make_shared<arrow::Schema>(*schema);
  other->fields[1].name = "labels";
  refuses({other, good.columns, 5}, "labels");
  ASSERT_TRUE(writer->Append(good, Deadline::Never()));
  EXPECT_EQ(Must(writer->Finish(Deadline::Never())).physical_rows, 5U);
}

TEST_F(FileWriterTest, TypesThatCannotBeStoredAreSaidAtTheStart) {
  for (const arrow::TypePtr& type :
       {arrow::FixedSizeList(Simple(TypeId::kBool), 8),
        arrow::List(arrow::FixedSizeList(arrow::FixedSizeList(Simple(TypeId::kInt8), 2), 2))}) {
    const Schema schema = Must(FromArrow({{{"c", type, true, {}}}, {}}));
    const auto writer = FileWriter::Start(*store_, "f", "f", schema, {}, Deadline::Never());
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().kind, ErrorKind::kUnsupported);
  }
  EXPECT_FALSE(FileWriter::Start(*store_, "f", "f", SmallSchema(), {.version = {2, 0}}, Deadline::Never()));
}

TEST_F(FileWriterTest, AFileThatFailedIsNeverFinished) {
  ManualClock clock;
  int appends = 0;
  const store::FaultPlan third_append_fails = [&](const store::OperationInfo& info) {
    const bool fails = info.operation == store::StoreOperation::kAppend && ++appends == 3;
    return store::FaultDecision{fails ? store::Fault::kFailBefore : store::Fault::kNone, ErrorKind::kInternal, {}};
  };
  store::FaultyStore faulty(store::Borrow(*store_), third_append_fails, clock);
  const arrow::SchemaPtr schema = EveryStorableType(false);
  const Schema lance = Must(FromArrow(*schema));
  auto writer = FileWriter::Start(faulty, "f", "f", lance, {.page_bytes = 1000}, Deadline::Never());
  ASSERT_TRUE(writer);
  Random random(1);
  EXPECT_FALSE(writer->Append(RandomBatch(schema, 500, {}, random), Deadline::Never()));
  EXPECT_FALSE(writer->Finish(Deadline::Never()));
  EXPECT_FALSE(store::Read(*store_, store::ReadRequest::Whole("f"), Deadline::Never()));
}

TEST(DataFileNames, DoNotRepeat) {
  Random random(1);
  const std::string name = NewDataFileName(random);
  EXPECT_EQ(name.size(), 38U);
  EXPECT_NE(name, NewDataFileName(random));
}

}  // namespace
}  // namespace firn::lance
