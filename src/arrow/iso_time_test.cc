#include "arrow/iso_time.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace firn::arrow {
namespace {

std::string DateText(std::int64_t days) {
  std::string out;
  AppendIsoDate(out, days);
  return out;
}
std::string InstantText(std::int64_t units, TimeUnit unit, bool zulu) {
  std::string out;
  AppendIsoInstant(out, units, unit, zulu);
  return out;
}

TEST(IsoTime, ReadsDates) {
  EXPECT_EQ(ParseIsoDate("1970-01-01"), 0);
  EXPECT_EQ(ParseIsoDate("1969-12-31"), -1);
  EXPECT_EQ(ParseIsoDate("2000-02-29"), 11'016);
  EXPECT_EQ(ParseIsoDate("0000-03-01"), -719'468);
  EXPECT_EQ(ParseIsoDate("+10000-01-01"), 2'932'897);
}

TEST(IsoTime, RefusesWhatIsNoDate) {
  for (const char* bad : {"", "2023-02-29", "2023-13-01", "2023-00-01", "2023-01-00", "2023-01-32", "2023-1-1",
                          "20230101", "2023-01-01 ", "2023-01-01T", "12023-01-01", "2023-01", "+999999999999-01-01"}) {
    EXPECT_FALSE(ParseIsoDate(bad).has_value()) << bad;
  }
}

TEST(IsoTime, ReadsTimes) {
  EXPECT_EQ(ParseIsoTime("00:00"), 0);
  EXPECT_EQ(ParseIsoTime("23:59:59.999999999"), 86'399'999'999'999);
  EXPECT_EQ(ParseIsoTime("00:00:01.5"), 1'500'000'000);
  for (const char* bad : {"", "24:00", "12:60", "12:00:60", "12", "12:00:00.", "12:00:00.1234567890", "1:00"}) {
    EXPECT_FALSE(ParseIsoTime(bad).has_value()) << bad;
  }
}

TEST(IsoTime, ReadsInstantsWithAndWithoutZones) {
  EXPECT_EQ(ParseIsoInstant("1970-01-02T00:00")->seconds, 86'400);
  EXPECT_FALSE(ParseIsoInstant("1970-01-02 00:00:00")->has_zone);
  EXPECT_TRUE(ParseIsoInstant("1970-01-02T00:00:00Z")->has_zone);
  EXPECT_EQ(ParseIsoInstant("1970-01-01T01:00:00+01:00")->seconds, 0);
  EXPECT_EQ(ParseIsoInstant("1970-01-01T00:00:00-0130")->seconds, 5'400);
  EXPECT_EQ(ParseIsoInstant("1970-01-01T02:00:00+02")->seconds, 0);
  EXPECT_EQ(ParseIsoInstant("1970-01-01T00:00:00.25Z")->nanos, 250'000'000);
  for (const char* bad :
       {"1970-01-01", "1970-01-01T", "1970-01-01T00:00:00X", "1970-01-01T00:00:00+", "1970-01-01T00:00Z ",
        "1970-01-01T00:00:00+1", "1970-01-01T00:00:00+01:", "1970-01-01  00:00"}) {
    EXPECT_FALSE(ParseIsoInstant(bad).has_value()) << bad;
  }
}

TEST(IsoTime, DropsDigitsBeyondTheUnitTowardsThePast) {
  EXPECT_EQ(InUnit({0, 999'999'999, true}, TimeUnit::kMilli), 999);
  EXPECT_EQ(InUnit({-1, 999'999'999, true}, TimeUnit::kMilli), -1);
  EXPECT_EQ(InUnit({-1, 500'000'000, true}, TimeUnit::kSecond), -1);
}

TEST(IsoTime, SaysWhenAnInstantDoesNotFitItsUnit) {
  EXPECT_FALSE(InUnit(*ParseIsoInstant("2263-01-01T00:00:00Z"), TimeUnit::kNano).has_value());
  EXPECT_TRUE(InUnit(*ParseIsoInstant("2262-01-01T00:00:00Z"), TimeUnit::kNano).has_value());
}

TEST(IsoTime, WritesFractionsOnlyWhenThereAreSome) {
  EXPECT_EQ(InstantText(0, TimeUnit::kMicro, true), "1970-01-01T00:00:00Z");
  EXPECT_EQ(InstantText(1, TimeUnit::kMicro, true), "1970-01-01T00:00:00.000001Z");
  EXPECT_EQ(InstantText(-1, TimeUnit::kMilli, false), "1969-12-31T23:59:59.999");
  EXPECT_EQ(DateText(-719'529), "-0001-12-31");
}

TEST(IsoTime, ReadsWhatItWrites) {
  Random random(7);
  for (int i = 0; i < 20'000; i++) {
    const auto unit = static_cast<TimeUnit>(random.Below(4));
    const auto value = static_cast<std::int64_t>(random.Next()) >> random.Below(64);
    const auto instant = ParseIsoInstant(InstantText(value, unit, i % 2 == 0));
    ASSERT_TRUE(instant.has_value()) << InstantText(value, unit, true);
    EXPECT_EQ(InUnit(*instant, unit), value) << InstantText(value, unit, true);
  }
}

TEST(IsoTime, WritesTheOutermostMoments) {
  EXPECT_EQ(InstantText(INT64_MIN, TimeUnit::kNano, true), "1677-09-21T00:12:43.145224192Z");
  EXPECT_EQ(InUnit(*ParseIsoInstant("1677-09-21T00:12:43.145224192Z"), TimeUnit::kNano), INT64_MIN);
  EXPECT_FALSE(InstantText(INT64_MIN, TimeUnit::kSecond, true).empty());
}

}  // namespace
}  // namespace firn::arrow
