#include "table/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "arrow/builder.h"
#include "store/memory/memory_store.h"

namespace firn::table {
namespace {

using arrow::Builder;
using arrow::RecordBatch;
using arrow::TypeId;
using testing::ElementsAre;
using testing::HasSubstr;

arrow::SchemaPtr DocsSchema() {
  return std::make_shared<const arrow::Schema>(
      arrow::Schema{{{"id", arrow::Simple(TypeId::kInt64), false, {}},
                     {"text", arrow::Simple(TypeId::kUtf8), true, {}},
                     {"vector", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 3), true, {}}},
                    {}});
}

/// Rows first..first+count: id i, text "doc i" (null when i % 5 == 4), vector {i, i/2, 1}.
RecordBatch Docs(std::int64_t first, std::int64_t count) {
  const arrow::SchemaPtr schema = DocsSchema();
  std::vector<Builder> builders;
  for (const arrow::Field& field : schema->fields) builders.emplace_back(field.type);
  for (std::int64_t i = first; i < first + count; i++) {
    builders[0].Append(i);
    if (i % 5 == 4) {
      builders[1].AppendNull();
    } else {
      builders[1].AppendBytes("doc " + std::to_string(i));
    }
    for (const float value : {static_cast<float>(i), static_cast<float>(i) / 2, 1.0F})
      builders[2].child(0).Append(value);
    builders[2].CloseList();
  }
  RecordBatch batch{schema, {}, count};
  for (Builder& builder : builders) batch.columns.push_back(builder.Finish());
  return batch;
}

class TableTest : public testing::Test {
 protected:
  Result<AppendResult> Create(const std::string& name, std::vector<RecordBatch> batches,
                              CreateMode mode = CreateMode::kCreate) {
    const auto source = arrow::FromBatches(batches.empty() ? DocsSchema() : batches[0].schema, std::move(batches));
    return database_.Create(name, *source, mode, {}, Deadline::Never());
  }
  Result<AppendResult> Append(const std::string& name, RecordBatch batch) {
    const auto source = arrow::FromBatches(batch.schema, {batch});
    return database_.Append(name, *source, {}, Deadline::Never());
  }
  SnapshotPtr Open(const std::string& name) { return database_.Open(name, std::nullopt, Deadline::Never()).value(); }
  std::vector<std::int64_t> Ids(const Snapshot& snapshot, ScanRequest request) {
    request.columns = {"id"};
    std::vector<std::int64_t> ids;
    const Status status = snapshot.Scan(
        request,
        [&](const RecordBatch& batch) -> Result<bool> {
          const auto values = batch.columns[0].Values<std::int64_t>();
          ids.insert(ids.end(), values.begin(), values.end());
          return true;
        },
        Deadline::Never());
    EXPECT_TRUE(status) << status.error().ToString();
    return ids;
  }

  ManualClock clock_;
  Random random_{1};
  Log log_{LogLevel::kOff, clock_};
  TaskPool pool_{4};
  lance::FileMetadataCache cache_;
  std::unique_ptr<store::ObjectStore> store_ = store::OpenMemory("test", clock_);
  Database database_{Environment{*store_, clock_, random_, log_, pool_, cache_}};
};

TEST_F(TableTest, WhatWasWrittenIsReadBack) {
  ASSERT_EQ(Create("docs", {Docs(0, 10), Docs(10, 5)}).value().rows, 15U);
  const SnapshotPtr snapshot = Open("docs");
  EXPECT_EQ(snapshot->version(), 1U);
  EXPECT_EQ(snapshot->LiveRows(), 15U);
  std::vector<RecordBatch> read;
  ASSERT_TRUE(snapshot->Scan(
      {},
      [&](RecordBatch batch) -> Result<bool> {
        read.push_back(std::move(batch));
        return true;
      },
      Deadline::Never()));
  const RecordBatch all = arrow::Concat(read.at(0).schema, read).value();
  EXPECT_TRUE(arrow::Equal(*all.schema, *DocsSchema()));
  const RecordBatch expected = Docs(0, 15);
  for (std::size_t c = 0; c < 3; c++) EXPECT_TRUE(arrow::Equal(all.columns[c], expected.columns[c])) << c;
}

TEST_F(TableTest, ScanFiltersThenCutsOffsetAndLimit) {
  ASSERT_TRUE(Create("docs", {Docs(0, 20)}));
  ASSERT_TRUE(Append("docs", Docs(20, 20)));
  const SnapshotPtr snapshot = Open("docs");
  EXPECT_THAT(Ids(*snapshot, {.columns = {}, .filter = "id % 7 = 0", .limit = 3, .offset = 1}), ElementsAre(7, 14, 21));
  EXPECT_THAT(Ids(*snapshot, {.columns = {}, .filter = "text IS NULL AND id > 30"}), ElementsAre(34, 39));
  EXPECT_THAT(Ids(*snapshot, {.columns = {}, .filter = "", .limit = 2, .offset = 39}), ElementsAre(39));
  EXPECT_THAT(Ids(*snapshot, {.columns = {}, .filter = "", .limit = 0}), ElementsAre());
  EXPECT_EQ(snapshot->CountRows("id >= 35", Deadline::Never()).value(), 5U);
  EXPECT_EQ(snapshot->CountRows("", Deadline::Never()).value(), 40U);
}

TEST_F(TableTest, TakeGivesRowsInTheOrderAskedWithRepeats) {
  ASSERT_TRUE(Create("docs", {Docs(0, 10)}));
  ASSERT_TRUE(Append("docs", Docs(10, 10)));
  const std::vector<lance::RowAddress> addresses = {lance::MakeRowAddress(1, 3), 4, lance::MakeRowAddress(1, 3), 0};
  const RecordBatch rows = Open("docs")->Take(addresses, std::nullopt, true, Deadline::Never()).value();
  EXPECT_THAT(rows.Column("id")->Values<std::int64_t>(), ElementsAre(13, 4, 13, 0));
  EXPECT_THAT(rows.Column("_rowid")->Values<std::uint64_t>(), testing::ElementsAreArray(addresses));
  const auto missing = Open("docs")->Take(std::vector<lance::RowAddress>{10}, std::nullopt, false, Deadline::Never());
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
}

TEST_F(TableTest, PiecesCoverExactlyTheMatchingRows) {
  ASSERT_TRUE(Create("docs", {Docs(0, 100)}));
  ASSERT_TRUE(Append("docs", Docs(100, 100)));
  const SnapshotPtr snapshot = Open("docs");
  for (const std::string filter : {"id >= 0", "id % 2 = 0", "id = 17", "id < 0", "id % 50 = 1"}) {
    const filter::Predicate predicate = snapshot->Bind(filter).value();
    std::mutex mutex;
    std::vector<std::int64_t> seen;
    const std::vector<std::string> columns = {"id"};
    ASSERT_TRUE(snapshot->ScanPieces(
        {.columns = columns, .predicate = &predicate},
        [&](const Snapshot::Piece& piece) -> Status {
          const std::lock_guard lock(mutex);
          const auto ids = piece.batch.columns[0].Values<std::int64_t>();
          const auto add = [&](std::int64_t row) {
            const std::int64_t id = ids[static_cast<std::size_t>(row)];
            EXPECT_EQ(static_cast<std::int64_t>(piece.fragment->id * 100 + piece.OffsetOf(row)), id);
            seen.push_back(id);
          };
          if (piece.every_row) {
            for (std::int64_t row = 0; row < piece.batch.rows; row++) add(row);
          } else {
            for (const std::int64_t row : piece.selected) add(row);
          }
          return {};
        },
        Deadline::Never()));
    std::ranges::sort(seen);
    EXPECT_EQ(seen, Ids(*snapshot, {.columns = {}, .filter = filter})) << filter;
  }
}

TEST_F(TableTest, FarApartRowsAreReadAloneAndKeepTheirOffsets) {
  const auto schema = std::make_shared<const arrow::Schema>(arrow::Schema{
      {{"id", arrow::Simple(TypeId::kInt64), true, {}}, {"text", arrow::Simple(TypeId::kUtf8), true, {}}}, {}});
  Builder ids(schema->fields[0].type);
  Builder texts(schema->fields[1].type);
  for (std::int64_t i = 0; i < 80; i++) {
    ids.Append(i);
    texts.AppendBytes(std::to_string(i) + std::string(40'000, 'x'));
  }
  ASSERT_TRUE(Create("wide", {{schema, {ids.Finish(), texts.Finish()}, 80}}));
  const SnapshotPtr snapshot = Open("wide");
  const filter::Predicate predicate = snapshot->Bind("id % 20 = 3").value();
  const std::vector<std::string> columns = {"text"};
  std::mutex mutex;
  std::map<std::uint64_t, std::string> seen;
  ASSERT_TRUE(snapshot->ScanPieces(
      {.columns = columns, .predicate = &predicate},
      [&](const Snapshot::Piece& piece) -> Status {
        const std::lock_guard lock(mutex);
        EXPECT_TRUE(piece.every_row) << "only the matching rows were read";
        for (std::int64_t row = 0; row < piece.batch.rows; row++) {
          const std::string_view text = piece.batch.columns[0].BytesAt(row);
          seen[piece.OffsetOf(row)] = text.substr(0, text.find('x'));
        }
        return {};
      },
      Deadline::Never()));
  EXPECT_THAT(seen, ElementsAre(testing::Pair(3, "3"), testing::Pair(23, "23"), testing::Pair(43, "43"),
                                testing::Pair(63, "63")));
}

TEST_F(TableTest, OldVersionsStayReadable) {
  ASSERT_TRUE(Create("docs", {Docs(0, 10)}));
  ASSERT_TRUE(Append("docs", Docs(10, 1)));
  ASSERT_TRUE(Create("docs", {Docs(50, 2)}, CreateMode::kOverwrite));
  EXPECT_THAT(Ids(*Open("docs"), {}), ElementsAre(50, 51));
  EXPECT_EQ(database_.Open("docs", 2, Deadline::Never()).value()->LiveRows(), 11U);
  EXPECT_EQ(database_.Open("docs", 9, Deadline::Never()).error().kind, ErrorKind::kNotFound);
  const auto versions = database_.Versions("docs", Deadline::Never()).value();
  ASSERT_EQ(versions.size(), 3U);
  EXPECT_EQ(versions[1].rows, 11U);
}

TEST_F(TableTest, CreateModes) {
  ASSERT_TRUE(Create("docs", {Docs(0, 3)}));
  EXPECT_EQ(Create("docs", {Docs(0, 3)}).error().kind, ErrorKind::kAlreadyExists);
  EXPECT_EQ(Create("docs", {Docs(0, 99)}, CreateMode::kExistOk).value().rows, 0U);
  EXPECT_EQ(Open("docs")->LiveRows(), 3U);
  ASSERT_TRUE(Create("empty", {}));
  EXPECT_EQ(Open("empty")->LiveRows(), 0U);
  ASSERT_TRUE(Append("empty", Docs(0, 3)));
  EXPECT_EQ(Open("empty")->LiveRows(), 3U);
}

TEST_F(TableTest, DroppedTablesAreGoneWholly) {
  ASSERT_TRUE(Create("docs", {Docs(0, 3)}));
  ASSERT_TRUE(Create("other", {Docs(0, 3)}));
  ASSERT_TRUE(database_.Drop("docs", Deadline::Never()));
  EXPECT_EQ(database_.Open("docs", std::nullopt, Deadline::Never()).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(database_.Drop("docs", Deadline::Never()).error().kind, ErrorKind::kNotFound);
  EXPECT_THAT(database_.ListTables("", 0, Deadline::Never()).value().names, ElementsAre("other"));
  store::ListRequest all;
  all.prefix = "docs";
  EXPECT_TRUE(store_->List(all, Deadline::Never()).value().objects.empty());
}

TEST_F(TableTest, TablesAreListedInPages) {
  for (const char* name : {"b", "a", "c", "a-b", "a.b"}) ASSERT_TRUE(Create(name, {Docs(0, 1)}));
  const TablePage first = database_.ListTables("", 2, Deadline::Never()).value();
  EXPECT_EQ(first.names.size(), 2U);
  std::vector<std::string> names = first.names;
  for (std::string token = first.next_token; !token.empty();) {
    const TablePage page = database_.ListTables(token, 2, Deadline::Never()).value();
    names.insert(names.end(), page.names.begin(), page.names.end());
    token = page.next_token;
  }
  std::ranges::sort(names);
  EXPECT_THAT(names, ElementsAre("a", "a-b", "a.b", "b", "c"));
}

TEST_F(TableTest, NamesThatCouldEscapeAreRefused) {
  const std::vector<std::string> names = {"", "..", "a/b", "../x", ".hidden", "a b", "a\n", std::string(256, 'x')};
  for (const std::string& name : names) {
    EXPECT_EQ(database_.Open(name, std::nullopt, Deadline::Never()).error().kind, ErrorKind::kInvalidArgument) << name;
  }
}

TEST_F(TableTest, AppendFitsColumnsByName) {
  ASSERT_TRUE(Create("docs", {Docs(0, 3)}));
  Builder id(arrow::Simple(TypeId::kInt32));
  id.AppendInteger(77);
  Builder vector(arrow::List(arrow::Simple(TypeId::kFloat64)));
  for (const double value : {1.0, 2.0, 3.0}) vector.child(0).Append(value);
  vector.CloseList();
  const auto schema = std::make_shared<const arrow::Schema>(
      arrow::Schema{{{"vector", arrow::List(arrow::Simple(TypeId::kFloat64)), true, {}},
                     {"id", arrow::Simple(TypeId::kInt32), true, {}}},
                    {}});
  const auto appended = Append("docs", {schema, {vector.Finish(), id.Finish()}, 1});
  ASSERT_TRUE(appended) << appended.error().ToString();
  const RecordBatch row =
      Open("docs")
          ->Take(std::vector<lance::RowAddress>{lance::MakeRowAddress(1, 0)}, std::nullopt, false, Deadline::Never())
          .value();
  EXPECT_THAT(row.Column("id")->Values<std::int64_t>(), ElementsAre(77));
  EXPECT_TRUE(row.Column("text")->IsNull(0));
  EXPECT_THAT(row.Column("vector")->child(0).Values<float>(), ElementsAre(1, 2, 3));
}

class BadAppend : public TableTest {
 protected:
  void SetUp() override { ASSERT_TRUE(Create("docs", {Docs(0, 3)})); }
  /// Appends one row of one extra or changed column; nothing may be written.
  Error AppendOne(const std::string& name, const arrow::TypePtr& type, const std::function<void(Builder&)>& fill) {
    RecordBatch batch = Docs(3, 1);
    auto schema = std::make_shared<arrow::Schema>(*batch.schema);
    Builder builder(type);
    fill(builder);
    if (const auto index = schema->IndexOf(name)) {
      schema->fields[*index].type = type;
      batch.columns[*index] = builder.Finish();
    } else {
      schema->fields.push_back({name, type, true, {}});
      batch.columns.push_back(builder.Finish());
    }
    batch.schema = schema;
    const auto appended = Append("docs", batch);
    EXPECT_FALSE(appended);
    EXPECT_EQ(Open("docs")->version(), 1U) << "nothing may be written";
    return appended ? Error{} : appended.error();
  }
};

TEST_F(BadAppend, NamesColumnAndRow) {
  const auto vector = [](std::vector<float> values) {
    return [values](Builder& builder) {
      for (const float value : values) builder.child(0).Append(value);
      builder.CloseList();
    };
  };
  EXPECT_THAT(AppendOne("vector", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 2), vector({1, 2})).message,
              HasSubstr("row 0, column \"vector\": a vector of 2 values where the table has 3"));
  EXPECT_THAT(
      AppendOne("vector", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 3), vector({1, NAN, 2})).message,
      HasSubstr("row 0, column \"vector\": the vector holds NaN"));
  EXPECT_THAT(AppendOne("id", arrow::Simple(TypeId::kUtf8), [](Builder& b) { b.AppendBytes("x"); }).message,
              HasSubstr("column \"id\" is int64"));
  EXPECT_THAT(AppendOne("id", arrow::Simple(TypeId::kInt64), [](Builder& b) { b.AppendNull(); }).message,
              HasSubstr("row 0, column \"id\": null"));
  EXPECT_THAT(AppendOne("extra", arrow::Simple(TypeId::kInt64), [](Builder& b) { b.AppendInteger(1); }).message,
              HasSubstr("no column \"extra\""));
  EXPECT_THAT(AppendOne("id", arrow::Simple(TypeId::kUInt64), [](Builder& b) { b.Append(~std::uint64_t{0}); }).message,
              HasSubstr("does not fit int64"));
}

TEST_F(TableTest, ConcurrentAppendsLoseNothingAndShareCommits) {
  ASSERT_TRUE(Create("docs", {}));
  constexpr int kThreads = 8;
  constexpr int kAppends = 25;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; t++) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kAppends; i++) {
        const auto appended = Append("docs", Docs(t * kAppends + i, 1));
        EXPECT_TRUE(appended) << appended.error().ToString();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::vector<std::int64_t> ids = Ids(*Open("docs"), {});
  std::ranges::sort(ids);
  ASSERT_EQ(ids.size(), static_cast<std::size_t>(kThreads * kAppends));
  for (std::size_t i = 0; i < ids.size(); i++) EXPECT_EQ(ids[i], static_cast<std::int64_t>(i));
}

TEST_F(TableTest, SchemasThatNoTableCanHaveAreRefused) {
  const auto refused = [&](std::vector<arrow::Field> fields) {
    const auto schema = std::make_shared<const arrow::Schema>(arrow::Schema{std::move(fields), {}});
    const auto source = arrow::FromBatches(schema, {});
    const auto created = database_.Create("t", *source, CreateMode::kCreate, {}, Deadline::Never());
    return !created && created.error().kind == ErrorKind::kInvalidArgument;
  };
  const arrow::TypePtr integer = arrow::Simple(TypeId::kInt64);
  EXPECT_TRUE(refused({}));
  EXPECT_TRUE(refused({{"", integer, true, {}}}));
  EXPECT_TRUE(refused({{"a", integer, true, {}}, {"a", integer, true, {}}}));
  EXPECT_TRUE(refused({{"_distance", integer, true, {}}}));
  EXPECT_TRUE(refused({{"v", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 0), true, {}}}));
  EXPECT_TRUE(refused({{"v", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), 100'000), true, {}}}));
}

}  // namespace
}  // namespace firn::table
