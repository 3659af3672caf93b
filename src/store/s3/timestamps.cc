#include "store/s3/timestamps.h"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace firn::store {
namespace {

/// The number in text[at, at + digits), or nothing if it is not all digits.
std::optional<int> Digits(std::string_view text, std::size_t at, std::size_t digits) {
  if (at + digits > text.size()) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(at, digits)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

bool Has(std::string_view text, std::size_t at, char c) { return at < text.size() && text[at] == c; }

/// What "Z", "+02:00" or "-0530" is ahead of UTC.
std::optional<std::chrono::minutes> ParseOffset(std::string_view text) {
  if (text == "Z" || text == "z") return std::chrono::minutes(0);
  if (!Has(text, 0, '+') && !Has(text, 0, '-')) return std::nullopt;
  const std::size_t minutes_at = Has(text, 3, ':') ? 4 : 3;
  const auto hours = Digits(text, 1, 2);
  const auto minutes = Digits(text, minutes_at, 2);
  if (!hours || !minutes || text.size() != minutes_at + 2) return std::nullopt;
  const std::chrono::minutes ahead(*hours * 60 + *minutes);
  return text[0] == '-' ? -ahead : ahead;
}

}  // namespace

std::string FormatAmzTime(WallTime time) {
  const auto second = std::chrono::floor<std::chrono::seconds>(time);
  const auto day = std::chrono::floor<std::chrono::days>(second);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(second - day);
  char text[32];
  std::snprintf(text, sizeof text, "%04d%02u%02uT%02d%02d%02dZ", static_cast<int>(date.year()) % 10'000,
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text;
}

std::optional<WallTime> ParseIsoTime(std::string_view text) {
  const auto year = Digits(text, 0, 4);
  const auto month = Digits(text, 5, 2);
  const auto day = Digits(text, 8, 2);
  const auto hour = Digits(text, 11, 2);
  const auto minute = Digits(text, 14, 2);
  const auto second = Digits(text, 17, 2);
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  if (!Has(text, 4, '-') || !Has(text, 7, '-') || !Has(text, 10, 'T') || !Has(text, 13, ':') || !Has(text, 16, ':')) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  // WallTime counts nanoseconds in 64 bits, which end in 2262.
  if (!date.ok() || *year < 1700 || *year > 2261 || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;

  Duration fraction{};
  std::size_t at = 19;
  if (Has(text, at, '.')) {
    Duration unit = std::chrono::milliseconds(100);
    for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, unit /= 10)
      fraction += unit * (text[at] - '0');
  }
  const auto ahead = ParseOffset(text.substr(at));
  if (!ahead) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) + std::chrono::minutes(*minute) +
         std::chrono::seconds(*second) + fraction - *ahead;
}

}  // namespace firn::store
