// What a table does that is searched often: graphs in memory, and promises measured with what is asked.

#include <gmock/gmock.h>

#include <atomic>
#include <cmath>
#include <functional>
#include <thread>

#include "maintain/calibrate.h"
#include "maintain/index_table_testing.h"
#include "maintain/refresh_promise.h"
#include "query/hot_graph.h"
#include "query/seen_queries.h"

namespace firn::maintain {
namespace {

using query::OpenTable;
using query::SearchRequest;
using query::SeenQuery;
using simd::Metric;

constexpr std::uint64_t kGigabyte = 1ULL << 30;

class HotTableTest : public IndexTableTest {
 protected:
  std::shared_ptr<OpenTable> OpenHot(query::Residency residency = {.mapped = true, .graph_after = 1U << 30}) {
    return std::make_shared<OpenTable>(Snapshot(), Catalog(), residency, shared_);
  }
  /// Unlike the table's rows: between two clusters.
  std::vector<float> Between() {
    std::vector<float> query = Near(random_.Below(kClusters));
    const std::vector<float> other = Near(random_.Below(kClusters));
    for (std::size_t i = 0; i < kDims; i++) query[i] = (query[i] + other[i]) / 2;
    return query;
  }
  std::vector<SeenQuery> Asked(std::size_t count, const std::string& filter = "") {
    std::vector<SeenQuery> asked;
    for (std::size_t i = 0; i < count; i++) asked.push_back({Between(), filter});
    return asked;
  }
  double MeanRecall(OpenTable& table, std::span<const SeenQuery> queries, float promise) {
    double sum = 0;
    for (const SeenQuery& query : queries) {
      SearchRequest request = Request(query.vector);
      request.recall = promise;
      request.filter = query.filter;
      request.measuring = true;
      sum += RecallOf(table, request);
    }
    return sum / static_cast<double>(queries.size());
  }

  /// A table whose vectors have the lengths that `length` gives.
  void CreateStretched(const std::function<float()>& length) {
    lengths_ = length;
    CreateParts();
    lengths_ = {};
  }
  /// `graphs` that each search is to be answered by, where that is known.
  double MeanRecallByDot(OpenTable& table, int queries, float promise, std::optional<std::uint64_t> graphs) {
    double sum = 0;
    for (int i = 0; i < queries; i++) {
      SearchRequest request = Request(Near(random_.Below(kClusters)));
      request.metric = Metric::kDot;
      request.recall = promise;
      const std::uint64_t walked = Run(table, request).explain.graphs;
      EXPECT_EQ(walked, graphs.value_or(walked));
      sum += RecallOf(table, request);
    }
    return sum / queries;
  }

  MemoryState memory_{16 * kGigabyte, 8 * kGigabyte};
  query::Shared shared_{
      .graphs = std::make_shared<query::HotGraphs>(kGigabyte, [this] { return std::optional(memory_); }),
      .seen = std::make_shared<query::SeenQueries>(300),
      .measure = {},
      .stopping = nullptr};
};

TEST_F(HotTableTest, AGraphAnswersAndKeepsThePromise) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot();
  ASSERT_TRUE(table->BuildGraphs("vector", Metric::kL2, Deadline::Never()));
  double sum = 0;
  for (int i = 0; i < 100; i++) {
    const SearchRequest request = Request(Near(random_.Below(kClusters)));
    EXPECT_EQ(Run(*table, request).explain.graphs, 1U);
    sum += RecallOf(*table, request);
  }
  EXPECT_GE(sum / 100, 0.94);
}

TEST_F(HotTableTest, AGraphAnswersForInnerProductsAndKeepsThePromise) {
  CreateStretched([] { return 1.0F; });
  MustBuild({.metric = Metric::kDot});
  const auto table = OpenHot();
  ASSERT_TRUE(table->BuildGraphs("vector", Metric::kDot, Deadline::Never()));
  EXPECT_GE(MeanRecallByDot(*table, 100, 0.95F, 1), 0.94);
}

TEST_F(HotTableTest, WithUnevenLengthsInnerProductsGetNoLessThanIsPromised) {
  CreateStretched([this] { return std::exp(Normal()); });
  MustBuild({.metric = Metric::kDot});
  const auto table = OpenHot();
  ASSERT_TRUE(table->BuildGraphs("vector", Metric::kDot, Deadline::Never()));
  for (const float promise : {0.9F, 0.95F, 0.99F})
    EXPECT_GE(MeanRecallByDot(*table, 100, promise, std::nullopt), promise - 0.01);
}

TEST_F(HotTableTest, AGraphThatFindsLessThanNineInTenIsNotKept) {
  Create(Rows(0, 8));  // eight of ten at most
  MustBuild();
  const auto table = OpenHot();
  ASSERT_TRUE(table->BuildGraphs("vector", Metric::kL2, Deadline::Never()));
  EXPECT_EQ(Run(*table, Request(Near(0))).explain.graphs, 0U);
}

TEST_F(HotTableTest, WithoutMemoryToSpareNoGraphIsBuiltAndListsAnswer) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot();
  memory_.available = memory_.limit / 10;
  const Status built = table->BuildGraphs("vector", Metric::kL2, Deadline::Never());
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::kResourceExhausted);
  EXPECT_EQ(Run(*table, Request(Near(0))).explain.graphs, 0U);
  memory_.available = memory_.limit / 2;
  EXPECT_TRUE(table->BuildGraphs("vector", Metric::kL2, Deadline::Never()));
  EXPECT_EQ(Run(*table, Request(Near(0))).explain.graphs, 1U);
}

TEST_F(HotTableTest, WhenMemoryRunsShortGraphsGoAndAnswersStay) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot();
  ASSERT_TRUE(table->BuildGraphs("vector", Metric::kL2, Deadline::Never()));
  const SearchRequest request = Request(Near(3));
  const auto before = IdsOf(Run(*table, request));
  EXPECT_FALSE(shared_.graphs->Relieve());
  memory_.available = memory_.limit / 50;
  EXPECT_TRUE(shared_.graphs->Relieve());
  const query::SearchResult after = Run(*table, request);
  EXPECT_EQ(after.explain.graphs, 0U);
  EXPECT_EQ(IdsOf(after), before);
}

TEST_F(HotTableTest, WhatWasReadIntoMemoryIsForgottenWhenItRunsShort) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot({.mapped = false, .bytes = kGigabyte, .warm_after = 1U << 30, .graph_after = 1U << 30});
  const SearchRequest request = Request(Near(3));
  const auto cold = IdsOf(Run(*table, request));
  ASSERT_TRUE(table->Warm("vector", Metric::kL2, Deadline::Never()));
  const auto before = counter_.Counts();
  SearchRequest ids = request;
  ids.columns = std::vector<std::string>();
  Run(*table, ids);
  EXPECT_EQ((counter_.Counts() - before).requests(), 0U);
  table->Cool();
  EXPECT_EQ(IdsOf(Run(*table, request)), cold);
  EXPECT_GT((counter_.Counts() - before).requests(), 0U);
  memory_.available = memory_.limit / 20;
  const Status warmed = table->Warm("vector", Metric::kL2, Deadline::Never());
  EXPECT_FALSE(warmed) << "less than a tenth would stay free";
}

TEST_F(HotTableTest, AMaskIsThatOfTheIndexItWasMadeFor) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot();
  SearchRequest request = Request(Near(3));
  request.filter = "cluster = 3";
  const auto ids = IdsOf(Run(*table, request));
  const auto index = table->IndexOf("vector", Metric::kL2, Deadline::Never()).value();
  const auto predicate = table->snapshot().Bind(request.filter).value();
  const auto mask = table->MaskOf(index, "vector", request.filter, predicate, Deadline::Never()).value();
  EXPECT_EQ(mask->masks.size(), 1U);
  table->Distrust("vector", Metric::kL2, "a test");
  const auto none = table->IndexOf("vector", Metric::kL2, Deadline::Never()).value();
  EXPECT_TRUE(table->MaskOf(none, "vector", request.filter, predicate, Deadline::Never()).value()->masks.empty());
  EXPECT_EQ(table->MaskOf(index, "vector", request.filter, predicate, Deadline::Never()).value(), mask)
      << "for searches that began before";
  EXPECT_EQ(IdsOf(Run(*table, request)), ids);
}

TEST_F(HotTableTest, QueriesThatWereAskedTeachWhatThePromiseTakes) {
  CreateParts();
  MustBuild();
  const auto asked = Asked(400), others = Asked(200);
  const auto before = OpenHot();
  const double untaught = MeanRecall(*before, others, 0.95F);
  const auto refreshed = RefreshPromise(*before, "vector", Metric::kL2, asked, Deadline::Never());
  ASSERT_TRUE(refreshed) << refreshed.error().ToString();
  EXPECT_EQ(*refreshed, 1U);
  EXPECT_EQ(Catalog().number, 2U);
  EXPECT_EQ(Catalog().segments[0].real_queries, 400U);
  const auto after = OpenHot();
  const double taught = MeanRecall(*after, others, 0.95F);
  EXPECT_GE(taught, 0.945) << "before: " << untaught;
  const auto again = RefreshPromise(*after, "vector", Metric::kL2, asked, Deadline::Never());
  EXPECT_EQ(again.value(), 0U) << "nothing new was learnt";
  EXPECT_EQ(Catalog().number, 2U);
}

TEST_F(HotTableTest, QueriesWithAFilterTeachOfTheirFilters) {
  CreateParts();
  MustBuild();
  const auto plain_before = Catalog().segments[0].calibrations;
  auto asked = Asked(250, "cluster >= 10"), gone = Asked(10, "no_such_column = 3");
  asked.insert(asked.end(), gone.begin(), gone.end());
  const auto refreshed = RefreshPromise(*OpenHot(), "vector", Metric::kL2, asked, Deadline::Never());
  ASSERT_TRUE(refreshed) << refreshed.error().ToString();
  const index::SegmentEntry entry = Catalog().segments[0];
  EXPECT_EQ(entry.real_queries, *refreshed == 1 ? 250U : 0U);
  for (std::size_t i = 0; i < entry.calibrations.size(); i++)
    EXPECT_EQ(entry.calibrations[i].stop, plain_before[i].stop) << "no query without a filter was asked";
  EXPECT_GE(MeanRecall(*OpenHot(), Asked(100, "cluster >= 10"), 0.95F), 0.945);
}

TEST_F(HotTableTest, FewQueriesTeachNothing) {
  CreateParts();
  MustBuild();
  EXPECT_EQ(RefreshPromise(*OpenHot(), "vector", Metric::kL2, Asked(kFewestRealQueries - 1), Deadline::Never()).value(),
            0U);
  EXPECT_EQ(Catalog().number, 1U);
}

TEST_F(HotTableTest, WhatAServerMayNotWriteStaysAsItWas) {
  CreateParts();
  MustBuild();
  const auto table = OpenHot();
  faults_ = [](const store::OperationInfo& operation) -> store::FaultDecision {
    if (operation.operation != store::StoreOperation::kPut) return {};
    return {.fault = store::Fault::kFailBefore, .kind = ErrorKind::kPermissionDenied};
  };
  EXPECT_FALSE(RefreshPromise(*table, "vector", Metric::kL2, Asked(300), Deadline::Never()));
  faults_ = {};
  EXPECT_EQ(Catalog().number, 1U);
  EXPECT_EQ(Run(*table, Request(Near(1))).rows.rows, 10);
}

TEST_F(HotTableTest, OnceEnoughWasAskedTheIndexIsMeasuredOnce) {
  CreateParts();
  MustBuild();
  std::atomic<int> measured{0};
  shared_.measure = [&](OpenTable& table, const std::string& column, Metric metric, const Deadline&) {
    EXPECT_EQ(column, "vector");
    EXPECT_EQ(table.SeenQueriesOf(column, metric).size(), 300U);
    measured++;
  };
  {
    const auto table = OpenHot();
    for (int i = 0; i < 299; i++) Run(*table, Request(Near(1)));
    SearchRequest measuring = Request(Near(1));
    measuring.measuring = true;
    for (int i = 0; i < 10; i++) Run(*table, measuring);
    EXPECT_EQ(measured, 0);
    Run(*table, Request(Near(1)));
    for (int i = 0; i < 5000 && measured == 0; i++) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(measured, 1);
}

}  // namespace
}  // namespace firn::maintain
