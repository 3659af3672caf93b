#include "index/vector/segment_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "index/vector/segment_testing.h"
#include "store/faulty.h"

namespace firn::index {
namespace {

using simd::Metric;
using testing::HasSubstr;

TEST(SegmentBuilder, TheObjectDoesNotDependOnThreadsOrOrder) {
  const Vectors rows = Clustered(1000, 40, 12, 1);
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    const std::string bytes = BuildBytes(rows, {.metric = metric, .threads = 1});
    EXPECT_EQ(bytes, BuildBytes(rows, {.metric = metric, .threads = 4, .rows_at_once = 31}));
    std::vector<std::uint32_t> order(rows.rows());
    std::iota(order.begin(), order.end(), 0U);
    Random random(5);
    for (std::size_t i = order.size() - 1; i > 0; i--) std::swap(order[i], order[random.Below(i + 1)]);
    EXPECT_EQ(bytes, BuildBytes(rows, {.metric = metric, .threads = 4, .order = order, .rows_at_once = 700}));
  }
}

TEST(SegmentBuilder, TheObjectOfManyListsDoesNotDependOnThreadsOrOrder) {
  const Vectors rows = Clustered(4000, 16, 40, 4);
  const SegmentOptions options{.rows_per_list = 3};
  const std::string bytes = BuildBytes(rows, {.options = options, .threads = 1});
  EXPECT_GT(Must(OpenBytes(bytes)).segment->header().lists.size(), Assigner::kMostCompared);
  std::vector<std::uint32_t> order(rows.rows());
  std::iota(order.rbegin(), order.rend(), 0U);
  EXPECT_EQ(bytes, BuildBytes(rows, {.options = options, .threads = 4, .order = order, .rows_at_once = 700}));
}

TEST(SegmentBuilder, WhatDoesNotFitInMemoryGoesThroughAFile) {
  const Vectors rows = Clustered(1000, 40, 12, 1);
  EXPECT_EQ(BuildBytes(rows), BuildBytes(rows, {.options = {.rows_per_list = 60, .memory_bytes = 5000}}));
  const auto store = store::OpenMemory("test", SystemClock());
  const auto built = BuildInto(*store, "s.vec", rows,
                               {.options = {.memory_bytes = 5000, .scratch_folder = "/dev/null/no/such/folder"}});
  ASSERT_FALSE(built);
  EXPECT_EQ(built.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(built.error().hint, HasSubstr("--scratch"));
}

TEST(SegmentBuilder, SeedsGiveDifferentObjects) {
  const Vectors rows = Clustered(200, 16, 3, 1);
  EXPECT_NE(BuildBytes(rows, {.options = {.seed = 1}}), BuildBytes(rows, {.options = {.seed = 2}}));
}

TEST(SegmentBuilder, RefusesWhatItCannotIndex) {
  TaskPool pool(1);
  const auto train = [&](Matrix sample, Metric metric) {
    return SegmentBuilder::Train(sample, sample.rows, metric, simd::Element::kF32, {}, {}, pool, Deadline::Never());
  };
  const Vectors rows = Clustered(10, 16, 1, 1);
  EXPECT_EQ(train(rows.matrix(), Metric::kHamming).error().kind, ErrorKind::kUnsupported);
  EXPECT_EQ(train({nullptr, 0, 16}, Metric::kL2).error().kind, ErrorKind::kInvalidArgument);
  const std::vector<float> long_row(kMaxIndexDim + 1, 1.0F);
  EXPECT_EQ(train({long_row.data(), 1, long_row.size()}, Metric::kL2).error().kind, ErrorKind::kUnsupported);
}

TEST(SegmentBuilder, RefusesVectorsWhoseSquaresDoNotFitAFloat) {
  for (const float value : {1e18F, -3e38F}) {
    Vectors rows = Clustered(300, 16, 3, 2);
    std::ranges::fill(rows.Row(299), value);
    const auto store = store::OpenMemory("test", SystemClock());
    const auto built = BuildInto(*store, "s.vec", rows, {});
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().kind, ErrorKind::kUnsupported);
    TaskPool pool(1);
    const auto builder = SegmentBuilder::Train({rows.values.data(), 200, 16}, 300, Metric::kL2, simd::Element::kF32, {},
                                               {}, pool, Deadline::Never());
    const std::vector<std::uint32_t> number = {299};
    EXPECT_EQ((*builder)->Add({rows.Row(299).data(), 1, 16}, number).error().kind, ErrorKind::kUnsupported);
  }
}

TEST(SegmentBuilder, NothingIsVisibleOfABuildThatFails) {
  ManualClock clock;
  store::FaultyStore store(
      store::OpenMemory("test", clock),
      [](const store::OperationInfo& operation) -> store::FaultDecision {
        if (operation.operation == store::StoreOperation::kAppend && operation.number > 3)
          return {.fault = store::Fault::kFailBefore};
        return {};
      },
      clock);
  EXPECT_EQ(BuildInto(store, "s.vec", Clustered(200, 16, 3, 1), {}).error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(Must(store.List({}, Deadline::Never())).objects.empty());
}

TEST(SegmentBuilder, TheLargestDimensionIsBuiltAndSearched) {
  const Vectors rows = Clustered(40, kMaxIndexDim, 4, 1);
  const Opened opened = Must(OpenBytes(BuildBytes(rows, {.options = {.rows_per_list = 20}})));
  for (const std::size_t i : {0, 17, 39}) EXPECT_EQ(Must(opened.Scan(rows.Row(i), {.k = 1})).front().row, i);
}

// ---- golden ----

constexpr std::string_view kGoldenPath = FIRN_SOURCE_DIR "/src/index/testdata/segment-1.vec";

Vectors GoldenVectors() { return Clustered(70, 33, 3, 20); }
BuildHow GoldenHow() {
  std::vector<std::uint32_t> numbers;
  for (std::uint32_t i = 0; i < 70; i++) numbers.push_back(3 * i);
  return {.options = {.rows_per_list = 24, .seed = 4},
          .numbers = numbers,
          .fragments = {{1, 100, "one.lance"}, {5, 120, "five.lance"}}};
}

std::string ReadGolden() {
  std::ifstream file{std::string(kGoldenPath), std::ios::binary};
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(SegmentGolden, TodaysReaderReadsIt) {
  const Vectors rows = GoldenVectors();
  const Opened opened = Must(OpenBytes(ReadGolden()));
  EXPECT_EQ(opened.segment->header().fragments, GoldenHow().fragments);
  EXPECT_EQ(opened.segment->header().rows, 70U);
  for (std::size_t q = 0; q < 5; q++) {
    std::vector<std::uint32_t> expected = ByDistance(rows, Metric::kL2, rows.Row(q));
    expected.resize(5);
    for (std::uint32_t& row : expected) row *= 3;
    const auto found = Must(opened.Scan(rows.Row(q), {.k = 5, .slack = 3}));
    EXPECT_THAT(expected, testing::IsSubsetOf(RowsOf(found)));
    EXPECT_EQ(found.front().row, 3 * q);
  }
}

#if defined(__x86_64__)
TEST(SegmentGolden, TodaysBuilderMakesTheSameBytes) {
  // Sums of products round differently on each instruction set, and codes with them: the scalar one makes these.
  simd::AllowUpTo(simd::InstructionSet::kScalar);
  const std::string bytes = BuildBytes(GoldenVectors(), GoldenHow());
  simd::AllowUpTo(simd::InstructionSet::kAvx512);
  EXPECT_TRUE(bytes == ReadGolden());
}
#endif

/// For a new version of the format: run with --gtest_also_run_disabled_tests, and keep the old file.
TEST(SegmentGolden, DISABLED_Write) {
  simd::AllowUpTo(simd::InstructionSet::kScalar);
  std::ofstream{std::string(kGoldenPath), std::ios::binary} << BuildBytes(GoldenVectors(), GoldenHow());
  simd::AllowUpTo(simd::InstructionSet::kAvx512);
}

/// The seeds of segment_fuzz, made the same way.
TEST(SegmentGolden, DISABLED_WriteFuzzSeeds) {
  const auto write = [](const std::string& name, const Vectors& rows, BuildHow how) {
    std::ofstream{FIRN_SOURCE_DIR "/fuzz/corpus/segment/" + name, std::ios::binary} << BuildBytes(rows, how);
  };
  write("l2_2", Clustered(40, 2, 4, 1), {.options = {.rows_per_list = 10}});
  write("cosine_20", Clustered(30, 20, 2, 2), {.metric = Metric::kCosine, .options = {.rows_per_list = 20}});
  write("dot_33", Clustered(35, 33, 2, 3), {.metric = Metric::kDot, .options = {.rows_per_list = 20}});
  write("one_row", Clustered(1, 16, 1, 4), {});
  write("fragments", Clustered(12, 16, 1, 5), {.fragments = {{0, 5, "a"}, {9, 0, ""}, {3, 7, "b.lance"}}});
}

}  // namespace
}  // namespace firn::index
