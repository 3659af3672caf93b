#include "store/s3/credentials.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "store/s3/child_process.h"

namespace firn::store {
namespace {

struct CacheTest : ::testing::Test {
  ManualClock clock;
  Log log{LogLevel::kOff};
  std::atomic<int> asked = 0;
  bool failing = false;

  CredentialCache::Source LivingFor(Duration life) {
    return [this, life](const Deadline&) -> Result<Credentials> {
      if (failing) return Unavailable("no");
      const int number = ++asked;
      return Credentials{"K" + std::to_string(number), "s", "t", clock.WallNow() + life};
    };
  }
};

TEST_F(CacheTest, AsksOnceForKeysThatDoNotExpire) {
  CredentialCache cache(
      [this](const Deadline&) -> Result<Credentials> { return ++asked, Credentials{"K", "s", "", {}}; }, clock, log);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(cache.Get(Deadline::Never()));
    clock.Advance(std::chrono::hours(24));
  }
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(cache.Reject(*cache.Get(Deadline::Never())));
}

TEST_F(CacheTest, RenewsBeforeTheyExpire) {
  CredentialCache cache(LivingFor(std::chrono::hours(1)), clock, log);
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K1");
  clock.Advance(std::chrono::minutes(54));
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K1");
  clock.Advance(std::chrono::minutes(2));
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K2");
}

TEST_F(CacheTest, GoesOnWithValidKeysWhenRenewalFailsAndFailsWhenTheyAreSpent) {
  CredentialCache cache(LivingFor(std::chrono::hours(1)), clock, log);
  ASSERT_TRUE(cache.Get(Deadline::Never()));
  failing = true;
  clock.Advance(std::chrono::minutes(57));
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K1");
  clock.Advance(std::chrono::minutes(3));
  EXPECT_FALSE(cache.Get(Deadline::Never()));
  failing = false;
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K2");
}

TEST_F(CacheTest, KeysThatTheServerRefusedAreNotUsedAgain) {
  CredentialCache cache(LivingFor(std::chrono::hours(1)), clock, log);
  const Credentials first = *cache.Get(Deadline::Never());
  EXPECT_TRUE(cache.Reject(first));
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K2");
  EXPECT_TRUE(cache.Reject(first));  // a late answer to an early request
  EXPECT_EQ(cache.Get(Deadline::Never())->access_key_id, "K2");
}

TEST_F(CacheTest, OfManyCallersOneAsks) {
  std::atomic<int> arrived = 0;
  CredentialCache cache(
      [&](const Deadline&) -> Result<Credentials> {
        ++asked;
        while (arrived < 8) std::this_thread::yield();
        return Credentials{"K", "s", "", {}};
      },
      clock, log);
  std::vector<std::thread> callers;
  std::atomic<int> served = 0;
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      ++arrived;
      if (cache.Get(Deadline::Never())) ++served;
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(served, 8);
  EXPECT_EQ(asked, 1);
}

TEST(RunCommand, ReturnsWhatIsPrinted) {
  const auto printed = RunCommand("printf '%s' \"a b\"", Deadline::Never());
  ASSERT_TRUE(printed);
  EXPECT_EQ(*printed, "a b");
}

TEST(RunCommand, AFailureHoldsNeitherCommandNorOutput) {
  const auto printed = RunCommand("printf hunter2; exit 3", Deadline::Never());
  ASSERT_FALSE(printed);
  EXPECT_EQ(printed.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(printed.error().ToString().find("hunter2"), std::string::npos);
}

TEST(RunCommand, IsKilledWithItsChildrenWhenTimeIsUp) {
  // The children hold the pipe open: only killing all of them ends the wait.
  const auto start = SystemClock().Now();
  const auto printed = RunCommand("sleep 60 & sleep 60", Deadline::After(SystemClock(), std::chrono::milliseconds(50)));
  ASSERT_FALSE(printed);
  EXPECT_EQ(printed.error().kind, ErrorKind::kDeadlineExceeded);
  EXPECT_LT(SystemClock().Now() - start, std::chrono::seconds(20));
}

TEST(RunCommand, BoundsTheOutput) {
  const auto printed = RunCommand("cat /dev/zero", Deadline::Never());
  ASSERT_FALSE(printed);
  EXPECT_NE(printed.error().message.find("64 KiB"), std::string::npos);
}

}  // namespace
}  // namespace firn::store
