#include "store/throttled.h"

#include <gtest/gtest.h>

#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

using std::chrono::milliseconds;
const Deadline kNever = Deadline::Never();

class Throttled : public testing::Test {
 protected:
  template <class Call>
  Duration TimeOf(const Call& call) {
    const SteadyTime start = clock_.Now();
    call();
    return clock_.Now() - start;
  }

  ManualClock clock_;
  ThrottledStore store_{
      OpenMemory("", clock_), {.round_latency = milliseconds(30), .bytes_per_second = 1'000'000}, clock_};
};

TEST_F(Throttled, ARoundWaitsOnceHoweverManyRequestsItHas) {
  ASSERT_TRUE(store_.Put("k", AsBytes(""), PutCondition::kNone, kNever));
  const std::vector<ReadRequest> requests(50, ReadRequest::Whole("k"));
  EXPECT_EQ(TimeOf([&] { (void)store_.ReadMany(requests, kNever); }), milliseconds(30));
  EXPECT_EQ(TimeOf([&] { EXPECT_TRUE(store_.List({}, kNever)); }), milliseconds(30));
  EXPECT_EQ(TimeOf([&] { EXPECT_TRUE(store_.Delete("k", kNever)); }), milliseconds(30));
  EXPECT_EQ(TimeOf([&] { (void)store_.ReadMany({}, kNever); }), Duration::zero());
  EXPECT_EQ(TimeOf([&] { (void)store_.ReadManyAndList(requests, {}, kNever); }), milliseconds(30));
}

TEST_F(Throttled, BytesTakeTheirTimeBothWays) {
  const std::string bytes(10'000, 'x');
  EXPECT_EQ(TimeOf([&] { EXPECT_TRUE(store_.Put("k", AsBytes(bytes), PutCondition::kNone, kNever)); }),
            milliseconds(40));
  EXPECT_EQ(TimeOf([&] { EXPECT_TRUE(Read(store_, ReadRequest::Whole("k"), kNever)); }), milliseconds(40));
  EXPECT_EQ(TimeOf([&] { EXPECT_TRUE(Read(store_, ReadRequest::Tail("k", 1000), kNever)); }), milliseconds(31));
}

TEST_F(Throttled, ADeadlineEndsTheWait) {
  const Deadline soon = Deadline::After(clock_, milliseconds(20));
  const SteadyTime start = clock_.Now();
  const Status status = store_.Put("k", AsBytes("x"), PutCondition::kNone, soon);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(clock_.Now() - start, milliseconds(20));
  EXPECT_EQ(Read(store_, ReadRequest::Whole("k"), kNever).error().kind, ErrorKind::kNotFound);

  const ReadAndListResult both =
      store_.ReadManyAndList(std::vector{ReadRequest::Whole("k")}, {}, Deadline::After(clock_, milliseconds(20)));
  EXPECT_EQ(both.reads.at(0).error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_EQ(both.list.error().kind, ErrorKind::kDeadlineExceeded);
}

}  // namespace
}  // namespace firn::store
