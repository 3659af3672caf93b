#include "maintain/build_index.h"

#include <gmock/gmock.h>

#include "maintain/index_table_testing.h"

namespace firn::maintain {
namespace {

using simd::Metric;
using testing::HasSubstr;

class BuildIndexTest : public IndexTableTest {
 protected:
  void ExpectError(BuildOptions options, ErrorKind kind, const std::string& message) {
    const auto built = Build(std::move(options));
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, kind) << built.error().ToString();
    EXPECT_THAT(built.error().ToString(), HasSubstr(message));
  }
};

TEST_F(BuildIndexTest, PublishesWhatItBuilt) {
  CreateParts();
  const index::SegmentEntry entry = MustBuild();
  EXPECT_EQ(entry.name, "vector_idx");
  EXPECT_EQ(entry.metric, Metric::kL2);
  EXPECT_EQ(entry.dim, kDims);
  EXPECT_EQ(entry.fragments.size(), static_cast<std::size_t>(kParts));
  EXPECT_EQ(entry.PhysicalRows(), static_cast<std::uint64_t>(kParts * kPartRows));
  EXPECT_EQ(entry.rows, entry.PhysicalRows() - 29) << "rows without a vector are not in it";
  EXPECT_GT(entry.lists, 30U);
  ASSERT_FALSE(entry.calibrations.empty());
  for (std::size_t i = 1; i < entry.calibrations.size(); i++) {
    EXPECT_LT(entry.calibrations[i - 1].recall, entry.calibrations[i].recall);
    EXPECT_LE(entry.calibrations[i - 1].stop, entry.calibrations[i].stop);
    EXPECT_LE(entry.calibrations[i - 1].lists, entry.calibrations[i].lists);
  }
  EXPECT_GE(entry.calibrations.back().recall, 0.98F);
  const index::Catalog catalog = Catalog();
  EXPECT_EQ(catalog.number, 1U);
  ASSERT_EQ(catalog.segments.size(), 1U);
  EXPECT_EQ(catalog.segments[0].object, entry.object);
  EXPECT_EQ(catalog.segments[0].calibrations, entry.calibrations);
}

TEST_F(BuildIndexTest, BuildingAgainReplacesIt) {
  CreateParts();
  const index::SegmentEntry first = MustBuild({.metric = Metric::kCosine});
  const index::SegmentEntry second = MustBuild();
  EXPECT_EQ(second.metric, Metric::kCosine) << "that of the index it replaces";
  EXPECT_NE(first.object, second.object);
  ASSERT_EQ(Catalog().segments.size(), 1U);
  EXPECT_EQ(Catalog().segments[0].object, second.object);
  // The same rows, whatever the threads did: the same lists, and the same effort for each promise.
  EXPECT_EQ(first.footer.hot_crc, second.footer.hot_crc);
  EXPECT_EQ(first.calibrations, second.calibrations);
}

TEST_F(BuildIndexTest, OnlyMissingAddsASegmentForWhatIsNew) {
  CreateParts();
  const index::SegmentEntry first = MustBuild({.metric = Metric::kCosine});
  EXPECT_EQ(MustBuild({.only_missing = true}).object, first.object) << "nothing was missing";
  EXPECT_EQ(Catalog().number, 1U);
  Append(Rows(10'000, 300));
  const index::SegmentEntry second = MustBuild({.only_missing = true});
  EXPECT_EQ(second.PhysicalRows(), 300U);
  EXPECT_EQ(second.metric, Metric::kCosine);
  const index::Catalog catalog = Catalog();
  ASSERT_EQ(catalog.segments.size(), 2U);
  EXPECT_EQ(catalog.segments[0].object, first.object);
  EXPECT_EQ(catalog.segments[1].object, second.object);
  const auto table = Open();
  const auto index = table->IndexOf("vector", Metric::kCosine, Deadline::Never());
  ASSERT_TRUE(index);
  EXPECT_EQ((*index)->segments.size(), 2U);
  EXPECT_TRUE((*index)->uncovered.empty());
}

TEST_F(BuildIndexTest, OnlyMissingJoinsSmallSegmentsWhereThereAreMany) {
  Create(Rows(0, 400));
  const index::SegmentEntry large = MustBuild();
  std::size_t most = 0;
  for (int i = 1; i <= 12; i++) {
    Append(Rows(i * 1000, 20));
    MustBuild({.only_missing = true, .most_segments = 4});
    most = std::max(most, Catalog().segments.size());
  }
  EXPECT_EQ(most, 4U);
  EXPECT_EQ(Catalog().segments[0].object, large.object) << "the large one stays as it is";
  const auto table = Open();
  const auto index = table->IndexOf("vector", Metric::kL2, Deadline::Never());
  ASSERT_TRUE(index);
  EXPECT_TRUE((*index)->uncovered.empty());
  std::uint64_t rows = 0;
  for (const query::OpenSegment& segment : (*index)->segments) rows += segment.live_rows;
  EXPECT_EQ(rows, 400U + 12U * 20U);
  EXPECT_GE(RecallOf(*table, Request(Near(3))), 0.9);
}

TEST_F(BuildIndexTest, OnlyMissingOfNewRowsWithoutVectorsKeepsTheIndex) {
  CreateParts();
  MustBuild();
  Append(Rows(97 * 1000 + 5, 1));  // whose vector is null
  const auto built = Build({.only_missing = true});
  EXPECT_TRUE(built) << built.error().ToString();
  EXPECT_EQ(Catalog().segments.size(), 1U);
}

TEST_F(BuildIndexTest, ABuildThatEndsEarlyLeavesTheCatalogAsItWas) {
  CreateParts();
  MustBuild();
  for (const BuildPhase phase :
       {BuildPhase::kSample, BuildPhase::kTrain, BuildPhase::kEncode, BuildPhase::kWrite, BuildPhase::kCalibrate}) {
    const auto cancelled = std::make_shared<std::atomic<bool>>(false);
    const auto built = Build(
        {.name = "other"},
        [&](BuildPhase now, std::uint64_t, std::uint64_t) {
          if (now == phase) *cancelled = true;
        },
        Deadline::Never().WithCancel(cancelled));
    ASSERT_FALSE(built) << NameOf(phase);
    EXPECT_EQ(built.error().kind, ErrorKind::kDeadlineExceeded) << NameOf(phase);
    EXPECT_EQ(Catalog().number, 1U);
    EXPECT_EQ(Catalog().segments.size(), 1U);
  }
}

TEST_F(BuildIndexTest, ProgressGoesThroughItsPhasesInOrder) {
  CreateParts();
  std::vector<BuildPhase> phases;
  std::uint64_t encoded = 0;
  ASSERT_TRUE(Build({}, [&](BuildPhase phase, std::uint64_t done, std::uint64_t total) {
    if (phases.empty() || phases.back() != phase) phases.push_back(phase);
    EXPECT_LE(done, total);
    if (phase == BuildPhase::kEncode) encoded = std::max(encoded, done);
  }));
  EXPECT_THAT(phases, testing::ElementsAre(BuildPhase::kSample, BuildPhase::kTrain, BuildPhase::kEncode,
                                           BuildPhase::kWrite, BuildPhase::kCalibrate));
  EXPECT_EQ(encoded, static_cast<std::uint64_t>(kParts * kPartRows));
}

TEST_F(BuildIndexTest, SaysWhyThereCanBeNoIndex) {
  CreateParts();
  ExpectError({.column = "text"}, ErrorKind::kInvalidArgument, "not a vector");
  ExpectError({.column = "nope"}, ErrorKind::kInvalidArgument, "no column \"nope\"");
  ExpectError({.metric = Metric::kHamming}, ErrorKind::kUnsupported, "hamming");
  EXPECT_EQ(BuildVectorIndex(Snapshot(), {}, {}, Deadline::Never()).error().kind, ErrorKind::kInvalidArgument)
      << "two vector columns";
  MustBuild({.name = "mine"});
  ExpectError({.name = "mine", .column = "bytes"}, ErrorKind::kAlreadyExists, "on column \"vector\"");
}

TEST_F(BuildIndexTest, ATableWithoutVectorsCannotBeIndexed) {
  Create(Rows(0, 0));
  ExpectError({}, ErrorKind::kInvalidArgument, "holds no vector");
  Append(Rows(5, 1));  // whose vector is null
  ExpectError({}, ErrorKind::kInvalidArgument, "holds no vector");
  EXPECT_EQ(Catalog().number, 0U);
}

TEST_F(BuildIndexTest, NamesThatNoCatalogCanHoldAreRefused) {
  Create(Rows(0, 20));
  ExpectError({.name = std::string(70'000, 'n')}, ErrorKind::kInvalidArgument, "name");
  EXPECT_TRUE(table::ReadCatalog(store_, "docs.lance", Deadline::Never()));
}

TEST_F(BuildIndexTest, AFewRowsAreEnough) {
  for (const std::int64_t rows : {1, 2, 4, 33}) {
    Create(Rows(0, rows), table::CreateMode::kOverwrite);
    MustBuild();
    const auto table = Open();
    auto request = Request(Near(3));
    request.recall = 0.9F;
    EXPECT_EQ(RecallOf(*table, request), 1) << rows;
    EXPECT_THAT(Run(*table, request).explain.plan, HasSubstr("index l2"));
  }
}

TEST_F(BuildIndexTest, ACorruptCatalogIsBegunAnew) {
  Create(Rows(0, 100));
  ASSERT_TRUE(store_.Put(table::CatalogKey("docs.lance", 8), AsBytes("rubbish"), store::PutCondition::kNone,
                         Deadline::Never()));
  MustBuild();
  EXPECT_EQ(Catalog().number, 9U);
  EXPECT_EQ(Catalog().segments.size(), 1U);
}

TEST_F(BuildIndexTest, DeletedRowsAreNotIndexed) {
  CreateParts();
  std::vector<std::uint32_t> some, all;
  for (std::uint32_t i = 0; i < kPartRows; i++) {
    all.push_back(i);
    if (i % 3 == 0) some.push_back(i);
  }
  const auto snapshot = Without(Snapshot(), {{1, some}, {2, all}});
  const auto built = BuildVectorIndex(snapshot, {.column = "vector"}, {}, Deadline::Never());
  ASSERT_TRUE(built) << built.error().ToString();
  EXPECT_EQ(built->fragments.size(), 3U) << "a fragment without live rows is left out";
  EXPECT_LT(built->rows, 3U * kPartRows - some.size());
}

}  // namespace
}  // namespace firn::maintain
