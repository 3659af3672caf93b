#include "query/seen_queries.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace firn::query {
namespace {

std::vector<float> Numbered(int number) { return {static_cast<float>(number), 1}; }

TEST(SeenQueries, AreKeptByIndexWithTheirFilters) {
  SeenQueries seen(1000);
  seen.Note("a", Numbered(1), "");
  seen.Note("a", Numbered(2), "x = 1");
  seen.Note("b", Numbered(3), "");
  const auto of_a = seen.Of("a");
  ASSERT_EQ(of_a.size(), 2U);
  EXPECT_EQ(of_a[1].vector, Numbered(2));
  EXPECT_EQ(of_a[1].filter, "x = 1");
  EXPECT_EQ(seen.Of("b").size(), 1U);
  EXPECT_TRUE(seen.Of("c").empty());
}

TEST(SeenQueries, AreDueOnceThereAreEnoughAndAgainMuchLater) {
  SeenQueries seen(10);
  std::vector<int> due;
  for (int i = 1; i <= 2000; i++) {
    if (seen.Note("a", Numbered(i), "")) due.push_back(i);
  }
  EXPECT_EQ(due, (std::vector{10, 1000, 2000}));
}

TEST(SeenQueries, AreBoundedAndTheNewerStayMoreLikely) {
  SeenQueries seen(1000);
  constexpr int kMany = 200'000;
  for (int i = 0; i < kMany; i++) seen.Note("a", Numbered(i), "");
  const auto kept = seen.Of("a");
  ASSERT_EQ(kept.size(), SeenQueries::kKept);
  const auto newer =
      std::ranges::count_if(kept, [](const SeenQuery& query) { return query.vector[0] >= kMany / 2.0F; });
  EXPECT_GT(newer, 900);
}

TEST(SeenQueries, OfLongVectorsFewerStay) {
  SeenQueries seen(1000);
  const std::vector<float> longest(SeenQueries::kMostBytes / 4 / 10);
  for (int i = 0; i < 50; i++) seen.Note("a", longest, "");
  EXPECT_LE(seen.Of("a").size(), 10U);
}

TEST(SeenQueries, AQueryWithAVeryLongFilterIsCountedAndNotKept) {
  SeenQueries seen(2);
  seen.Note("a", Numbered(1), "");
  EXPECT_TRUE(seen.Note("a", Numbered(2), std::string(SeenQueries::kMostFilterBytes + 1, 'x')));
  EXPECT_EQ(seen.Of("a").size(), 1U);
}

TEST(SeenQueries, OfTooManyIndexesTheLeastRecentlyAskedIsForgotten) {
  SeenQueries seen(1000);
  for (std::size_t i = 0; i <= SeenQueries::kMostIndexes; i++) {
    seen.Note("often", Numbered(0), "");
    seen.Note(std::to_string(i), Numbered(0), "");
  }
  EXPECT_TRUE(seen.Of("0").empty());
  EXPECT_FALSE(seen.Of("often").empty());
  EXPECT_FALSE(seen.Of(std::to_string(SeenQueries::kMostIndexes)).empty());
}

TEST(SeenQueries, WhereNobodyMeasuresNothingIsKept) {
  SeenQueries seen(0);
  for (int i = 0; i < 100; i++) EXPECT_FALSE(seen.Note("a", Numbered(i), ""));
  EXPECT_TRUE(seen.Of("a").empty());
}

}  // namespace
}  // namespace firn::query
