// How many dependent rounds a read of a large file costs: the promise of fragment_reader.h.

#include <gtest/gtest.h>

#include "arrow/builder.h"
#include "lance/file_writer.h"
#include "lance/fragment_reader.h"
#include "lance/read_round.h"
#include "store/counting.h"
#include "store/memory/memory_store.h"
#include "store/primed.h"
#include "store/recording.h"

namespace firn::lance {
namespace {

constexpr std::int64_t kRows = 60000;
constexpr int kDimension = 64;
const Deadline kNever = Deadline::Never();

arrow::RecordBatch ManyRows() {
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"id", arrow::Simple(arrow::TypeId::kInt64), true, {}},
                    {"vector", arrow::FixedSizeList(arrow::Simple(arrow::TypeId::kFloat32), kDimension), true, {}},
                    {"text", arrow::Simple(arrow::TypeId::kUtf8), true, {}}};
  arrow::Builder id(schema->fields[0].type);
  arrow::Builder vector(schema->fields[1].type);
  arrow::Builder text(schema->fields[2].type);
  for (std::int64_t row = 0; row < kRows; row++) {
    id.Append<std::int64_t>(row * 7);
    for (int i = 0; i < kDimension; i++) vector.child(0).Append<float>(static_cast<float>(row + i));
    vector.CloseList();
    if (row % 10 == 3) {
      text.AppendNull();
    } else {
      text.AppendBytes("the row number " + std::to_string(row));
    }
  }
  return {schema, {id.Finish(), vector.Finish(), text.Finish()}, kRows};
}

class FragmentRounds : public testing::Test {
 protected:
  static void SetUpTestSuite() { batch_ = new arrow::RecordBatch(ManyRows()); }
  static void TearDownTestSuite() { delete std::exchange(batch_, nullptr); }

  void SetUp() override {
    auto memory = store::OpenMemory("rounds", SystemClock());
    Result<Schema> schema = FromArrow(*batch_->schema);
    ASSERT_TRUE(schema);
    schema_ = *schema;
    Result<FileWriter> writer =
        FileWriter::Start(*memory, "t/data/f.lance", "f.lance", schema_, WriterOptions{}, Deadline::Never());
    ASSERT_TRUE(writer) << writer.error().ToString();
    ASSERT_TRUE(writer->Append(*batch_, Deadline::Never()));
    Result<Fragment> fragment = writer->Finish(Deadline::Never());
    ASSERT_TRUE(fragment) << fragment.error().ToString();
    fragment_ = *fragment;
    ASSERT_GT(fragment_.files.at(0).size_bytes, 16U << 20);
    store_ = std::make_unique<store::CountingStore>(std::move(memory), counter_);
  }

  /// Reads, compares with what was written, and says what it cost.
  store::StoreCounts Read(const RowSelection& rows, const std::vector<std::string>& columns) {
    const store::StoreCounts before = counter_.Counts();
    const ReadContext context{*store_, "t", schema_, cache_};
    const FragmentRead read{&fragment_, rows};
    const auto batches = ReadFragments(context, {&read, 1}, columns, Deadline::Never());
    EXPECT_TRUE(batches) << batches.error().ToString();
    if (!batches) return {};
    const auto whole = arrow::Concat(batches->at(0).at(0).schema, batches->at(0));
    EXPECT_TRUE(whole);
    std::vector<std::int64_t> indices;
    for (const RowSelection::Range& range : rows.ranges) {
      for (std::uint64_t row = range.begin; row < range.end; row++) indices.push_back(static_cast<std::int64_t>(row));
    }
    for (std::size_t i = 0; i < columns.size(); i++) {
      EXPECT_TRUE(arrow::Equal(whole->columns[i], arrow::Take(*batch_->Column(columns[i]), indices))) << columns[i];
    }
    return counter_.Counts() - before;
  }

  inline static arrow::RecordBatch* batch_ = nullptr;
  Schema schema_;
  Fragment fragment_;
  store::StoreCounter counter_;
  std::unique_ptr<store::ObjectStore> store_;
  FileMetadataCache cache_;
};

const std::vector<std::uint32_t> kSomeRows = {17, 18, 4000, 31000, 59999};

TEST_F(FragmentRounds, AScanCostsTheTailAndTheValues) {
  EXPECT_EQ(Read(RowSelection::Rows(0, kRows), {"id", "vector", "text"}).rounds(), 2U);
}

TEST_F(FragmentRounds, AScanWithAKnownFooterCostsTheValues) {
  Read(RowSelection::Rows(0, 1), {"id", "vector", "text"});
  EXPECT_EQ(Read(RowSelection::Rows(0, kRows), {"id", "vector", "text"}).rounds(), 1U);
}

TEST_F(FragmentRounds, VectorsByRowCostTheTailAndTheValues) {
  const store::StoreCounts cold = Read(RowSelection::Offsets(kSomeRows), {"vector"});
  EXPECT_EQ(cold.rounds(), 2U);
  EXPECT_LT(cold.bytes_read(), 128U << 10);
  const store::StoreCounts warm = Read(RowSelection::Offsets(kSomeRows), {"vector"});
  EXPECT_EQ(warm.rounds(), 1U);
  EXPECT_EQ(warm.bytes_read(), kSomeRows.size() * kDimension * sizeof(float));
}

TEST_F(FragmentRounds, SmallValuesByRowLookIntoChunkTablesOnce) {
  const store::StoreCounts cold = Read(RowSelection::Offsets(kSomeRows), {"id", "text"});
  EXPECT_LE(cold.rounds(), 3U);
  EXPECT_LT(cold.bytes_read(), 512U << 10);
  const store::StoreCounts warm = Read(RowSelection::Offsets(kSomeRows), {"id", "text"});
  EXPECT_EQ(warm.rounds(), 1U);
}

TEST_F(FragmentRounds, SmallValuesByRowCostOneRoundAfterTheirPagesAreLearnt) {
  const std::vector<std::string> columns = {"id", "vector", "text"};
  const ReadContext context{*store_, "t", schema_, cache_};
  const KnownEnds nothing;
  ReadRound round(*store_, nothing);
  ASSERT_TRUE(LearnPages(context, fragment_, columns, round, Deadline::Never()));
  EXPECT_EQ(counter_.Counts().rounds(), 2U);
  EXPECT_EQ(Read(RowSelection::Offsets(kSomeRows), columns).rounds(), 1U);
}

TEST_F(FragmentRounds, BatchesOfVectorsAreNoLargerThanOneRead) {
  const ReadContext context{*store_, "t", schema_, cache_};
  const FragmentRead read{&fragment_, RowSelection::Rows(0, kRows)};
  const std::string column = "vector";
  const auto batches = ReadFragments(context, {&read, 1}, {&column, 1}, Deadline::Never());
  ASSERT_TRUE(batches);
  for (const arrow::RecordBatch& batch : batches->at(0)) EXPECT_LE(arrow::SizeBytes(batch.columns[0]), 8U << 20);
}

// ---- metadata read ahead --------------------------------------------------------------------------------------------

constexpr std::int64_t kKindRows = 20000;

/// Large pages of every kind: mini-block with and without lists and dictionary, full-zip with and without an index.
arrow::RecordBatch EveryKind() {
  const arrow::TypePtr f32 = arrow::Simple(arrow::TypeId::kFloat32);
  const arrow::TypePtr i64 = arrow::Simple(arrow::TypeId::kInt64);
  const arrow::TypePtr utf8 = arrow::Simple(arrow::TypeId::kUtf8);
  auto schema = std::make_shared<arrow::Schema>();
  schema->fields = {{"number", i64, true, {}},
                    {"text", utf8, true, {}},
                    {"long_text", utf8, true, {}},
                    {"few", utf8, true, {}},
                    {"same", i64, true, {}},
                    {"list", arrow::List(i64), true, {}},
                    {"vector", arrow::FixedSizeList(f32, 64), true, {}},
                    {"vectors", arrow::List(arrow::FixedSizeList(f32, 64)), true, {}},
                    {"pair", arrow::Struct({{"a", i64, true, {}}, {"b", utf8, true, {}}}), true, {}}};
  std::vector<arrow::Builder> columns;
  for (const arrow::Field& field : schema->fields) columns.emplace_back(field.type);
  Random random(5);
  const auto append_number = [&](arrow::Builder& to) { to.Append(static_cast<std::int64_t>(random.Next())); };
  const auto append_text = [&](arrow::Builder& to, std::size_t size) {
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>(' ' + random.Below(95));
    to.AppendBytes(text);
  };
  const auto append_vector = [&](arrow::Builder& to) {
    for (int i = 0; i < 64; i++) to.child(0).Append(static_cast<float>(random.Unit()));
    to.CloseList();
  };
  for (std::int64_t row = 0; row < kKindRows; row++) {
    if (row % 11 == 5) {
      for (arrow::Builder& column : columns) column.AppendNull();
      continue;
    }
    append_number(columns[0]);
    append_text(columns[1], random.Below(60));
    append_text(columns[2], 300 + random.Below(100));
    columns[3].AppendBytes("one of a few long values, number " + std::to_string(random.Below(300)));
    columns[4].Append<std::int64_t>(7);
    for (std::uint64_t i = random.Below(8); i > 0; i--) append_number(columns[5].child(0));
    columns[5].CloseList();
    append_vector(columns[6]);
    for (std::uint64_t i = random.Below(3); i > 0; i--) append_vector(columns[7].child(0));
    columns[7].CloseList();
    append_number(columns[8].child(0));
    append_text(columns[8].child(1), 20 + random.Below(20));
    columns[8].CloseStruct();
  }
  arrow::RecordBatch batch{schema, {}, kKindRows};
  for (arrow::Builder& column : columns) batch.columns.push_back(column.Finish());
  return batch;
}

/// Two fragments of a large file each; what is read through `store` is counted.
class MetadataAhead : public testing::Test {
 protected:
  static void SetUpTestSuite() { batch_ = new arrow::RecordBatch(EveryKind()); }
  static void TearDownTestSuite() { delete std::exchange(batch_, nullptr); }

  void SetUp() override {
    schema_ = *FromArrow(*batch_->schema);
    for (std::uint64_t i = 0; i < 2; i++) {
      const std::string path = "f" + std::to_string(i) + ".lance";
      auto writer = FileWriter::Start(*memory_, "t/data/" + path, path, schema_, WriterOptions{}, kNever);
      ASSERT_TRUE(writer && writer->Append(*batch_, kNever));
      Result<Fragment> fragment = writer->Finish(kNever);
      ASSERT_TRUE(fragment) << fragment.error().ToString();
      fragment->id = i;
      fragments_[i] = *std::move(fragment);
    }
    for (const arrow::Field& field : batch_->schema->fields) columns_.push_back(field.name);
  }

  ReadContext Through(store::ObjectStore& store, FileMetadataCache& cache) const {
    return {store, "t", schema_, cache};
  }
  Status ReadAhead(const ReadContext& context) const {
    return ReadMetadata(context, std::vector{&fragments_[0], &fragments_[1]}, columns_, kNever);
  }

  /// Reads rows of both fragments and compares; how many rounds that took.
  std::uint64_t Rounds(const ReadContext& context, const RowSelection& rows, const std::vector<std::string>& columns) {
    const store::StoreCounts before = counter_.Counts();
    const std::vector<FragmentRead> reads = {{&fragments_[0], rows}, {&fragments_[1], rows}};
    const auto batches = ReadFragments(context, reads, columns, kNever);
    EXPECT_TRUE(batches) << batches.error().ToString();
    if (!batches) return 0;
    std::vector<std::int64_t> indices;
    for (const RowSelection::Range& range : rows.ranges) {
      for (std::uint64_t row = range.begin; row < range.end; row++) indices.push_back(static_cast<std::int64_t>(row));
    }
    for (const auto& list : *batches) {
      const auto whole = arrow::Concat(list.at(0).schema, list);
      EXPECT_TRUE(whole);
      for (std::size_t i = 0; i < columns.size(); i++) {
        EXPECT_TRUE(arrow::Equal(whole->columns[i], arrow::Take(*batch_->Column(columns[i]), indices))) << columns[i];
      }
    }
    return (counter_.Counts() - before).rounds();
  }

  static std::vector<RowSelection> SomeSelections() {
    const std::vector<std::uint32_t> scattered = {0, 17, 18, 4000, 11111, 19999};
    return {RowSelection::Offsets(scattered), RowSelection::Rows(12345, 12346), RowSelection::Rows(100, 400)};
  }

  inline static arrow::RecordBatch* batch_ = nullptr;
  Schema schema_;
  Fragment fragments_[2];
  std::vector<std::string> columns_;
  std::unique_ptr<store::ObjectStore> memory_ = store::OpenMemory("", SystemClock());
  store::StoreCounter counter_;
  store::CountingStore store_{store::Borrow(*memory_), counter_};
};

TEST_F(MetadataAhead, AnyRowsOfAnyTypeCostOneRoundAfterIt) {
  FileMetadataCache cache;
  const ReadContext context = Through(store_, cache);
  const Status ahead = ReadAhead(context);
  ASSERT_TRUE(ahead) << ahead.error().ToString();
  EXPECT_LE(counter_.Counts().rounds(), 2U);
  EXPECT_LT(counter_.Counts().bytes_read(), 1U << 20) << "no values";
  for (const RowSelection& rows : SomeSelections()) {
    EXPECT_EQ(Rounds(context, rows, columns_), 1U);
    for (const std::string& column : columns_) EXPECT_LE(Rounds(context, rows, {column}), 1U) << column;
  }
  EXPECT_EQ(Rounds(context, RowSelection::Rows(0, kKindRows), columns_), 1U);
  const store::StoreCounts before = counter_.Counts();
  ASSERT_TRUE(ReadAhead(context));
  EXPECT_EQ((counter_.Counts() - before).rounds(), 0U) << "nothing is left to learn";
}

TEST_F(MetadataAhead, AStorePrimedWithItsRecordingNeedsOneRoundWithoutAnyCache) {
  std::string bundle;
  {
    store::RecordingStore recording(store::Borrow(*memory_), {});
    FileMetadataCache cache;
    const Status ahead = ReadAhead(Through(recording, cache));
    ASSERT_TRUE(ahead) << ahead.error().ToString();
    bundle = store::EncodeBundle(recording.TakeEntries());
  }
  EXPECT_LT(bundle.size(), 1U << 20);
  auto entries = store::DecodeBundle(Buffer::Of(std::move(bundle)), "head");
  ASSERT_TRUE(entries) << entries.error().ToString();
  store::PrimedStore primed(store::Borrow(store_), 64 << 20);
  primed.Add(*std::move(entries));
  for (const RowSelection& rows : SomeSelections()) {
    FileMetadataCache none;
    EXPECT_EQ(Rounds(Through(store_, none), rows, columns_), 3U) << "without the recording";
    FileMetadataCache all;
    EXPECT_EQ(Rounds(Through(primed, all), rows, columns_), 1U);
    for (const std::string& column : columns_) {
      FileMetadataCache empty;
      EXPECT_LE(Rounds(Through(primed, empty), rows, {column}), 1U) << column;
    }
  }
}

TEST_F(MetadataAhead, AStaleRecordingCostsRoundsAndNothingElse) {
  store::RecordingStore recording(store::Borrow(*memory_), {});
  FileMetadataCache cache;
  const Fragment* const only = fragments_;  // the other one came later
  ASSERT_TRUE(ReadMetadata(Through(recording, cache), {&only, 1}, std::vector<std::string>{"text"}, kNever));
  store::PrimedStore primed(store::Borrow(store_), 64 << 20);
  primed.Add(recording.TakeEntries());
  for (const RowSelection& rows : SomeSelections()) {
    FileMetadataCache empty;
    EXPECT_LE(Rounds(Through(primed, empty), rows, columns_), 3U);
  }
}

TEST_F(MetadataAhead, DamagedMetadataIsItsErrorAndNotACrash) {
  const std::string key = "t/data/f0.lance";
  const auto file = store::Read(*memory_, store::ReadRequest::Whole(key), kNever);
  ASSERT_TRUE(file);
  std::string bytes(file->bytes.chars());
  for (std::size_t i = bytes.size() - 20'000; i < bytes.size() - 100; i += 37) bytes[i] = static_cast<char>(~bytes[i]);
  ASSERT_TRUE(memory_->Put(key, AsBytes(bytes), store::PutCondition::kNone, kNever));
  FileMetadataCache cache;
  const Status ahead = ReadAhead(Through(store_, cache));
  ASSERT_FALSE(ahead);
  EXPECT_TRUE(ahead.error().kind == ErrorKind::kDataCorruption || ahead.error().kind == ErrorKind::kUnsupported)
      << ahead.error().ToString();
  EXPECT_NE(ahead.error().message.find(key), std::string::npos);
}

}  // namespace
}  // namespace firn::lance
