// Searches by an index that was built over a table: what they find, and what happens to both of them.

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "maintain/index_table_testing.h"

namespace firn::maintain {
namespace {

using query::Residency;
using query::SearchRequest;
using query::SearchResult;
using simd::Metric;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class IndexSearchTest : public IndexTableTest {
 protected:
  /// Mean over a query near each cluster.
  double MeanRecall(query::OpenTable& table, const std::function<void(SearchRequest&)>& change = {}) {
    double sum = 0;
    for (std::size_t cluster = 0; cluster < kClusters; cluster++) {
      SearchRequest request = Request(Near(cluster));
      if (change) change(request);
      sum += RecallOf(table, request);
    }
    return sum / kClusters;
  }
  void Overwrite(const std::string& key, std::size_t at, std::size_t keep = SIZE_MAX) {
    const auto object = store::Read(store_, store::ReadRequest::Whole(key), Deadline::Never());
    ASSERT_TRUE(object);
    std::string bytes(object->bytes.chars());
    if (at < bytes.size()) bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
    bytes.resize(std::min(keep, bytes.size()));
    ASSERT_TRUE(store_.Put(key, AsBytes(bytes), store::PutCondition::kNone, Deadline::Never()));
  }
};

// ---- recall ----

TEST_F(IndexSearchTest, RecallOneIsTheExactAnswer) {
  CreateParts();
  MustBuild();
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    SearchRequest request = Request(Near(2));
    request.recall = 1;
    const SearchResult result = Run(*table, request);
    EXPECT_EQ(IdsOf(result), IdsOf(RunExact(*table, request)));
    EXPECT_THAT(result.explain.plan, StartsWith("exact"));
    EXPECT_EQ(result.explain.lists, 0U);
  }
}

TEST_F(IndexSearchTest, AllListsGiveNearlyTheExactAnswer) {
  CreateParts();
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    MustBuild({.metric = metric});
    for (const Residency residency : {kMapped, kCold}) {
      const auto table = Open(residency);
      EXPECT_GE(MeanRecall(*table, [](SearchRequest& request) { request.nprobes = 1000; }), 0.99 - 1e-6)
          << simd::NameOf(metric);
    }
  }
}

TEST_F(IndexSearchTest, PromisesAreKept) {
  CreateParts();
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const index::SegmentEntry entry = MustBuild({.metric = metric});
    for (const Residency residency : {kMapped, kCold}) {
      const auto table = Open(residency);
      RecallOptions options;
      options.column = "vector";
      options.queries = residency.mapped ? 120 : 30;
      const auto report = MeasureRecall(*table, options, Deadline::Never());
      ASSERT_TRUE(report) << report.error().ToString();
      EXPECT_THAT(report->plan, StartsWith("index " + std::string(simd::NameOf(metric))));
      for (const RecallRow& row : report->rows) {
        EXPECT_GE(row.truth, static_cast<double>(row.promise) - (residency.mapped ? 0.02 : 0.04))
            << simd::NameOf(metric) << " " << row.promise;
      }
      EXPECT_LT(report->rows[0].lists, entry.lists / 2) << simd::NameOf(metric);
      EXPECT_LE(report->rows[0].lists, report->rows[2].lists);
    }
  }
}

TEST_F(IndexSearchTest, DistancesAreExactAndRowsNearestFirst) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  const SearchRequest request = Request(Near(4));
  const SearchResult found = Run(*table, request), exact = RunExact(*table, request);
  const auto distances = found.rows.Column("_distance")->Values<float>();
  EXPECT_TRUE(std::ranges::is_sorted(distances));
  EXPECT_EQ(IdsOf(found).front(), IdsOf(exact).front());
  EXPECT_EQ(distances[0], exact.rows.Column("_distance")->Values<float>()[0]);
  EXPECT_GT(found.explain.lists, 0U);
  EXPECT_GT(found.explain.rows_estimated, 0U);
  EXPECT_LT(found.explain.rows_scanned, exact.explain.rows_scanned / 4);
}

TEST_F(IndexSearchTest, ResidentOrNotTheRowsAreTheSame) {
  CreateParts();
  MustBuild();
  const auto mapped = Open(kMapped), hot = Open({.mapped = false, .bytes = 1U << 30}), cold = Open(kCold);
  for (std::size_t cluster = 0; cluster < 8; cluster++) {
    SearchRequest request = Request(Near(cluster));
    request.nprobes = 12;
    const auto ids = IdsOf(Run(*mapped, request));
    EXPECT_EQ(IdsOf(Run(*hot, request)), ids);
    EXPECT_EQ(IdsOf(Run(*cold, request)), ids);
  }
}

// ---- filters ----

TEST_F(IndexSearchTest, FiltersOfEverySelectivityKeepRecall) {
  CreateParts();
  MustBuild();
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    for (const char* filter : {"draw < 1000", "draw < 500", "draw < 100", "draw < 10", "draw < 0", "draw = 7"}) {
      EXPECT_GE(MeanRecall(*table, [&](SearchRequest& request) { request.filter = filter; }), 0.9)
          << filter << ", mapped " << residency.mapped;
    }
  }
}

TEST_F(IndexSearchTest, AFilterOnAFarClusterFindsItsRows) {
  CreateParts();
  MustBuild();
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    for (const char* filter : {"cluster = 17", "cluster >= 10", "cluster >= 10 AND draw < 500"}) {
      double sum = 0;
      for (std::size_t i = 0; i < 64; i++) {
        SearchRequest request = Request(Near(i % 8));
        request.filter = filter;
        const double recall = RecallOf(*table, request);  // and as many rows as the exact search
        sum += recall;
      }
      EXPECT_GE(sum / 64, 0.94) << filter << ", mapped " << residency.mapped;
    }
  }
}

TEST_F(IndexSearchTest, NullVectorsAreNeverFound) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(0));
  request.filter = "id = 5 OR id = 6";
  EXPECT_EQ(IdsOf(Run(*table, request)), std::vector<std::int64_t>{6});
  request.filter = "";
  request.k = 5000;
  for (const std::int64_t id : IdsOf(Run(*table, request))) EXPECT_NE(id % 97, 5);
}

TEST_F(IndexSearchTest, APostfilterKeepsOnlyThoseOfTheNearestThatMatch) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(0));
  const SearchResult all = Run(*table, request);
  request.filter = "draw < 500";
  request.postfilter = true;
  const SearchResult some = Run(*table, request);
  EXPECT_LT(some.rows.rows, all.rows.rows);
  EXPECT_THAT(IdsOf(some), testing::IsSubsetOf(IdsOf(all)));
}

// ---- what happens to a table ----

TEST_F(IndexSearchTest, RowsAppendedAfterTheBuildAreFound) {
  CreateParts();
  MustBuild();
  arrow::RecordBatch rows = Rows(50'000, 40);
  const auto values = rows.Column("vector")->child(0).Values<float>();
  const std::vector<float> vector(values.begin(), values.begin() + kDims);  // of row 50,000
  Append(rows);
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    const SearchResult result = Run(*table, Request(vector));
    EXPECT_EQ(IdsOf(result).front(), 50'000);
    EXPECT_THAT(result.explain.plan, HasSubstr("exact over 40 rows without an index"));
    EXPECT_GE(MeanRecall(*table), 0.9);
    SearchRequest filtered = Request(vector);
    filtered.filter = "id >= 50000";
    EXPECT_EQ(IdsOf(Run(*table, filtered)), IdsOf(RunExact(*table, filtered)));
  }
}

TEST_F(IndexSearchTest, AReplacedTableMakesItsIndexInvalidNotWrong) {
  CreateParts();
  MustBuild();
  const auto before = Snapshot();
  Create(Rows(90'000, 500), table::CreateMode::kOverwrite);
  const auto table = Open();
  SearchRequest request = Request(Near(3));
  const SearchResult result = Run(*table, request);
  EXPECT_EQ(IdsOf(result), IdsOf(RunExact(*table, request)));
  for (const std::int64_t id : IdsOf(result)) EXPECT_GE(id, 90'000);
  EXPECT_THAT(result.explain.plan, StartsWith("exact"));
  EXPECT_FALSE(table->IndexedMetric("vector", Deadline::Never()));
  // The version that it was built from still has it.
  EXPECT_THAT(Run(*Open(kMapped, before), request).explain.plan, StartsWith("index"));
}

TEST_F(IndexSearchTest, DroppedFragmentsAreNotSearched) {
  CreateParts();
  MustBuild();
  lance::Manifest manifest = Snapshot()->manifest();
  manifest.fragments.erase(manifest.fragments.begin() + 1);
  const auto snapshot =
      std::make_shared<const table::Snapshot>(environment_, "docs", "docs.lance", manifest, Snapshot()->schema());
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency, snapshot);
    EXPECT_GE(MeanRecall(*table), 0.9);
    SearchRequest request = Request(Near(1));
    request.k = 300;
    const SearchResult result = Run(*table, request);
    EXPECT_THAT(result.explain.plan, StartsWith("index"));
    for (const std::int64_t id : IdsOf(result)) EXPECT_TRUE(id < kPartRows || id >= 2 * kPartRows) << id;
    request.filter = "draw < 300";
    for (const std::int64_t id : IdsOf(Run(*table, request))) EXPECT_TRUE(id < kPartRows || id >= 2 * kPartRows) << id;
  }
}

TEST_F(IndexSearchTest, DeletedRowsAreNotFound) {
  CreateParts();
  MustBuild();
  std::vector<std::uint32_t> odd, all;
  for (std::uint32_t i = 0; i < kPartRows; i++) {
    all.push_back(i);
    if (i % 2 == 1) odd.push_back(i);
  }
  const auto snapshot = Without(Snapshot(), {{0, odd}, {2, all}});
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency, snapshot);
    EXPECT_GE(MeanRecall(*table), 0.9);
    EXPECT_GE(MeanRecall(*table, [](SearchRequest& request) { request.filter = "draw < 400"; }), 0.9);
    SearchRequest request = Request(Near(6));
    request.k = 400;
    for (const std::int64_t id : IdsOf(Run(*table, request))) {
      EXPECT_FALSE(id < kPartRows && id % 2 == 1) << id;
      EXPECT_FALSE(id >= 2 * kPartRows && id < 3 * kPartRows) << id;
    }
  }
}

TEST_F(IndexSearchTest, ATableWhoseRowsAreAllDeletedGivesNone) {
  Create(Rows(0, 200));
  MustBuild();
  std::vector<std::uint32_t> all(200);
  std::iota(all.begin(), all.end(), 0U);
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency, Without(Snapshot(), {{0, all}}));
    EXPECT_EQ(Run(*table, Request(Near(0))).rows.rows, 0);
    SearchRequest request = Request(Near(0));
    request.filter = "draw < 500";
    EXPECT_EQ(Run(*table, request).rows.rows, 0);
  }
}

TEST_F(IndexSearchTest, WhereTwoSegmentsCoverAFragmentNoRowComesTwice) {
  CreateParts();
  MustBuild({.name = "a"});
  MustBuild({.name = "b"});
  const auto table = Open();
  SearchRequest request = Request(Near(1));
  request.k = 500;
  const auto ids = IdsOf(Run(*table, request));
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 500U);
  EXPECT_GE(MeanRecall(*table), 0.9);
}

// ---- requests ----

TEST_F(IndexSearchTest, AnOffsetSkipsTheNearest) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(4));
  request.k = 30;
  request.nprobes = 1000;
  auto ids = IdsOf(Run(*table, request));
  request.k = 20;
  request.offset = 10;
  EXPECT_EQ(IdsOf(Run(*table, request)), std::vector(ids.begin() + 10, ids.end()));
  request.offset = 100'000;
  EXPECT_EQ(Run(*table, request).rows.rows, 0);
}

TEST_F(IndexSearchTest, DistanceBoundsHold) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(4));
  request.k = 40;
  request.nprobes = 1000;
  const SearchResult all = Run(*table, request);
  const auto distances = all.rows.Column("_distance")->Values<float>();
  request.distance_below = distances[7];
  const auto ids = IdsOf(all);
  EXPECT_EQ(IdsOf(Run(*table, request)), std::vector(ids.begin(), ids.begin() + 7));
  request.distance_at_least = distances[3];
  EXPECT_EQ(IdsOf(Run(*table, request)), std::vector(ids.begin() + 3, ids.begin() + 7));
  request.distance_at_least.reset();
  request.distance_below = 0;
  EXPECT_EQ(Run(*table, request).rows.rows, 0);
}

TEST_F(IndexSearchTest, MoreRowsThanThereAreGivesAll) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(4));
  request.k = 100'000;
  EXPECT_EQ(Run(*table, request).rows.rows, kParts * kPartRows - 29);
}

TEST_F(IndexSearchTest, BadEffortIsAnError) {
  Create(Rows(0, 100));
  MustBuild();
  const auto table = Open();
  const auto expect = [&](const std::function<void(SearchRequest&)>& change, const std::string& message) {
    SearchRequest request = Request(Near(0));
    change(request);
    const auto result = query::Search(*table, request, Deadline::Never());
    ASSERT_FALSE(result) << message;
    EXPECT_EQ(result.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_THAT(result.error().message, HasSubstr(message));
  };
  expect([](SearchRequest& request) { request.k = 0; }, "k is 0");
  for (const float recall :
       {0.0F, -0.5F, 1.5F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    expect([&](SearchRequest& request) { request.recall = recall; }, "recall is");
  expect([](SearchRequest& request) { request.nprobes = 0; }, "nprobes is 0");
  expect([](SearchRequest& request) { request.refine = 0; }, "refine is 0");
}

TEST_F(IndexSearchTest, ProbesAndRefinementAreAsAsked) {
  CreateParts();
  MustBuild();
  const auto table = Open();
  SearchRequest request = Request(Near(4));
  request.nprobes = 3;
  request.refine = 2;
  const SearchResult result = Run(*table, request);
  EXPECT_EQ(result.explain.lists, 3U);
  EXPECT_LE(result.explain.candidates, 20U);
  EXPECT_EQ(result.rows.rows, 10);
  request.refine = 1'000'000U;
  EXPECT_EQ(Run(*table, request).rows.rows, 10);
}

// ---- columns and metrics ----

TEST_F(IndexSearchTest, BytesWithAnL2IndexAreSearchedByL2) {
  CreateParts();
  std::vector<float> vector;
  for (std::size_t i = 0; i < kByteDims; i++) vector.push_back(static_cast<float>(100 + 5 * i));
  EXPECT_THAT(Run(*Open(), Request(vector)).explain.plan, HasSubstr("hamming")) << "without an index";
  MustBuild({.column = "bytes"});
  const auto table = Open();
  SearchRequest request = Request(vector);
  const SearchResult result = Run(*table, request);
  EXPECT_THAT(result.explain.plan, StartsWith("index l2 over column bytes"));
  request.recall = 0.98F;  // of one query, where the promise is of the mean
  EXPECT_GE(RecallOf(*table, request), 0.9);
  SearchRequest hamming = request;
  hamming.metric = Metric::kHamming;
  EXPECT_THAT(Run(*table, hamming).explain.plan, StartsWith("exact hamming"));
}

TEST_F(IndexSearchTest, TwoIndexesOfTwoMetricsServeTheirOwn) {
  CreateParts();
  MustBuild({.name = "by_l2", .metric = Metric::kL2});
  MustBuild({.name = "by_cosine", .metric = Metric::kCosine});
  const auto table = Open();
  for (const Metric metric : {Metric::kL2, Metric::kCosine}) {
    SearchRequest request = Request(Near(2));
    request.metric = metric;
    EXPECT_THAT(Run(*table, request).explain.plan, StartsWith("index " + std::string(simd::NameOf(metric))));
    EXPECT_GE(MeanRecall(*table, [&](SearchRequest& each) { each.metric = metric; }), 0.9);
  }
  SearchRequest request = Request(Near(2));
  request.metric = Metric::kDot;
  EXPECT_THAT(Run(*table, request).explain.plan, StartsWith("exact dot"));
  request.metric.reset();
  EXPECT_THAT(Run(*table, request).explain.plan, StartsWith("index cosine")) << "the newest";
}

TEST_F(IndexSearchTest, ATableOfValuesWhoseSquaresDoNotFitAFloatIsSearchedExactly) {
  arrow::RecordBatch rows = Rows(0, 600);
  auto values = rows.Column("vector")->child(0).Values<float>();
  auto* writable = const_cast<float*>(values.data());
  for (std::size_t i = 0; i < kDims; i++) writable[7 * kDims + i] = i % 2 == 0 ? 3e38F : -3e38F;
  Create(rows);
  EXPECT_EQ(Build({}).error().kind, ErrorKind::kUnsupported);
  SearchRequest request = Request(Near(2));
  request.k = 20;
  EXPECT_EQ(Run(*Open(), request).rows.rows, 20);
}

TEST_F(IndexSearchTest, AQueryWhoseSquareDoesNotFitAFloatIsSearchedExactly) {
  CreateParts();
  MustBuild({.metric = Metric::kDot});
  const auto table = Open();
  SearchRequest request = Request(std::vector<float>(kDims, 2e30F));
  EXPECT_EQ(IdsOf(Run(*table, request)), IdsOf(RunExact(*table, request)));
}

// ---- damage ----

TEST_F(IndexSearchTest, ADamagedSegmentCostsTimeAndGivesAWarning) {
  CreateParts();
  const index::SegmentEntry entry = MustBuild();
  const std::string key = "docs.lance/" + entry.object;
  const auto whole = store::Read(store_, store::ReadRequest::Whole(key), Deadline::Never());
  ASSERT_TRUE(whole);
  const std::string bytes(whole->bytes.chars());
  struct Damage {
    const char* name;
    std::size_t first, step, last;  // bytes that are changed
    std::size_t keep;
  };
  const Damage damages[] = {
      {"every list", index::kSegmentHeaderBytes, 50, entry.footer.hot_offset, SIZE_MAX},
      {"the hot part", entry.footer.hot_offset + 40, 1'000'000, entry.footer.hot_offset + 41, SIZE_MAX},
      {"half of it is gone", 0, 1, 0, bytes.size() / 2},
      {"all of it is gone", 0, 1, 0, 0},
  };
  for (const Residency residency : {kMapped, kCold}) {
    for (const Damage& damage : damages) {
      SCOPED_TRACE(std::string(damage.name) + ", mapped " + std::to_string(residency.mapped));
      std::string changed = bytes.substr(0, damage.keep);
      for (std::size_t at = damage.first; at < damage.last; at += damage.step)
        changed[at] = static_cast<char>(changed[at] ^ 0x40);
      ASSERT_TRUE(store_.Put(key, AsBytes(changed), store::PutCondition::kNone, Deadline::Never()));
      const auto table = Open(residency);
      const SearchRequest request = Request(Near(3));
      const SearchResult result = Run(*table, request);
      EXPECT_EQ(IdsOf(result), IdsOf(RunExact(*table, request)));
      ASSERT_FALSE(result.explain.warnings.empty());
      EXPECT_THAT(result.explain.warnings[0], HasSubstr("is not used"));
      EXPECT_EQ(IdsOf(Run(*table, request)), IdsOf(result)) << "and again";
      SearchRequest filtered = request;
      filtered.filter = "draw < 300";
      EXPECT_EQ(IdsOf(Run(*table, filtered)), IdsOf(RunExact(*table, filtered)));
    }
  }
  ASSERT_TRUE(store_.Delete(key, Deadline::Never()));
  const SearchResult result = Run(*Open(), Request(Near(3)));
  EXPECT_EQ(result.rows.rows, 10);
  EXPECT_FALSE(result.explain.warnings.empty());
}

TEST_F(IndexSearchTest, ASegmentOfAnotherTableIsNotUsed) {
  CreateParts();
  const index::SegmentEntry vectors = MustBuild();
  const index::SegmentEntry bytes = MustBuild({.column = "bytes"});
  // The object of the bytes' index under the name of the vectors': whole, and about 16 values instead of 24.
  const auto edited = table::EditCatalog(
      store_, "docs.lance",
      [&](index::Catalog& catalog) -> Status {
        for (index::SegmentEntry& entry : catalog.segments) {
          if (entry.column != "vector") continue;
          entry.object = bytes.object;
          entry.object_bytes = bytes.object_bytes;
          entry.footer = bytes.footer;
        }
        return {};
      },
      Deadline::Never());
  ASSERT_TRUE(edited);
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    const SearchRequest request = Request(Near(3));
    const SearchResult result = Run(*table, request);
    EXPECT_EQ(IdsOf(result), IdsOf(RunExact(*table, request)));
    EXPECT_FALSE(result.explain.warnings.empty());
  }
}

TEST_F(IndexSearchTest, AStoreThatIsAwayIsAnErrorAndTheNextSearchUsesTheIndex) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  faults_ = [](const store::OperationInfo& operation) -> store::FaultDecision {
    if (operation.key.ends_with(".vec")) return {.fault = store::Fault::kFailBefore};
    return {};
  };
  const auto away = query::Search(*table, Request(Near(3)), Deadline::Never());
  ASSERT_FALSE(away);
  EXPECT_EQ(away.error().kind, ErrorKind::kUnavailable);
  faults_ = {};
  EXPECT_THAT(Run(*table, Request(Near(3))).explain.plan, StartsWith("index"));
}

// ---- what it costs ----

TEST_F(IndexSearchTest, AColdSearchTakesFewRounds) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  const auto cost = [&] {
    const store::StoreCounts before = counter_.Counts();
    EXPECT_THAT(Run(*table, Request(Near(3))).explain.plan, StartsWith("index"));
    return counter_.Counts() - before;
  };
  // The hot part; the lists; the vectors of the candidates; the rows. With an empty cache two rounds more, for what is
  // known of the data files.
  const store::StoreCounts first = cost(), second = cost();
  RecordProperty("first", std::to_string(first.rounds()));
  EXPECT_LE(first.rounds(), 6U);
  EXPECT_LE(second.rounds(), 3U);
  EXPECT_LT(second.bytes_read(), 350'000U);
  const auto mapped = Open(kMapped);
  Run(*mapped, Request(Near(3)));
  const store::StoreCounts before = counter_.Counts();
  Run(*mapped, Request(Near(3)));
  EXPECT_EQ((counter_.Counts() - before).rounds(), 1U) << "the rows";
}

TEST_F(IndexSearchTest, SearchesMayShareATable) {
  CreateParts();
  MustBuild();
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    std::vector<SearchRequest> requests;
    for (std::size_t cluster = 0; cluster < 4; cluster++) requests.push_back(Request(Near(cluster)));
    requests[1].filter = requests[3].filter = "draw < 500";
    std::vector<std::thread> threads;
    std::vector<std::vector<std::int64_t>> found(4);
    for (std::size_t i = 0; i < 4; i++) threads.emplace_back([&, i] { found[i] = IdsOf(Run(*table, requests[i])); });
    for (std::thread& thread : threads) thread.join();
    for (std::size_t i = 0; i < 4; i++) EXPECT_EQ(IdsOf(Run(*table, requests[i])), found[i]);
  }
}

}  // namespace
}  // namespace firn::maintain
