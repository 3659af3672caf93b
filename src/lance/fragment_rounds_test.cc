// How many dependent rounds a read of a large file costs: the promise of fragment_reader.h.

#include <gtest/gtest.h>

#include "arrow/builder.h"
#include "lance/file_writer.h"
#include "lance/fragment_reader.h"
#include "lance/read_round.h"
#include "store/counting.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

constexpr std::int64_t kRows = 60000;
constexpr int kDimension = 64;

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

}  // namespace
}  // namespace firn::lance
