#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/result.h"
#include "base/task_pool.h"

namespace firn {
namespace {

using testing::HasSubstr;

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument(std::to_string(value) + " is odd", "Try " + std::to_string(value + 1));
  return value / 2;
}

Result<int> Quarter(int value) {
  FIRN_TRY(const int half, Half(value));
  FIRN_CHECK(Half(half));
  return half / 2;
}

TEST(Result, CarriesTheErrorUp) {
  EXPECT_EQ(Quarter(12).value(), 3);
  EXPECT_EQ(Quarter(7).error().message, "7 is odd");
  EXPECT_EQ(Quarter(6).error().ToString(), "3 is odd. Try 4");
  EXPECT_EQ(std::move(Quarter(7).error()).In("the test").message, "the test: 7 is odd");
}

TEST(ErrorKinds, EachHasItsOwnRow) {
  std::set<int> exit_codes;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); kind++) {
    const ErrorKindInfo& info = InfoOf(static_cast<ErrorKind>(kind));
    EXPECT_EQ(static_cast<int>(info.kind), kind);
    EXPECT_TRUE(exit_codes.insert(info.exit_code).second);
    EXPECT_GE(info.http_status, 400);
  }
}

TEST(Bytes, Crc32cMatchesThePublishedVectors) {
  EXPECT_EQ(Crc32c(AsBytes("123456789")), 0xE3069283U);
  EXPECT_EQ(Crc32c(AsBytes("")), 0U);
  EXPECT_EQ(Crc32c(std::vector<std::uint8_t>(32, 0)), 0x8A9136AAU);  // RFC 3720, B.4
  EXPECT_EQ(Crc32c(AsBytes("6789"), Crc32c(AsBytes("12345"))), Crc32c(AsBytes("123456789")));
}

TEST(Bytes, AReaderNeverRunsPastItsEnd) {
  const std::string bytes("\x01\x02\x03\x04\x05", 5);
  ByteReader reader(AsBytes(bytes), "the header");
  EXPECT_EQ(reader.Read<std::uint32_t>().value(), 0x04030201U);
  const auto more = reader.Read<std::uint16_t>();
  EXPECT_EQ(more.error().kind, ErrorKind::kDataCorruption);
  EXPECT_THAT(more.error().message, HasSubstr("the header ends early"));
  EXPECT_FALSE(reader.Take(~std::uint64_t{0}));
  EXPECT_EQ(reader.Take(1).value().front(), 5);
}

TEST(Bytes, BoundsDoNotOverflow) {
  EXPECT_TRUE(InBounds(0, 10, 10));
  EXPECT_FALSE(InBounds(1, 10, 10));
  EXPECT_FALSE(InBounds(~std::uint64_t{0}, 2, 10));
  EXPECT_FALSE(InBounds(2, ~std::uint64_t{0}, 10));
}

TEST(Bytes, CopyingNothingNeedsNoAddress) {
  CopyBytes(nullptr, {});
  std::uint8_t kept = 7;
  CopyBytes(&kept, {});
  CopyBytes(nullptr, ByteSpan(&kept, 0));
  EXPECT_EQ(kept, 7);
}

TEST(Bytes, ASliceKeepsItsOwnerAlive) {
  Buffer slice;
  {
    const Buffer whole = Buffer::Of(std::string("hello, world"));
    slice = whole.Slice(7);
  }
  EXPECT_EQ(slice.chars(), "world");
}

TEST(Deadline, EndsByTimeOrByCancel) {
  ManualClock clock;
  const Deadline deadline = Deadline::After(clock, std::chrono::seconds(2));
  EXPECT_FALSE(deadline.Expired());
  clock.Advance(std::chrono::seconds(1));
  EXPECT_EQ(deadline.Remaining(), std::chrono::seconds(1));
  EXPECT_EQ(deadline.Within(clock, std::chrono::seconds(5)).Remaining(), std::chrono::seconds(1));
  EXPECT_EQ(deadline.Within(clock, std::chrono::milliseconds(5)).Remaining(), std::chrono::milliseconds(5));
  clock.Advance(std::chrono::seconds(1));
  EXPECT_EQ(deadline.Check("the test").error().kind, ErrorKind::kDeadlineExceeded);

  const auto cancelled = std::make_shared<std::atomic<bool>>(false);
  const Deadline cancellable = Deadline::Never().WithCancel(cancelled);
  EXPECT_EQ(cancellable.Remaining(), Duration::max());
  cancelled->store(true);
  EXPECT_TRUE(cancellable.Expired());
  EXPECT_THAT(cancellable.Check("the test").error().message, HasSubstr("caller went away"));
}

TEST(Random, IsTheSameForTheSameSeedAndMakesUuids) {
  Random a(7);
  Random b(7);
  EXPECT_EQ(a.Next(), b.Next());
  const std::string uuid = a.Uuid();
  EXPECT_THAT(uuid, testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(uuid, a.Uuid());
}

TEST(TaskPool, RunsEveryIndexOnce) {
  TaskPool pool(4);
  std::vector<std::atomic<int>> seen(1000);
  ASSERT_TRUE(pool.ParallelFor(1000, [&](std::size_t i) -> Status {
    seen[i]++;
    return {};
  }));
  for (const auto& count : seen) EXPECT_EQ(count, 1);
}

TEST(TaskPool, NestsWithoutDeadlock) {
  TaskPool pool(2);
  std::atomic<int> count = 0;
  ASSERT_TRUE(pool.ParallelFor(8, [&](std::size_t) {
    return pool.ParallelFor(8, [&](std::size_t) -> Status {
      count++;
      return {};
    });
  }));
  EXPECT_EQ(count, 64);
}

TEST(TaskPool, ReturnsTheFirstErrorAndStops) {
  TaskPool pool(4);
  std::atomic<int> ran = 0;
  const Status status = pool.ParallelFor(100'000, [&](std::size_t i) -> Status {
    ran++;
    if (i == 3) return InvalidArgument("three");
    return {};
  });
  EXPECT_EQ(status.error().message, "three");
  EXPECT_LT(ran, 100'000);
}

TEST(TaskPool, QueuedTasksRunBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    TaskPool pool(2);
    for (int i = 0; i < 100; i++) pool.Post([&] { ran++; });
  }
  EXPECT_EQ(ran, 100);
}

TEST(Log, WritesOneJsonObjectPerLine) {
  ManualClock clock;
  std::string text;
  Log log(LogLevel::kInfo, clock, [&](std::string_view line) { text += line; });
  log.Debug("not shown");
  log.Info("table \"docs\"\n", {{"rows", 3}, {"took_ms", 1.5}, {"ok", true}, {"name", "caf\xC3\xA9\xFF"}});
  EXPECT_EQ(text,
            "{\"time\":\"2023-11-14T22:13:20.000Z\",\"level\":\"info\",\"message\":\"table "
            "\\\"docs\\\"\\n\",\"rows\":3,\"took_ms\":1.5,"
            "\"ok\":true,\"name\":\"caf\xC3\xA9\xEF\xBF\xBD\"}\n");
  EXPECT_EQ(ParseLogLevel("WARNING").value(), LogLevel::kWarn);
  EXPECT_FALSE(ParseLogLevel("loud"));
}

}  // namespace
}  // namespace firn
