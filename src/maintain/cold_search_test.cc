// What a search costs and says in a process that has read nothing yet: three dependent rounds with a good hint - the
// hint beside the listing of versions, the lists, the rows - and more of them, never another answer, with a bad one.

#include <gmock/gmock.h>

#include "index/vector/segment_builder.h"
#include "maintain/index_table_testing.h"
#include "store/primed.h"
#include "table/head.h"

namespace firn::maintain {
namespace {

using query::SearchRequest;
using query::SearchResult;
using store::StoreCounts;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kRoot = "docs.lance";

class ColdSearchTest : public IndexTableTest {
 protected:
  /// A process that opens the database and has nothing in memory.
  struct Process {
    Process(const table::Environment& outer, store::ObjectStore& far)
        : primed(store::Borrow(far), 64ULL << 20),
          environment{primed, outer.clock, outer.random, outer.log, outer.pool, cache, &primed},
          database(environment) {}

    store::PrimedStore primed;
    lance::FileMetadataCache cache;
    table::Environment environment;
    table::Database database;
  };

  struct Answer {
    SearchResult result;
    StoreCounts spent;
  };
  Answer ColdSearch(const SearchRequest& request, const std::string& name = "docs") {
    Process process(environment_, store_);
    const StoreCounts before = counter_.Counts();
    auto opened = process.database.OpenNewest(name, Deadline::Never());
    if (!opened) {
      ADD_FAILURE() << opened.error().ToString();
      return {};
    }
    const auto table = std::make_shared<query::OpenTable>(opened->snapshot, std::move(opened->catalog), kCold,
                                                          query::Shared{}, std::move(opened->warnings));
    return {Run(*table, request), counter_.Counts() - before};
  }
  void WriteHint() {
    Process process(environment_, store_);
    const Status written = table::WriteHead(process.environment, kRoot, Deadline::Never());
    ASSERT_TRUE(written) << written.error().ToString();
  }
  std::string Object(const std::string& key) {
    const auto object = store::Read(store_, store::ReadRequest::Whole(key), Deadline::Never());
    return object ? std::string(object->bytes.chars()) : "";
  }
  std::string Hint() { return Object(table::HeadKey(kRoot)); }
  void Put(const std::string& key, std::string_view bytes) {
    ASSERT_TRUE(store_.Put(key, AsBytes(bytes), store::PutCondition::kNone, Deadline::Never()));
  }
  void PutHint(std::string_view bytes) { Put(table::HeadKey(kRoot), bytes); }

  /// Shows every column.
  SearchRequest Wide(std::size_t cluster) {
    SearchRequest request = Request(Near(cluster));
    request.columns = std::nullopt;
    return request;
  }
  void ExpectThreeRounds(const StoreCounts& spent) {
    EXPECT_EQ(spent.lists, (StoreCounts::Operation{.rounds = 1, .requests = 1}));
    EXPECT_EQ(spent.reads.rounds, 2U);
    EXPECT_EQ(spent.rounds(), 3U);
    EXPECT_EQ(spent.failures(), 0U);
  }
  void ExpectExact(const Answer& answer, const SearchRequest& request) {
    EXPECT_EQ(IdsOf(answer.result), IdsOf(RunExact(*Open(kCold), request)));
  }

  /// A table of `fragments` data files of a few rows, written in one commit, each with a segment of its own.
  void CreateWithSegments(std::size_t fragments, std::int64_t rows_each) {
    const arrow::RecordBatch batch = Rows(0, static_cast<std::int64_t>(fragments) * rows_each);
    const auto source = arrow::FromBatches(batch.schema, {batch});
    const auto created =
        database_.Create("docs", *source, table::CreateMode::kCreate,
                         {.max_rows_per_file = static_cast<std::uint64_t>(rows_each)}, Deadline::Never());
    ASSERT_TRUE(created) << created.error().ToString();
    const table::SnapshotPtr snapshot = Snapshot();
    ASSERT_EQ(snapshot->manifest().fragments.size(), fragments);
    const std::int32_t field = snapshot->manifest().schema.FindTopLevel("vector")->id;
    const arrow::Array& vectors = *batch.Column("vector");
    const float* values = vectors.child(0).Values<float>().data();
    std::vector<index::SegmentEntry> entries;
    for (std::size_t i = 0; i < fragments; i++) {
      const lance::Fragment& fragment = snapshot->manifest().fragments[i];
      std::vector<float> rows;
      std::vector<std::uint32_t> numbers;
      for (std::int64_t row = 0; row < rows_each; row++) {
        const std::int64_t at = static_cast<std::int64_t>(i) * rows_each + row;
        if (vectors.IsNull(at)) continue;
        rows.insert(rows.end(), values + at * kDims, values + (at + 1) * kDims);
        numbers.push_back(static_cast<std::uint32_t>(row));
      }
      const index::Matrix matrix{rows.data(), numbers.size(), kDims};
      index::SegmentEntry entry;
      entry.name = "vector_idx";
      entry.column = "vector";
      entry.field_id = field;
      entry.dim = kDims;
      entry.fragments = {{fragment.id, fragment.physical_rows, fragment.files[0].path}};
      entry.object = "_firn/segments/" + std::to_string(i) + ".vec";
      const auto builder =
          index::SegmentBuilder::Train(matrix, numbers.size(), simd::Metric::kL2, simd::Element::kF32, entry.fragments,
                                       {.clustering_rounds = 0}, pool_, Deadline::Never());
      ASSERT_TRUE(builder) << builder.error().ToString();
      ASSERT_TRUE((*builder)->Add(matrix, numbers));
      const auto built = (*builder)->Finish(store_, std::string(kRoot) + "/" + entry.object, Deadline::Never());
      ASSERT_TRUE(built) << built.error().ToString();
      entry.object_bytes = built->object_bytes;
      entry.footer = built->footer;
      entry.rows = built->rows;
      entry.lists = static_cast<std::uint32_t>(built->lists);
      entries.push_back(std::move(entry));
    }
    ASSERT_TRUE(table::EditCatalog(
        store_, kRoot,
        [&](index::Catalog& catalog) -> Status {
          catalog.segments = entries;
          return {};
        },
        Deadline::Never()));
  }
};

// ---- rounds ----

TEST_F(ColdSearchTest, TakesThreeRounds) {
  CreateParts();
  MustBuild();
  WriteHint();
  const SearchRequest request = Wide(3);
  const Answer answer = ColdSearch(request);
  ExpectThreeRounds(answer.spent);
  EXPECT_THAT(answer.result.explain.plan, HasSubstr("index l2"));
  EXPECT_THAT(answer.result.explain.warnings, IsEmpty());
  EXPECT_EQ(answer.result.rows.rows, 10);
}

TEST_F(ColdSearchTest, ManyListsTakeThreeRounds) {
  CreateParts();
  const index::SegmentEntry entry = MustBuild({.rows_per_list = 2});
  ASSERT_GT(entry.lists, 1000U);
  WriteHint();
  for (const std::optional<std::uint32_t> nprobes :
       {std::optional<std::uint32_t>(), std::optional<std::uint32_t>(5), std::optional<std::uint32_t>(1000)}) {
    SearchRequest request = Wide(3);
    request.nprobes = nprobes;
    ExpectThreeRounds(ColdSearch(request).spent);
  }
}

TEST_F(ColdSearchTest, TenSegmentsTakeThreeRounds) {
  for (int part = 0; part < 10; part++) {
    arrow::RecordBatch batch = Rows(part * 100, 100);
    part == 0 ? Create(std::move(batch)) : Append(std::move(batch));
    MustBuild({.only_missing = true});
  }
  ASSERT_EQ(Catalog().segments.size(), 10U);
  WriteHint();
  const SearchRequest request = Wide(3);
  const Answer answer = ColdSearch(request);
  ExpectThreeRounds(answer.spent);
  EXPECT_THAT(answer.result.explain.plan, HasSubstr("10 segments"));
}

TEST_F(ColdSearchTest, AThousandSegmentsTakeThreeRounds) {
  CreateWithSegments(1000, 4);
  WriteHint();
  SearchRequest request = Wide(3);
  const Answer answer = ColdSearch(request);
  ExpectThreeRounds(answer.spent);
  EXPECT_THAT(answer.result.explain.plan, HasSubstr("1000 segments"));
  EXPECT_THAT(answer.result.explain.warnings, IsEmpty());
  // Codes and supplement of a list of each segment: that is why builds join small ones (build_index_test.cc).
  EXPECT_LE(answer.spent.requests(), 2U + 2U * 1000U + answer.result.explain.candidates * 6U);
}

TEST_F(ColdSearchTest, KeepsItsPromiseByLookingAtAllListsThatItRead) {
  CreateParts();
  const index::SegmentEntry entry = MustBuild();
  RecallOptions options{.column = "vector", .filter = "", .promises = {0.8F, 0.9F, 0.95F}};
  for (std::size_t i = 0; i < 400; i++) options.vectors.push_back(Near(i % kClusters));
  for (const std::string filter : {"", "draw < 300"}) {
    options.filter = filter;
    const auto report = MeasureRecall(*Open(kCold), options, Deadline::Never());
    ASSERT_TRUE(report) << report.error().ToString();
    for (const RecallRow& row : report->rows) {
      EXPECT_GE(row.truth, static_cast<double>(row.promise) - 0.01) << filter;
      if (!filter.empty()) continue;
      const auto planned = std::ranges::find(entry.calibrations, row.promise, &index::Calibration::recall);
      ASSERT_NE(planned, entry.calibrations.end());
      EXPECT_NEAR(row.lists, planned->lists, 1e-6);  // of every query: a mean
    }
  }
}

TEST_F(ColdSearchTest, RowsWithoutAnIndexAddTwoRounds) {
  CreateParts();
  MustBuild();
  Append(Rows(10'000, 50));
  WriteHint();
  const SearchRequest request = Request(Near(3));
  const Answer answer = ColdSearch(request);
  EXPECT_THAT(answer.result.explain.plan, HasSubstr("exact over 50 rows without an index"));
  EXPECT_LE(answer.spent.rounds(), 5U) << "their vectors, and in the end the rows: of the lists' they are at hand";
}

TEST_F(ColdSearchTest, OpensOneOfManyTablesByListingItsOwnVersionsOnly) {
  CreateParts();
  MustBuild();
  WriteHint();
  for (int i = 0; i < 3000; i++) Put("t" + std::to_string(i) + ".lance/_versions/18446744073709551614.manifest", "x");
  std::vector<std::string> listed;
  faults_ = [&](const store::OperationInfo& operation) -> store::FaultDecision {
    if (operation.operation == store::StoreOperation::kList) listed.emplace_back(operation.key);
    return {};
  };
  ExpectThreeRounds(ColdSearch(Wide(3)).spent);
  EXPECT_THAT(listed, ElementsAre("docs.lance/_versions/"));
  // Without a hint the catalog is looked for as well, below the table too.
  ASSERT_TRUE(store_.Delete(table::HeadKey(kRoot), Deadline::Never()));
  listed.clear();
  ColdSearch(Wide(3));
  EXPECT_THAT(listed, ElementsAre("docs.lance/_versions/", "docs.lance/_firn/catalog/"));
}

TEST_F(ColdSearchTest, AHintHasLittleForEachDataFile) {
  CreateWithSegments(1, 4);
  WriteHint();
  const std::size_t one = Hint().size();
  for (int i = 1; i <= 20; i++) Append(Rows(i * 1000, 200));
  WriteHint();
  // A file of 200 rows of 6 columns: a footer, a table, and a message for each column. Its values are not there.
  EXPECT_LT((Hint().size() - one) / 20, 1500U);
}

TEST_F(ColdSearchTest, AHintIsMadeFromTheLastOneAndReadsOnlyWhatIsNew) {
  CreateParts();
  MustBuild();
  WriteHint();
  Append(Rows(10'000, 50));
  std::vector<std::string> read;
  faults_ = [&](const store::OperationInfo& operation) -> store::FaultDecision {
    if (operation.operation == store::StoreOperation::kRead && operation.key.contains("/data/"))
      read.emplace_back(operation.key);
    return {};
  };
  WriteHint();
  faults_ = {};
  EXPECT_THAT(read, ElementsAre("docs.lance/data/" + Snapshot()->manifest().fragments.back().files[0].path));
  EXPECT_LE(ColdSearch(Wide(3)).spent.rounds(), 5U);
}

// ---- hints that are not as they should be ----

TEST_F(ColdSearchTest, ABadHintCostsRoundsAndNeverAnAnswer) {
  CreateParts();
  MustBuild();
  WriteHint();
  const std::string good = Hint();
  const SearchRequest request = Wide(3);
  const auto expected = IdsOf(ColdSearch(request).result);
  std::vector<std::pair<std::string, std::string>> hints = {{"empty", ""}, {"another format", "not a bundle at all"}};
  for (const std::size_t keep : {std::size_t{1}, std::size_t{15}, std::size_t{300}, good.size() / 2, good.size() - 1})
    hints.emplace_back("the first " + std::to_string(keep) + " bytes", good.substr(0, keep));
  for (std::size_t at = 0; at < good.size(); at += 1 + good.size() / 40) {
    std::string flipped = good;
    flipped[at] = static_cast<char>(flipped[at] ^ 0x04);
    hints.emplace_back("a bit at " + std::to_string(at), std::move(flipped));
  }
  for (const auto& [name, bytes] : hints) {
    SCOPED_TRACE(name);
    PutHint(bytes);
    const Answer answer = ColdSearch(request);
    EXPECT_EQ(IdsOf(answer.result), expected);
    EXPECT_THAT(answer.result.explain.warnings, IsEmpty());
    EXPECT_LE(answer.spent.rounds(), 8U);
  }
  SCOPED_TRACE("none");
  ASSERT_TRUE(store_.Delete(table::HeadKey(kRoot), Deadline::Never()));
  const Answer answer = ColdSearch(request);
  EXPECT_EQ(IdsOf(answer.result), expected);
  EXPECT_LE(answer.spent.rounds(), 8U);
}

TEST_F(ColdSearchTest, AStaleHintCostsRoundsAndNeverAnAnswer) {
  CreateParts();
  MustBuild();
  WriteHint();
  // By a program that knows of no hints: more rows, then another index, then another table of the same name.
  Append(Rows(10'000, 60));
  const SearchRequest request = Wide(3);
  Answer answer = ColdSearch(request);
  EXPECT_EQ(IdsOf(answer.result), IdsOf(Run(*Open(kCold), request)));
  EXPECT_THAT(answer.result.explain.plan, HasSubstr("60 rows without an index"));
  EXPECT_EQ(answer.result.explain.version, Snapshot()->version());
  EXPECT_LE(answer.spent.rounds(), 6U);
  MustBuild();
  answer = ColdSearch(request);
  EXPECT_EQ(answer.result.explain.version, Snapshot()->version());
  EXPECT_THAT(answer.result.explain.warnings, IsEmpty());
  const std::string old = Hint();
  ASSERT_TRUE(database_.Drop("docs", Deadline::Never()));
  clock_.Advance(std::chrono::seconds(5));
  Create(Rows(50'000, 400));
  PutHint(old);
  ExpectExact(ColdSearch(request), request);
}

TEST_F(ColdSearchTest, TheHintOfAnotherTableIsNotBelieved) {
  CreateParts();
  MustBuild();
  WriteHint();
  const std::string other = Hint();
  // The same name in its keys and the same shape, but other rows.
  const arrow::RecordBatch batch = Rows(90'000, 500);
  const auto source = arrow::FromBatches(batch.schema, {batch});
  ASSERT_TRUE(database_.Create("other", *source, table::CreateMode::kCreate, {}, Deadline::Never()));
  Put(table::HeadKey("other.lance"), other);
  const SearchRequest request = Wide(3);
  const Answer answer = ColdSearch(request, "other");
  for (const std::int64_t id : IdsOf(answer.result)) EXPECT_GE(id, 90'000);
  EXPECT_EQ(answer.result.rows.rows, 10);
}

// ---- catalogs and segments that cannot be used ----

TEST_F(ColdSearchTest, ADamagedCatalogIsAWarningInTheReplyAndTheAnswerIsExact) {
  CreateParts();
  MustBuild();
  const std::string key = table::CatalogKey(kRoot, Catalog().number);
  std::string bytes = Object(key);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x20);
  Put(key, bytes);
  for (const bool hint : {false, true}) {
    SCOPED_TRACE(hint);
    const SearchRequest request = Wide(3);
    Process process(environment_, store_);
    const Answer answer = ColdSearch(request);
    const auto plain = std::make_shared<query::OpenTable>(Snapshot(), index::Catalog{}, kCold);
    EXPECT_EQ(IdsOf(answer.result), IdsOf(RunExact(*plain, request)));
    EXPECT_THAT(answer.result.explain.warnings,
                ElementsAre(AllOf(HasSubstr("no index is used"), HasSubstr(key), HasSubstr("checksum"),
                                  HasSubstr("Build the index again"))));
    EXPECT_THAT(answer.result.explain.plan, HasSubstr("its index cannot be used"));
    if (!hint) (void)table::WriteHead(process.environment, kRoot, Deadline::Never());
  }
  // What the warning says helps.
  MustBuild();
  EXPECT_THAT(ColdSearch(Wide(3)).result.explain.warnings, IsEmpty());
}

TEST_F(ColdSearchTest, ACatalogOfANewerFormatIsAWarningThatSaysSo) {
  CreateParts();
  MustBuild();
  const std::string key = table::CatalogKey(kRoot, Catalog().number);
  std::string bytes = Object(key);
  bytes[8] = 3;
  Put(key, bytes);
  const Answer answer = ColdSearch(Wide(3));
  EXPECT_EQ(answer.result.rows.rows, 10);
  EXPECT_THAT(answer.result.explain.warnings,
              ElementsAre(AllOf(HasSubstr("version 3"), HasSubstr("reads versions 1 to 2"), HasSubstr("newer firn"))));
}

TEST_F(ColdSearchTest, ASegmentOfANewerFormatIsAWarningThatSaysSo) {
  CreateParts();
  const index::SegmentEntry entry = MustBuild();
  const std::string key = std::string(kRoot) + "/" + entry.object;
  std::string bytes = Object(key);
  bytes[8] = 2;
  bytes[bytes.size() - 12] = 2;
  Put(key, bytes);
  for (const query::Residency residency : {kCold, kMapped}) {
    const SearchRequest request = Wide(3);
    const auto table = Open(residency);
    const SearchResult result = Run(*table, request);
    EXPECT_EQ(IdsOf(result), IdsOf(RunExact(*table, request)));
    EXPECT_THAT(result.explain.warnings, ElementsAre(AllOf(HasSubstr("\"vector_idx\" is not used"),
                                                           HasSubstr("format version 2"), HasSubstr("newer firn"))));
  }
}

TEST_F(ColdSearchTest, AsManyRoundsArePlannedAsAreSpent) {
  CreateParts();
  MustBuild();
  WriteHint();
  for (const char* filter : {"", "cluster < 5"}) {
    SearchRequest request = Wide(3);
    request.filter = filter;
    Process process(environment_, store_);
    auto opened = process.database.OpenNewest("docs", Deadline::Never());
    ASSERT_TRUE(opened);
    const auto table = std::make_shared<query::OpenTable>(opened->snapshot, std::move(opened->catalog), kCold);
    if (request.filter.empty()) {
      const StoreCounts before = counter_.Counts();
      const query::Reads planned = Run(*table, request).explain.planned;
      const StoreCounts spent = counter_.Counts() - before;
      EXPECT_EQ(planned.rounds, spent.rounds());
      EXPECT_GE(planned.requests, spent.requests()) << "ranges side by side are read together";
      EXPECT_GT(planned.bytes, 0U);
      EXPECT_LE(planned.bytes, spent.bytes_read()) << "of so small a table more is read than is needed";
    } else {
      EXPECT_GE(Run(*table, request).explain.planned.rounds, 1U);
    }
  }
  const auto mapped = Open(kMapped);
  EXPECT_EQ(Run(*mapped, Wide(3)).explain.planned.rounds, 0U) << "nothing is read that must be waited for";
}

}  // namespace
}  // namespace firn::maintain
