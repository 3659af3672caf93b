#include "store/faulty.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

const Deadline kNever = Deadline::Never();

class Faulty : public testing::Test {
 protected:
  FaultyStore With(Fault fault) {
    return {Borrow(*memory_),
            [fault](const OperationInfo&) { return FaultDecision{fault, ErrorKind::kUnavailable, {}}; }, clock_};
  }
  std::string Stored(std::string key) {
    const Result<ReadResult> read = Read(*memory_, ReadRequest::Whole(std::move(key)), kNever);
    return read ? std::string(read->bytes.chars()) : "absent";
  }

  ManualClock clock_;
  std::unique_ptr<ObjectStore> memory_ = OpenMemory("", clock_);
};

TEST_F(Faulty, FailingBeforeDoesNothingAndLosingTheAnswerDoesIt) {
  EXPECT_FALSE(With(Fault::kFailBefore).Put("before", AsBytes("x"), PutCondition::kNone, kNever));
  EXPECT_EQ(Stored("before"), "absent");
  EXPECT_FALSE(With(Fault::kLoseAnswer).Put("after", AsBytes("x"), PutCondition::kNone, kNever));
  EXPECT_EQ(Stored("after"), "x");
  EXPECT_FALSE(With(Fault::kFailBefore).Delete("after", kNever));
  EXPECT_EQ(Stored("after"), "x");
  EXPECT_FALSE(With(Fault::kLoseAnswer).Delete("after", kNever));
  EXPECT_EQ(Stored("after"), "absent");
}

TEST_F(Faulty, ReadsComeBackDamaged) {
  ASSERT_TRUE(memory_->Put("k", AsBytes("0123456789"), PutCondition::kNone, kNever));
  FaultyStore corrupt = With(Fault::kCorrupt);
  FaultyStore truncate = With(Fault::kTruncate);
  EXPECT_EQ(Read(corrupt, ReadRequest::Whole("k"), kNever)->bytes.chars(), "01234%6789");
  EXPECT_EQ(Read(truncate, ReadRequest::Whole("k"), kNever)->bytes.chars(), "01234");
  EXPECT_EQ(Stored("k"), "0123456789");
}

TEST_F(Faulty, OfReadsAndAListingEachMeetsItsOwnFault) {
  ASSERT_TRUE(memory_->Put("k", AsBytes("0123456789"), PutCondition::kNone, kNever));
  const std::vector<ReadRequest> requests = {ReadRequest::Whole("k"), ReadRequest::Whole("k")};
  const auto with_fault_at = [&](std::uint64_t number, Fault fault) {
    FaultyStore store(
        Borrow(*memory_),
        [=](const OperationInfo& info) {
          EXPECT_EQ(info.operation, info.number == 2 ? StoreOperation::kList : StoreOperation::kRead);
          return FaultDecision{info.number == number ? fault : Fault::kNone, ErrorKind::kUnavailable, {}};
        },
        clock_);
    return store.ReadManyAndList(requests, {}, kNever);
  };
  const ReadAndListResult truncated = with_fault_at(1, Fault::kTruncate);
  EXPECT_EQ(truncated.reads[0]->bytes.chars(), "0123456789");
  EXPECT_EQ(truncated.reads[1]->bytes.chars(), "01234");
  EXPECT_TRUE(truncated.list);
  for (const Fault fault : {Fault::kFailBefore, Fault::kLoseAnswer}) {
    const ReadAndListResult unlisted = with_fault_at(2, fault);
    EXPECT_TRUE(unlisted.reads[0] && unlisted.reads[1]);
    EXPECT_EQ(unlisted.list.error().kind, ErrorKind::kUnavailable);
  }
}

TEST_F(Faulty, AFailedUploadStaysFailed) {
  FaultyStore store(
      Borrow(*memory_),
      [](const OperationInfo& info) {
        return FaultDecision{info.number == 2 ? Fault::kLoseAnswer : Fault::kNone, ErrorKind::kUnavailable, {}};
      },
      clock_);
  auto upload = store.StartUpload("u", kNever);
  ASSERT_TRUE(upload);
  EXPECT_TRUE((*upload)->Append(AsBytes("a"), kNever));
  EXPECT_FALSE((*upload)->Append(AsBytes("b"), kNever));
  EXPECT_FALSE((*upload)->Append(AsBytes("c"), kNever));
  EXPECT_FALSE((*upload)->Finish(kNever));
  EXPECT_EQ(Stored("u"), "absent");
}

TEST_F(Faulty, OneSeedGivesOneCourseOfEvents) {
  const FaultRates rates{.fail_before = 0.2, .lose_answer = 0.2, .corrupt = 0.2, .truncate = 0.2};
  const auto course = [&](std::uint64_t seed) {
    const FaultPlan plan = RandomFaults(seed, rates);
    std::vector<Fault> faults;
    for (std::uint64_t i = 0; i < 1000; i++) faults.push_back(plan({StoreOperation::kRead, "k", i}).fault);
    return faults;
  };
  const std::vector<Fault> faults = course(1);
  EXPECT_EQ(faults, course(1));
  EXPECT_NE(faults, course(2));
  for (const Fault fault : {Fault::kNone, Fault::kFailBefore, Fault::kLoseAnswer, Fault::kCorrupt, Fault::kTruncate}) {
    EXPECT_NEAR(static_cast<double>(std::ranges::count(faults, fault)), 200, 60);
  }
}

TEST_F(Faulty, DelaysGoThroughTheClock) {
  FaultyStore store(
      Borrow(*memory_), [](const OperationInfo&) { return FaultDecision{.delay = std::chrono::seconds(3)}; }, clock_);
  const SteadyTime start = clock_.Now();
  EXPECT_TRUE(store.List({}, kNever));
  EXPECT_EQ(clock_.Now() - start, std::chrono::seconds(3));
  const std::vector<ReadRequest> requests(5, ReadRequest::Whole("k"));
  (void)store.ReadManyAndList(requests, {}, kNever);
  EXPECT_EQ(clock_.Now() - start, std::chrono::seconds(6)) << "a round waits once";
}

}  // namespace
}  // namespace firn::store
