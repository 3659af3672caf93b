#include "arrow/iso_time.h"

#include <charconv>

namespace firn::arrow {
namespace {

constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;
constexpr std::size_t kMaxYearDigits = 12;
// Days whose moments, with any time and zone offset, are still 64-bit counts of seconds.
constexpr std::int64_t kMaxDays = 106'751'991'167'298;

struct Civil {
  std::int64_t year;
  unsigned month;
  unsigned day;
};

// Both after "chrono-Compatible Low-Level Date Algorithms" (Howard Hinnant): eras of 400 years that begin in March.
std::int64_t DaysFromCivil(Civil date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const std::int64_t day_of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

Civil CivilFromDays(std::int64_t days) {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const auto shifted_month = static_cast<unsigned>((5 * day_of_year + 2) / 153);
  const auto day = static_cast<unsigned>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const unsigned month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

unsigned DaysInMonth(std::int64_t year, unsigned month) {
  static constexpr unsigned kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
  return month == 2 && leap ? 29 : kDays[month - 1];
}

/// Reads text from its front.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : rest_(text) {}

  bool Skip(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Between `least` and `most` digits, as many as there are.
  std::optional<std::int64_t> Digits(std::size_t least, std::size_t most) {
    std::size_t count = 0;
    std::int64_t value = 0;
    while (count < most && count < rest_.size() && rest_[count] >= '0' && rest_[count] <= '9') {
      value = value * 10 + (rest_[count++] - '0');
    }
    if (count < least) return std::nullopt;
    rest_.remove_prefix(count);
    last_count_ = count;
    return value;
  }
  std::size_t last_count() const { return last_count_; }
  bool AtEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
  std::size_t last_count_ = 0;
};

std::optional<std::int64_t> ReadDate(Cursor& at) {
  const bool minus = at.Skip('-');
  const bool is_signed = minus || at.Skip('+');
  const auto year = at.Digits(4, is_signed ? kMaxYearDigits : 4);
  if (!year || !at.Skip('-')) return std::nullopt;
  const auto month = at.Digits(2, 2);
  if (!month || *month < 1 || *month > 12 || !at.Skip('-')) return std::nullopt;
  const auto day = at.Digits(2, 2);
  const Civil date{minus ? -*year : *year, static_cast<unsigned>(*month), day ? static_cast<unsigned>(*day) : 0};
  if (date.day < 1 || date.day > DaysInMonth(date.year, date.month)) return std::nullopt;
  const std::int64_t days = DaysFromCivil(date);
  if (days > kMaxDays || days < -kMaxDays) return std::nullopt;
  return days;
}

std::optional<std::int64_t> ReadTime(Cursor& at) {
  const auto hours = at.Digits(2, 2);
  if (!hours || *hours > 23 || !at.Skip(':')) return std::nullopt;
  const auto minutes = at.Digits(2, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  std::int64_t nanos = (*hours * 3'600 + *minutes * 60) * kNanosPerSecond;
  if (!at.Skip(':')) return nanos;
  const auto seconds = at.Digits(2, 2);
  if (!seconds || *seconds > 59) return std::nullopt;
  nanos += *seconds * kNanosPerSecond;
  if (!at.Skip('.')) return nanos;
  auto fraction = at.Digits(1, 9);
  if (!fraction) return std::nullopt;
  for (std::size_t digits = at.last_count(); digits < 9; digits++) *fraction *= 10;
  return nanos + *fraction;
}

/// Seconds east of Greenwich.
std::optional<std::int64_t> ReadOffset(Cursor& at, bool west) {
  const auto hours = at.Digits(2, 2);
  if (!hours || *hours > 23) return std::nullopt;
  std::int64_t minutes = 0;
  const bool colon = at.Skip(':');
  if (colon || !at.AtEnd()) {
    const auto written = at.Digits(2, 2);
    if (!written || *written > 59) return std::nullopt;
    minutes = *written;
  }
  return (*hours * 3'600 + minutes * 60) * (west ? -1 : 1);
}

void AppendPadded(std::string& out, std::int64_t value, std::size_t width) {
  char digits[20];
  const char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  const auto count = static_cast<std::size_t>(end - digits);
  if (count < width) out.append(width - count, '0');
  out.append(digits, count);
}

std::int64_t FloorDivide(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

std::size_t FractionDigits(TimeUnit unit) { return 3 * static_cast<std::size_t>(unit); }

}  // namespace

std::optional<std::int64_t> ParseIsoDate(std::string_view text) {
  Cursor at(text);
  const auto days = ReadDate(at);
  return at.AtEnd() ? days : std::nullopt;
}

std::optional<std::int64_t> ParseIsoTime(std::string_view text) {
  Cursor at(text);
  const auto nanos = ReadTime(at);
  return at.AtEnd() ? nanos : std::nullopt;
}

std::optional<IsoInstant> ParseIsoInstant(std::string_view text) {
  Cursor at(text);
  const auto days = ReadDate(at);
  if (!days || !(at.Skip('T') || at.Skip('t') || at.Skip(' '))) return std::nullopt;
  const auto nanos = ReadTime(at);
  if (!nanos) return std::nullopt;
  IsoInstant instant{*days * kSecondsPerDay + *nanos / kNanosPerSecond,
                     static_cast<std::int32_t>(*nanos % kNanosPerSecond), false};
  if (at.Skip('Z') || at.Skip('z')) {
    instant.has_zone = true;
  } else if (const bool west = at.Skip('-'); west || at.Skip('+')) {
    const auto offset = ReadOffset(at, west);
    if (!offset) return std::nullopt;
    instant.seconds -= *offset;
    instant.has_zone = true;
  }
  if (!at.AtEnd()) return std::nullopt;
  return instant;
}

std::int64_t UnitsPerSecond(TimeUnit unit) {
  static constexpr std::int64_t kUnits[] = {1, 1'000, 1'000'000, kNanosPerSecond};
  return kUnits[static_cast<std::size_t>(unit)];
}

std::optional<std::int64_t> InUnit(const IsoInstant& instant, TimeUnit unit) {
  const std::int64_t per_second = UnitsPerSecond(unit);
  const std::int64_t fraction = instant.nanos / (kNanosPerSecond / per_second);
  // The earliest moments are reached only from the second after: -1 s + 0.5 s, not 0 s - 0.5 s.
  const bool borrow = instant.seconds < 0 && fraction > 0;
  std::int64_t units = 0;
  if (__builtin_mul_overflow(instant.seconds + (borrow ? 1 : 0), per_second, &units)) return std::nullopt;
  if (__builtin_add_overflow(units, fraction - (borrow ? per_second : 0), &units)) return std::nullopt;
  return units;
}

void AppendIsoDate(std::string& out, std::int64_t days) {
  const Civil date = CivilFromDays(days);
  if (date.year < 0) {
    out += '-';
  } else if (date.year > 9'999) {
    out += '+';
  }
  AppendPadded(out, date.year < 0 ? -date.year : date.year, 4);
  out += '-';
  AppendPadded(out, date.month, 2);
  out += '-';
  AppendPadded(out, date.day, 2);
}

void AppendIsoTime(std::string& out, std::int64_t units, TimeUnit unit) {
  const std::int64_t per_second = UnitsPerSecond(unit);
  const std::int64_t seconds = FloorDivide(units, per_second);
  const std::int64_t fraction = units - seconds * per_second;
  AppendPadded(out, seconds / 3'600, 2);
  out += ':';
  AppendPadded(out, seconds / 60 % 60, 2);
  out += ':';
  AppendPadded(out, seconds % 60, 2);
  if (fraction == 0) return;
  out += '.';
  AppendPadded(out, fraction, FractionDigits(unit));
}

void AppendIsoInstant(std::string& out, std::int64_t units, TimeUnit unit, bool zulu) {
  const std::int64_t per_day = kSecondsPerDay * UnitsPerSecond(unit);
  const std::int64_t days = FloorDivide(units, per_day);
  AppendIsoDate(out, days);
  out += 'T';
  // Not `units - days * per_day`: that product overflows near the earliest moments.
  const std::int64_t within = units % per_day;
  AppendIsoTime(out, within < 0 ? within + per_day : within, unit);
  if (zulu) out += 'Z';
}

}  // namespace firn::arrow
