// Many vectors at once: the answers of single searches, for the rounds of one.

#include <gmock/gmock.h>

#include <limits>

#include "maintain/index_table_testing.h"

namespace firn::maintain {
namespace {

using query::ManyResults;
using query::Residency;
using query::SearchRequest;
using query::SearchResult;
using testing::HasSubstr;
using testing::StartsWith;

class SearchManyTest : public IndexTableTest {
 protected:
  std::vector<std::vector<float>> Vectors(std::size_t count) {
    std::vector<std::vector<float>> vectors;
    for (std::size_t i = 0; i < count; i++) vectors.push_back(Near(i % kClusters));
    return vectors;
  }
  static ManyResults RunMany(query::OpenTable& table, const SearchRequest& request,
                             const std::vector<std::vector<float>>& vectors) {
    auto found = query::SearchMany(table, request, vectors, Deadline::Never());
    if (!found) ADD_FAILURE() << found.error().ToString();
    return found ? *std::move(found) : ManyResults{};
  }
  /// Rows and distances of a search, to compare.
  static std::string TextOf(const arrow::RecordBatch& rows) {
    std::string text;
    const auto ids = rows.Column("id")->Values<std::int64_t>();
    const auto distances = rows.Column("_distance")->Values<float>();
    for (std::size_t i = 0; i < ids.size(); i++)
      text += std::to_string(ids[i]) + " at " + std::to_string(distances[i]) + "\n";
    return text;
  }
  void ExpectSingles(query::OpenTable& table, SearchRequest request, const std::vector<std::vector<float>>& vectors) {
    const ManyResults many = RunMany(table, request, vectors);
    ASSERT_EQ(many.rows.size(), vectors.size());
    for (std::size_t i = 0; i < vectors.size(); i++) {
      request.vector = vectors[i];
      EXPECT_EQ(TextOf(many.rows[i]), TextOf(Run(table, request).rows)) << "vector " << i;
    }
  }
  Error Fail(const SearchRequest& request, const std::vector<std::vector<float>>& vectors) {
    const auto table = Open();
    return query::SearchMany(*table, request, vectors, Deadline::Never()).error();
  }
  store::StoreCounts CostOf(const std::function<void()>& search) {
    const store::StoreCounts before = counter_.Counts();
    search();
    return counter_.Counts() - before;
  }
};

TEST_F(SearchManyTest, ExactAnswersAreThoseOfSingleSearches) {
  CreateParts();
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    for (const auto metric : {simd::Metric::kL2, simd::Metric::kCosine, simd::Metric::kDot}) {
      SearchRequest request = Request(Near(0));
      request.metric = metric;
      ExpectSingles(*table, request, Vectors(30));
      request.filter = "draw < 300";
      request.k = 7;
      request.offset = 5;
      ExpectSingles(*table, request, Vectors(5));
    }
  }
  SearchRequest bytes = Request(std::vector<float>(kByteDims, 128));
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 9; i++) vectors.emplace_back(kByteDims, static_cast<float>(90 + 10 * i));
  ExpectSingles(*Open(), bytes, vectors);
}

TEST_F(SearchManyTest, ByIndexWhereListsAreInMemoryEachFindsWhatItFindsAlone) {
  CreateParts();
  MustBuild();
  const auto table = Open(kMapped);
  SearchRequest request = Request(Near(0));
  const auto vectors = Vectors(50);
  EXPECT_THAT(RunMany(*table, request, vectors).explain.plan,
              testing::AllOf(StartsWith("index"), HasSubstr("for 50 vectors at once")));
  ExpectSingles(*table, request, vectors);
  request.recall = 0.99F;
  request.k = 30;
  request.offset = 3;
  ExpectSingles(*table, request, vectors);
  request.nprobes = 9;
  ExpectSingles(*table, request, vectors);
  request = Request(Near(0));
  for (const char* filter : {"draw < 500", "draw < 10", "cluster = 17", "draw < 0"}) {
    request.filter = filter;
    ExpectSingles(*table, request, vectors);
  }
  request.filter = "draw < 500";
  request.postfilter = true;
  ExpectSingles(*table, request, vectors);
}

TEST_F(SearchManyTest, ByIndexWhereListsAreReadRecallIsNoLessThanThatOfSingleSearches) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  const auto vectors = Vectors(40);
  for (const char* filter : {"", "draw < 500", "cluster >= 10"}) {
    SearchRequest request = Request(Near(0));
    request.filter = filter;
    request.recall = 0.9F;
    const ManyResults many = RunMany(*table, request, vectors);
    double together = 0, alone = 0;
    for (std::size_t i = 0; i < vectors.size(); i++) {
      request.vector = vectors[i];
      const auto truth = IdsOf(RunExact(*table, request));
      const auto share = [&](const std::vector<std::int64_t>& ids) {
        double found = 0;
        for (const std::int64_t id : truth) found += std::ranges::find(ids, id) != ids.end() ? 1 : 0;
        return found / static_cast<double>(truth.size());
      };
      together += share(IdsOf({many.rows[i], {}}));
      alone += share(IdsOf(Run(*table, request)));
    }
    EXPECT_GE(together, alone - 1e-9) << filter;
  }
}

TEST_F(SearchManyTest, AHundredColdVectorsTakeTheRoundsOfOne) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  SearchRequest request = Request(Near(3));
  const auto vectors = Vectors(100);
  RunMany(*table, request, {vectors[0], vectors[1]});  // opens index and files
  ManyResults many;
  const store::StoreCounts together = CostOf([&] { many = RunMany(*table, request, vectors); });
  EXPECT_THAT(many.explain.plan, StartsWith("index"));
  const store::StoreCounts alone = CostOf([&] {
    for (const std::vector<float>& vector : vectors) {
      request.vector = vector;
      Run(*table, request);
    }
  });
  EXPECT_LE(together.rounds(), 3U);
  EXPECT_GE(alone.rounds(), 100U);
  EXPECT_LT(together.bytes_read(), alone.bytes_read() / 4);
  EXPECT_LT(together.requests(), alone.requests() / 4);
  RecordProperty("bytes_together", std::to_string(together.bytes_read()));
  RecordProperty("bytes_alone", std::to_string(alone.bytes_read()));
}

TEST_F(SearchManyTest, AnExactSearchForManyReadsTheColumnOnce) {
  CreateParts();
  const auto table = Open(kCold);
  SearchRequest request = Request(Near(3));
  const auto vectors = Vectors(20);
  RunMany(*table, request, {vectors[0], vectors[1]});
  const store::StoreCounts together = CostOf([&] { RunMany(*table, request, vectors); });
  const store::StoreCounts alone = CostOf([&] { Run(*table, request); });
  EXPECT_EQ(together.rounds(), alone.rounds());
  EXPECT_LT(together.bytes_read(), 2 * alone.bytes_read());
}

TEST_F(SearchManyTest, TheFewRowsThatMatchAreReadOnce) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  SearchRequest request = Request(Near(3));
  request.filter = "draw < 4";
  const auto vectors = Vectors(20);
  ManyResults many = RunMany(*table, request, vectors);
  EXPECT_EQ(many.explain.way, "matches");
  const store::StoreCounts together = CostOf([&] { many = RunMany(*table, request, vectors); });
  EXPECT_LE(together.rounds(), 2U) << "their vectors, and the rows";
  for (std::size_t i = 0; i < vectors.size(); i++) {
    request.vector = vectors[i];
    EXPECT_EQ(TextOf(many.rows[i]), TextOf(RunExact(*table, request).rows));
  }
}

TEST_F(SearchManyTest, DeletedRowsAreNotFoundAndThoseWithoutAnIndexAre) {
  CreateParts();
  MustBuild();
  Append(Rows(50'000, 60));
  std::vector<std::uint32_t> odd;
  for (std::uint32_t i = 1; i < kPartRows; i += 2) odd.push_back(i);
  const auto snapshot = Without(Snapshot(), {{0, odd}});
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency, snapshot);
    SearchRequest request = Request(Near(0));
    request.k = 200;
    const auto vectors = Vectors(20);
    const ManyResults many = RunMany(*table, request, vectors);
    EXPECT_THAT(many.explain.plan, HasSubstr("exact over 60 rows without an index"));
    std::size_t fresh = 0;
    for (const arrow::RecordBatch& rows : many.rows) {
      for (const std::int64_t id : IdsOf({rows, {}})) {
        EXPECT_FALSE(id < kPartRows && id % 2 == 1) << id;
        fresh += id >= 50'000 ? 1 : 0;
      }
    }
    EXPECT_GT(fresh, 0U);
    request.nprobes = 1000;
    ExpectSingles(*table, request, vectors);
  }
}

TEST_F(SearchManyTest, ADamagedSegmentCostsTimeAndGivesAWarning) {
  CreateParts();
  const std::string key = "docs.lance/" + MustBuild().object;
  const auto object = store::Read(store_, store::ReadRequest::Whole(key), Deadline::Never());
  ASSERT_TRUE(object);
  std::string bytes(object->bytes.chars());
  for (std::size_t at = index::kSegmentHeaderBytes; at < bytes.size() / 2; at += 50)
    bytes[at] = static_cast<char>(bytes[at] ^ 0x40);
  ASSERT_TRUE(store_.Put(key, AsBytes(bytes), store::PutCondition::kNone, Deadline::Never()));
  for (const Residency residency : {kMapped, kCold}) {
    const auto table = Open(residency);
    const SearchRequest request = Request(Near(3));
    const auto vectors = Vectors(40);
    const ManyResults many = RunMany(*table, request, vectors);
    ASSERT_FALSE(many.explain.warnings.empty());
    EXPECT_THAT(many.explain.warnings[0], HasSubstr("is not used"));
    EXPECT_THAT(many.explain.plan, StartsWith("exact"));
    ExpectSingles(*table, request, vectors);
  }
}

TEST_F(SearchManyTest, OneVectorIsASearchAndTheSameTwiceIsTheSame) {
  CreateParts();
  MustBuild();
  const auto table = Open(kCold);
  SearchRequest request = Request(Near(2));
  request.columns.reset();
  request.with_row_address = true;
  const std::vector<std::vector<float>> twice = {request.vector, request.vector};
  const ManyResults many = RunMany(*table, request, twice);
  const SearchResult one = Run(*table, request);
  EXPECT_EQ(TextOf(many.rows[0]), TextOf(one.rows));
  EXPECT_EQ(TextOf(many.rows[1]), TextOf(one.rows));
  EXPECT_TRUE(arrow::Equal(*many.rows[1].Column("_rowid"), *one.rows.Column("_rowid")));
  EXPECT_TRUE(arrow::Equal(*many.rows[1].Column("text"), *one.rows.Column("text")));
  ExpectSingles(*table, request, {request.vector});
}

TEST_F(SearchManyTest, MoreWantedThanThereIsGivesAllToEach) {
  Create(Rows(0, 90));
  SearchRequest request = Request(Near(0));
  request.k = 95;
  const ManyResults many = RunMany(*Open(), request, Vectors(4));
  for (const arrow::RecordBatch& rows : many.rows) EXPECT_EQ(rows.rows, 89);
  request.offset = 200;
  for (const arrow::RecordBatch& rows : RunMany(*Open(), request, Vectors(4)).rows) EXPECT_EQ(rows.rows, 0);
}

TEST_F(SearchManyTest, BadRequestsSayWhichVectorIsWrong) {
  Create(Rows(0, 100));
  MustBuild();
  SearchRequest request = Request(Near(0));
  auto vectors = Vectors(5);
  vectors[3].pop_back();
  EXPECT_THAT(Fail(request, vectors).message, HasSubstr("query vector 3 has 23 values, column \"vector\" has 24"));
  vectors = Vectors(5);
  vectors[4][7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Fail(request, vectors).message, HasSubstr("value 7 of query vector 4 is not a finite number"));
  EXPECT_THAT(Fail(request, {}).message, HasSubstr("no query vectors"));
  EXPECT_THAT(Fail(request, Vectors(query::kMaxVectors + 1)).message,
              HasSubstr("1001 query vectors are more than 1000"));
  request.k = 60;
  request.offset = 41;
  EXPECT_THAT(Fail(request, Vectors(1000)).message, HasSubstr("k + offset is beyond 100"));
  request.offset = 60'000;
  EXPECT_THAT(Fail(request, Vectors(2)).message, HasSubstr("k + offset is beyond 50000"));
  request.offset = 0;
  request.k = 0;
  EXPECT_THAT(Fail(request, Vectors(2)).message, HasSubstr("k is 0"));
  EXPECT_EQ(Fail(request, Vectors(2)).kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace firn::maintain
