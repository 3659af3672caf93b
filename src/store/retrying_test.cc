#include "store/retrying.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "store/counting.h"
#include "store/faulty.h"
#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

using testing::HasSubstr;

const Deadline kNever = Deadline::Never();

/// retrying -> counting -> faulty -> memory.
class Retrying : public testing::Test {
 protected:
  RetryingStore& Open(RetryPolicy policy = {}) {
    auto faulty = std::make_unique<FaultyStore>(
        Borrow(*memory_), [this](const OperationInfo& info) { return plan_(info); }, clock_);
    auto counting = std::make_unique<CountingStore>(std::move(faulty), counter_);
    store_ = std::make_unique<RetryingStore>(std::move(counting), policy, clock_, random_, log_);
    return *store_;
  }
  /// The first `times` operations of a kind meet `fault`.
  void FailFirst(int times, StoreOperation operation, Fault fault, ErrorKind kind = ErrorKind::kUnavailable) {
    plan_ = [=, left = times](const OperationInfo& info) mutable {
      if (info.operation != operation || left == 0) return FaultDecision{};
      left--;
      return FaultDecision{fault, kind, {}};
    };
  }
  void PutDirectly(std::string_view key, std::string_view text) {
    ASSERT_TRUE(memory_->Put(key, AsBytes(text), PutCondition::kNone, kNever));
  }
  Duration Elapsed() const { return clock_.Now() - start_; }

  ManualClock clock_;
  const SteadyTime start_ = clock_.Now();
  Random random_{3};
  std::string lines_;
  Log log_{LogLevel::kDebug, clock_, [this](std::string_view line) { lines_ += line; }};
  StoreCounter counter_;
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("", clock_);
  FaultPlan plan_ = [](const OperationInfo&) { return FaultDecision{}; };
  std::unique_ptr<RetryingStore> store_;
};

TEST_F(Retrying, TriesAgainWhatMayPassAndLogsIt) {
  PutDirectly("k", "v");
  FailFirst(4, StoreOperation::kRead, Fault::kFailBefore);
  const Result<ReadResult> read = Read(Open(), ReadRequest::Whole("k"), kNever);
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->bytes.chars(), "v");
  EXPECT_EQ(counter_.Counts().reads.requests, 5U);
  EXPECT_THAT(lines_, HasSubstr("retrying"));
}

TEST_F(Retrying, GivesUpAfterMaxAttemptsWithTheLastError) {
  FailFirst(1000, StoreOperation::kList, Fault::kFailBefore);
  const Result<ListPage> page = Open({.max_attempts = 3}).List({}, kNever);
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(counter_.Counts().lists.requests, 3U);
}

TEST_F(Retrying, DoesNotRetryWhatNeverPasses) {
  FailFirst(1000, StoreOperation::kDelete, Fault::kFailBefore, ErrorKind::kPermissionDenied);
  EXPECT_EQ(Open().Delete("k", kNever).error().kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(counter_.Counts().deletes.requests, 1U);
  EXPECT_EQ(Read(*store_, ReadRequest::Whole("missing"), kNever).error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(counter_.Counts().reads.requests, 1U);
  EXPECT_EQ(Elapsed(), Duration::zero());
}

TEST_F(Retrying, OnlyTheFailedRequestsOfABatchGoAgain) {
  for (const char* key : {"a", "b", "c", "d"}) PutDirectly(key, key);
  plan_ = [seen = std::map<std::string, int>()](const OperationInfo& info) mutable {
    const int before = seen[std::string(info.key)]++;
    const bool fail = (info.key == "b" && before < 1) || (info.key == "d" && before < 2);
    return FaultDecision{fail ? Fault::kFailBefore : Fault::kNone, ErrorKind::kUnavailable, {}};
  };
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("a"), ReadRequest::Whole("b"),
                                             ReadRequest::Whole("missing"), ReadRequest::Whole("d"),
                                             ReadRequest::Whole("c")};
  const std::vector<Result<ReadResult>> answers = Open().ReadMany(requests, kNever);
  ASSERT_EQ(answers.size(), 5U);
  for (const std::size_t i : {0U, 1U, 3U, 4U}) {
    ASSERT_TRUE(answers[i]) << i;
    EXPECT_EQ(answers[i]->bytes.chars(), requests[i].key);
  }
  EXPECT_EQ(answers[2].error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(counter_.Counts().reads.rounds, 3U);
  EXPECT_EQ(counter_.Counts().reads.requests, 5U + 2U + 1U);
}

TEST_F(Retrying, OfReadsAndAListingOnlyWhatFailedGoesAgain) {
  for (const char* key : {"a", "b"}) PutDirectly(key, key);
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("a"), ReadRequest::Whole("b")};
  plan_ = [seen = std::map<std::string, int>()](const OperationInfo& info) mutable {
    const bool fail = seen[std::string(info.key)]++ == 0 && info.key != "a";  // the listing's key is its prefix, ""
    return FaultDecision{fail ? Fault::kFailBefore : Fault::kNone, ErrorKind::kUnavailable, {}};
  };
  const ReadAndListResult both = Open().ReadManyAndList(requests, {}, kNever);
  ASSERT_TRUE(both.reads[0] && both.reads[1]);
  EXPECT_EQ(both.reads[1]->bytes.chars(), "b");
  ASSERT_TRUE(both.list);
  EXPECT_EQ(both.list->objects.size(), 2U);
  EXPECT_EQ(counter_.Counts().reads.requests, 2U + 1U);
  EXPECT_EQ(counter_.Counts().lists.requests, 2U);
  EXPECT_EQ(counter_.Counts().rounds(), 3U);
}

TEST_F(Retrying, AListingThatNeverComesLeavesTheReadsOfItsRoundAlone) {
  PutDirectly("a", "a");
  FailFirst(1000, StoreOperation::kList, Fault::kFailBefore);
  const ReadAndListResult both =
      Open({.max_attempts = 3}).ReadManyAndList(std::vector{ReadRequest::Whole("a")}, {}, kNever);
  EXPECT_TRUE(both.reads.at(0));
  EXPECT_EQ(both.list.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(counter_.Counts().reads.requests, 1U);
  EXPECT_EQ(counter_.Counts().lists.requests, 3U);
}

TEST_F(Retrying, StopsWhenTheDeadlineLeavesNoRoomForThePause) {
  FailFirst(1000, StoreOperation::kList, Fault::kFailBefore);
  const Deadline deadline = Deadline::After(clock_, std::chrono::seconds(2));
  const Result<ListPage> page = Open({.max_attempts = 1000,
                                      .first_backoff = std::chrono::milliseconds(200),
                                      .max_backoff = std::chrono::seconds(1)})
                                    .List({}, deadline);
  EXPECT_EQ(page.error().kind, ErrorKind::kUnavailable);
  EXPECT_FALSE(deadline.Expired());
  EXPECT_GT(counter_.Counts().lists.requests, 2U);
}

TEST_F(Retrying, RetriesAnAttemptThatRanOutOfItsOwnTimeButNotOneThatRanOutOfTheCallers) {
  PutDirectly("k", "v");
  FailFirst(1, StoreOperation::kRead, Fault::kFailBefore, ErrorKind::kDeadlineExceeded);
  EXPECT_TRUE(Read(Open(), ReadRequest::Whole("k"), Deadline::After(clock_, std::chrono::seconds(10))));
  const Deadline expired = Deadline::After(clock_, Duration::zero());
  EXPECT_EQ(Read(*store_, ReadRequest::Whole("k"), expired).error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(counter_.Counts().reads.requests, 3U);
}

TEST_F(Retrying, ACallerWhoGoesAwayEndsThePause) {
  auto gone = std::make_shared<std::atomic<bool>>(false);
  plan_ = [&, calls = 0](const OperationInfo&) mutable {
    if (++calls == 3) *gone = true;
    return FaultDecision{Fault::kFailBefore, ErrorKind::kUnavailable, {}};
  };
  EXPECT_FALSE(Open({.max_attempts = 100}).List({}, kNever.WithCancel(gone)));
  EXPECT_EQ(counter_.Counts().lists.requests, 3U);
}

TEST_F(Retrying, PausesGrowAndAreJittered) {
  std::vector<SteadyTime> tries;
  plan_ = [&](const OperationInfo&) {
    tries.push_back(clock_.Now());
    return FaultDecision{Fault::kFailBefore, ErrorKind::kUnavailable, {}};
  };
  const RetryPolicy policy{.max_attempts = 200,
                           .first_backoff = std::chrono::milliseconds(10),
                           .max_backoff = std::chrono::milliseconds(160)};
  EXPECT_FALSE(Open(policy).List({}, kNever));
  ASSERT_EQ(tries.size(), 200U);
  Duration most{};
  Duration sum{};
  for (std::size_t i = 1; i < tries.size(); i++) {
    const Duration pause = tries[i] - tries[i - 1];
    EXPECT_LT(pause, std::min<Duration>(policy.max_backoff,
                                        policy.first_backoff * (1ULL << std::min<std::size_t>(i - 1, 20))));
    most = std::max(most, pause);
    sum += pause;
  }
  // Uniform below 160 ms: its top is nearly reached, its mean is in the middle.
  EXPECT_GT(most, std::chrono::milliseconds(150));
  EXPECT_NEAR(static_cast<double>((sum / 199).count()), 80e6, 15e6);
}

TEST_F(Retrying, TheBudgetKeepsAFailingStoreFromGettingEveryRequestManyTimes) {
  FailFirst(100'000, StoreOperation::kList, Fault::kFailBefore);
  Open({.max_attempts = 5, .budget = 20, .refill = 0.1});
  for (int i = 0; i < 100; i++) EXPECT_FALSE(store_->List({}, kNever));
  EXPECT_EQ(counter_.Counts().lists.requests, 100U + 20U);
  // Ten successes earn one retry.
  plan_ = [](const OperationInfo&) { return FaultDecision{}; };
  for (int i = 0; i < 11; i++) EXPECT_TRUE(store_->List({}, kNever));
  FailFirst(1, StoreOperation::kList, Fault::kFailBefore);
  EXPECT_TRUE(store_->List({}, kNever));
  FailFirst(1, StoreOperation::kList, Fault::kFailBefore);
  EXPECT_FALSE(store_->List({}, kNever));
}

TEST_F(Retrying, APutIfAbsentWhoseAnswerWasLostKnowsItsOwnObject) {
  FailFirst(1, StoreOperation::kPut, Fault::kLoseAnswer);
  EXPECT_TRUE(Open().Put("k", AsBytes("mine"), PutCondition::kIfAbsent, kNever));
  EXPECT_EQ(counter_.Counts().puts.requests, 2U);
  EXPECT_EQ(counter_.Counts().reads.requests, 1U);
}

TEST_F(Retrying, APutIfAbsentThatFailedAndThenFindsAnothersObjectLost) {
  PutDirectly("k", "theirs");
  FailFirst(1, StoreOperation::kPut, Fault::kFailBefore);
  EXPECT_EQ(Open().Put("k", AsBytes("mine"), PutCondition::kIfAbsent, kNever).error().kind, ErrorKind::kAlreadyExists);
  EXPECT_EQ(Read(*memory_, ReadRequest::Whole("k"), kNever)->bytes.chars(), "theirs");
}

TEST_F(Retrying, APutIfAbsentThatFindsEqualBytesAtTheFirstTryLost) {
  PutDirectly("k", "same");
  EXPECT_EQ(Open().Put("k", AsBytes("same"), PutCondition::kIfAbsent, kNever).error().kind, ErrorKind::kAlreadyExists);
  EXPECT_EQ(counter_.Counts().reads.requests, 0U);
}

TEST_F(Retrying, APutIfAbsentThatCannotBeSettledIsUnavailable) {
  plan_ = [puts = 0](const OperationInfo& info) mutable {
    if (info.operation == StoreOperation::kPut && puts++ == 0)
      return FaultDecision{Fault::kLoseAnswer, ErrorKind::kUnavailable, {}};
    return FaultDecision{
        info.operation == StoreOperation::kRead ? Fault::kFailBefore : Fault::kNone, ErrorKind::kUnavailable, {}};
  };
  const Status status = Open().Put("k", AsBytes("mine"), PutCondition::kIfAbsent, kNever);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kUnavailable);
  EXPECT_THAT(status.error().message, HasSubstr("not known"));
}

TEST_F(Retrying, PutsDeletesAndUploadStartsAreRetried) {
  Open();
  for (const auto operation : {StoreOperation::kPut, StoreOperation::kDelete, StoreOperation::kStartUpload}) {
    FailFirst(2, operation, Fault::kLoseAnswer);
    EXPECT_TRUE(store_->Put("k", AsBytes("v"), PutCondition::kNone, kNever));
    EXPECT_TRUE(store_->Delete("k", kNever));
    EXPECT_TRUE(store_->StartUpload("u", kNever));
  }
}

}  // namespace
}  // namespace firn::store
