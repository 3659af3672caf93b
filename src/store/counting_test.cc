#include "store/counting.h"

#include <gtest/gtest.h>

#include <thread>

#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

const Deadline kNever = Deadline::Never();

class Counting : public testing::Test {
 protected:
  StoreCounter counter_;
  CountingStore store_{OpenMemory("", SystemClock()), counter_};
};

TEST_F(Counting, OneReadManyIsOneRoundOfManyRequests) {
  ASSERT_TRUE(store_.Put("k", AsBytes("12345"), PutCondition::kNone, kNever));
  const StoreCounts before = counter_.Counts();
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("k"), ReadRequest::Tail("k", 2),
                                             ReadRequest::Whole("missing")};
  (void)store_.ReadMany(requests, kNever);
  (void)store_.ReadMany({}, kNever);
  const StoreCounts spent = counter_.Counts() - before;
  EXPECT_EQ(spent.reads, (StoreCounts::Operation{.rounds = 1, .requests = 3, .failures = 1, .bytes_read = 7}));
  EXPECT_EQ(spent.Total(), spent.reads);
}

TEST_F(Counting, ReadsAndAListingTogetherAreOneRound) {
  ASSERT_TRUE(store_.Put("k", AsBytes("12345"), PutCondition::kNone, kNever));
  const StoreCounts before = counter_.Counts();
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("k"), ReadRequest::Whole("missing")};
  (void)store_.ReadManyAndList(requests, {}, kNever);
  const StoreCounts spent = counter_.Counts() - before;
  EXPECT_EQ(spent.rounds(), 1U);
  EXPECT_EQ(spent.reads, (StoreCounts::Operation{.requests = 2, .failures = 1, .bytes_read = 5}));
  EXPECT_EQ(spent.lists, (StoreCounts::Operation{.rounds = 1, .requests = 1}));
}

TEST_F(Counting, EveryOperationCountsUnderItsName) {
  ASSERT_TRUE(store_.Put("k", AsBytes("12345"), PutCondition::kNone, kNever));
  ASSERT_FALSE(store_.Put("k", AsBytes("x"), PutCondition::kIfAbsent, kNever));
  ASSERT_TRUE(store_.List({}, kNever));
  ASSERT_TRUE(store_.Delete("k", kNever));
  auto upload = store_.StartUpload("u", kNever);
  ASSERT_TRUE(upload);
  ASSERT_TRUE((*upload)->Append(AsBytes("abc"), kNever));
  ASSERT_TRUE((*upload)->Append(AsBytes("de"), kNever));
  ASSERT_TRUE((*upload)->Finish(kNever));
  const StoreCounts counts = counter_.Counts();
  EXPECT_EQ(counts.puts, (StoreCounts::Operation{.rounds = 2, .requests = 2, .failures = 1, .bytes_written = 5}));
  EXPECT_EQ(counts.lists, (StoreCounts::Operation{.rounds = 1, .requests = 1}));
  EXPECT_EQ(counts.deletes, (StoreCounts::Operation{.rounds = 1, .requests = 1}));
  EXPECT_EQ(counts.uploads, (StoreCounts::Operation{.rounds = 2, .requests = 2, .bytes_written = 5}));
  EXPECT_EQ(counts.rounds(), 6U);
  EXPECT_EQ(counts.bytes_written(), 10U);
}

TEST(PriceAtS3, IsThatOfReadsAndOfAllOthersButDeletes) {
  StoreCounts counts;
  counts.reads = {.rounds = 2, .requests = 1'000'000, .bytes_read = 1};
  EXPECT_DOUBLE_EQ(PriceAtS3(counts), 0.4);
  counts.lists.requests = counts.puts.requests = 100'000;
  counts.deletes.requests = 1'000'000;
  EXPECT_DOUBLE_EQ(PriceAtS3(counts), 1.4);
}

TEST_F(Counting, LosesNothingUnderManyThreads) {
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; i++) {
      threads.emplace_back([&] {
        for (int j = 0; j < 500; j++) EXPECT_TRUE(store_.List({}, kNever));
      });
    }
  }
  EXPECT_EQ(counter_.Counts().lists.requests, 4000U);
}

}  // namespace
}  // namespace firn::store
