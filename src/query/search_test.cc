#include "query/search.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "arrow/builder.h"
#include "store/memory/memory_store.h"

namespace firn::query {
namespace {

using arrow::Builder;
using arrow::RecordBatch;
using arrow::TypeId;
using simd::Metric;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr int kDimension = 8;
constexpr int kRows = 500;

/// Random rows over three fragments: id, group = id % 10, vector (null when id % 50 == 49), bytes (u8 vector).
class SearchTest : public testing::Test {
 protected:
  void SetUp() override {
    for (int part = 0; part < 3; part++) {
      const RecordBatch batch = Rows(part * kRows / 3, (part + 1) * kRows / 3);
      const auto source = arrow::FromBatches(batch.schema, {batch});
      if (part == 0) {
        ASSERT_TRUE(database_.Create("docs", *source, table::CreateMode::kCreate, {}, Deadline::Never()));
      } else {
        ASSERT_TRUE(database_.Append("docs", *source, {}, Deadline::Never()));
      }
    }
    snapshot_ = database_.Open("docs", std::nullopt, Deadline::Never()).value();
    for (int d = 0; d < kDimension; d++) query_.push_back(static_cast<float>(random_.Unit()));
  }

  RecordBatch Rows(int first, int last) {
    const auto schema = std::make_shared<const arrow::Schema>(
        arrow::Schema{{{"id", arrow::Simple(TypeId::kInt64), true, {}},
                       {"group", arrow::Simple(TypeId::kInt32), true, {}},
                       {"vector", arrow::FixedSizeList(arrow::Simple(TypeId::kFloat32), kDimension), true, {}},
                       {"bytes", arrow::FixedSizeList(arrow::Simple(TypeId::kUInt8), kDimension), true, {}}},
                      {}});
    std::vector<Builder> builders;
    for (const arrow::Field& field : schema->fields) builders.emplace_back(field.type);
    for (int id = first; id < last; id++) {
      builders[0].AppendInteger(id);
      builders[1].AppendInteger(id % 10);
      std::vector<float> vector;
      for (int d = 0; d < kDimension; d++) vector.push_back(static_cast<float>(random_.Unit()));
      if (id % 50 == 49) {
        builders[2].AppendNull();
      } else {
        for (const float value : vector) builders[2].child(0).Append(value);
        builders[2].CloseList();
        vectors_[id] = vector;
      }
      for (int d = 0; d < kDimension; d++) builders[3].child(0).Append(static_cast<std::uint8_t>(id * 7 + d));
      builders[3].CloseList();
    }
    RecordBatch batch{schema, {}, last - first};
    for (Builder& builder : builders) batch.columns.push_back(builder.Finish());
    return batch;
  }

  double DistanceTo(const std::vector<float>& vector, Metric metric) const {
    double l2 = 0, dot = 0, q = 0, v = 0;
    for (int d = 0; d < kDimension; d++) {
      l2 += std::pow(query_[d] - vector[d], 2);
      dot += query_[d] * vector[d];
      q += query_[d] * query_[d];
      v += vector[d] * vector[d];
    }
    return metric == Metric::kL2 ? l2 : metric == Metric::kDot ? 1 - dot : 1 - dot / std::sqrt(q * v);
  }

  /// Ids by naive distance, nearest first.
  std::vector<std::int64_t> Expected(Metric metric, const std::function<bool(int)>& keep) const {
    std::vector<std::pair<double, std::int64_t>> all;
    for (const auto& [id, vector] : vectors_) {
      if (keep(id)) all.emplace_back(DistanceTo(vector, metric), id);
    }
    std::ranges::sort(all);
    std::vector<std::int64_t> ids;
    for (const auto& [distance, id] : all) ids.push_back(id);
    return ids;
  }

  SearchRequest Request() const {
    SearchRequest request;
    request.vector_column = "vector";
    request.vector = query_;
    request.k = 10;
    return request;
  }
  static std::vector<std::int64_t> IdsOf(const SearchResult& result) {
    const auto ids = result.rows.Column("id")->Values<std::int64_t>();
    return {ids.begin(), ids.end()};
  }
  Result<SearchResult> Try(const SearchRequest& request) {
    OpenTable table(snapshot_, {}, {.mapped = true});
    return Search(table, request, Deadline::Never());
  }
  SearchResult Run(const SearchRequest& request) { return Try(request).value(); }
  Error Fail(const SearchRequest& request) { return Try(request).error(); }

  ManualClock clock_;
  Random random_{11};
  Log log_{LogLevel::kOff, clock_};
  TaskPool pool_{4};
  lance::FileMetadataCache cache_;
  std::unique_ptr<store::ObjectStore> store_ = store::OpenMemory("test", clock_);
  table::Database database_{table::Environment{*store_, clock_, random_, log_, pool_, cache_}};
  table::SnapshotPtr snapshot_;
  std::map<int, std::vector<float>> vectors_;
  std::vector<float> query_;
};

std::vector<std::int64_t> First(std::vector<std::int64_t> ids, std::size_t count, std::size_t skip = 0) {
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(std::min(skip, ids.size())));
  ids.resize(std::min(count, ids.size()));
  return ids;
}

TEST_F(SearchTest, EqualsNaiveSearchForEveryMetric) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    SearchRequest request = Request();
    request.metric = metric;
    const SearchResult result = Run(request);
    EXPECT_EQ(IdsOf(result), First(Expected(metric, [](int) { return true; }), 10)) << simd::NameOf(metric);
    const auto distances = result.rows.Column("_distance")->Values<float>();
    EXPECT_TRUE(std::ranges::is_sorted(distances));
    EXPECT_NEAR(distances[0], DistanceTo(vectors_.at(static_cast<int>(IdsOf(result)[0])), metric), 1e-5);
  }
}

TEST_F(SearchTest, PrefilterFindsKMatchingRowsHoweverFewMatch) {
  SearchRequest request = Request();
  request.filter = "`group` = 3";
  EXPECT_EQ(IdsOf(Run(request)), First(Expected(Metric::kL2, [](int id) { return id % 10 == 3; }), 10));
  request.filter = "id IN (1, 490, 49)";
  EXPECT_EQ(IdsOf(Run(request)), Expected(Metric::kL2, [](int id) { return id == 1 || id == 490; }))
      << "49's vector is null";
  request.filter = "id < 0";
  EXPECT_TRUE(IdsOf(Run(request)).empty());
}

TEST_F(SearchTest, PostfilterKeepsOnlyThoseOfTheNearestThatMatch) {
  SearchRequest request = Request();
  request.filter = "`group` < 5";
  request.postfilter = true;
  std::vector<std::int64_t> expected = First(Expected(Metric::kL2, [](int) { return true; }), 10);
  std::erase_if(expected, [](std::int64_t id) { return id % 10 >= 5; });
  EXPECT_EQ(IdsOf(Run(request)), expected);
}

TEST_F(SearchTest, OffsetAndKBeyondTheTable) {
  SearchRequest request = Request();
  request.offset = 5;
  EXPECT_EQ(IdsOf(Run(request)), First(Expected(Metric::kL2, [](int) { return true; }), 10, 5));
  request.offset = 0;
  request.k = 100'000;
  EXPECT_EQ(IdsOf(Run(request)), Expected(Metric::kL2, [](int) { return true; }));
  request.offset = 100'000;
  EXPECT_TRUE(IdsOf(Run(request)).empty());
}

TEST_F(SearchTest, DistanceBoundsAreInclusiveBelowAndExclusiveAbove) {
  SearchRequest request = Request();
  request.k = 1000;
  const auto all = Run(request);
  const auto distances = all.rows.Column("_distance")->Values<float>();
  request.distance_at_least = distances[3];
  request.distance_below = distances[7];
  EXPECT_EQ(IdsOf(Run(request)), First(IdsOf(all), 4, 3));
}

TEST_F(SearchTest, ColumnsAndRowIdsAreAsAsked) {
  SearchRequest request = Request();
  request.columns = {"group", "id"};
  request.with_row_address = true;
  const SearchResult result = Run(request);
  std::vector<std::string> names;
  for (const arrow::Field& field : result.rows.schema->fields) names.push_back(field.name);
  EXPECT_THAT(names, ElementsAre("group", "id", "_rowid", "_distance"));
  const auto addresses = result.rows.Column("_rowid")->Values<std::uint64_t>();
  const RecordBatch rows = snapshot_->Take(addresses, std::vector<std::string>{"id"}, false, Deadline::Never()).value();
  EXPECT_TRUE(arrow::Equal(rows.columns[0], *result.rows.Column("id")));
}

TEST_F(SearchTest, ByteVectorsDefaultToHamming) {
  SearchRequest request = Request();
  request.vector_column = "bytes";
  request.vector.clear();
  for (int d = 0; d < kDimension; d++)
    request.vector.push_back(static_cast<float>(static_cast<std::uint8_t>(7 * 123 + d)));
  request.k = 1;
  const SearchResult result = Run(request);
  EXPECT_THAT(IdsOf(result), ElementsAre(123));
  EXPECT_THAT(result.explain.plan, HasSubstr("hamming"));
  request.vector[0] = 256;
  EXPECT_THAT(Fail(request).message, HasSubstr("not a byte"));
}

TEST_F(SearchTest, ASearchOfAnEmptyTableIsEmpty) {
  const auto source = arrow::FromBatches(snapshot_->schema(), {});
  ASSERT_TRUE(database_.Create("empty", *source, table::CreateMode::kCreate, {}, Deadline::Never()));
  OpenTable empty(database_.Open("empty", std::nullopt, Deadline::Never()).value(), {}, {.mapped = true});
  const SearchResult result = Search(empty, Request(), Deadline::Never()).value();
  EXPECT_EQ(result.rows.rows, 0);
  EXPECT_EQ(result.rows.columns.size(), 5U);
}

TEST_F(SearchTest, BadRequestsSayWhatIsWrong) {
  SearchRequest request = Request();
  request.k = 0;
  EXPECT_THAT(Fail(request).message, HasSubstr("k is 0"));
  request = Request();
  request.k = kMaxK + 1;
  EXPECT_THAT(Fail(request).message, HasSubstr("beyond"));
  request = Request();
  request.vector.pop_back();
  EXPECT_THAT(Fail(request).message, HasSubstr("the query vector has 7 values, column \"vector\" has 8"));
  request = Request();
  request.vector[3] = NAN;
  EXPECT_THAT(Fail(request).message, HasSubstr("value 3"));
  request = Request();
  request.vector_column = "";
  EXPECT_THAT(Fail(request).hint, HasSubstr("vector, bytes"));
  request.vector_column = "id";
  EXPECT_THAT(Fail(request).message, HasSubstr("not a vector"));
  request.vector_column = "nope";
  EXPECT_THAT(Fail(request).message, HasSubstr("no column \"nope\""));
  request = Request();
  request.filter = "nope = 1";
  EXPECT_EQ(Fail(request).kind, ErrorKind::kInvalidArgument);
  request = Request();
  request.columns = {"nope"};
  EXPECT_EQ(Fail(request).kind, ErrorKind::kInvalidArgument);
  request = Request();
  request.metric = Metric::kHamming;
  EXPECT_THAT(Fail(request).message, HasSubstr("hamming distance needs"));
  for (const Error& error : {Fail(request)}) EXPECT_EQ(error.kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace firn::query
