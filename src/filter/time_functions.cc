#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "arrow/iso_time.h"
#include "filter/functions.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TimeUnit;
using arrow::TypeId;
using arrow::TypePtr;
using View = std::string_view;

constexpr std::int64_t kDaySeconds = 86'400;

struct Date {
  std::int64_t year;
  std::int64_t month;  // 1 to 12
  std::int64_t day;    // 1 to 31
};

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}
std::int64_t FloorMod(std::int64_t a, std::int64_t b) {
  const std::int64_t rest = a % b;
  return rest < 0 ? rest + b : rest;  // b is positive
}

// Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
Date DateOf(std::int64_t days) {
  const std::int64_t shifted = days + 719'468;
  const std::int64_t era = FloorDiv(shifted, 146'097);
  const std::int64_t of_era = shifted - era * 146'097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * of_year + 2) / 153;
  const std::int64_t day = of_year - (153 * month + 2) / 5 + 1;
  return {year + era * 400 + (month >= 10 ? 1 : 0), month < 10 ? month + 3 : month - 9, day};
}

std::int64_t DaysOf(const Date& date) {
  const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
  const std::int64_t era = FloorDiv(year, 400);
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year = (153 * (date.month + (date.month > 2 ? -3 : 9)) + 2) / 5 + date.day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

std::int64_t DaysInMonth(std::int64_t year, std::int64_t month) {
  return month == 12 ? 31 : DaysOf({year, month + 1, 1}) - DaysOf({year, month, 1});
}

/// Units of the type in a second; for date32 the value counts days, which is said apart.
std::int64_t UnitsOf(const arrow::Type& type) {
  return type.id == TypeId::kDate64 ? 1000 : arrow::UnitsPerSecond(type.unit);
}

/// A value of a date or timestamp type, taken apart.
struct Moment {
  std::int64_t days;
  std::int64_t in_day;  // units since midnight
  std::int64_t units;   // a second
};
Moment MomentOf(std::int64_t value, const arrow::Type& type) {
  if (type.id == TypeId::kDate32) return {value, 0, 1};
  const std::int64_t units = UnitsOf(type);
  return {FloorDiv(value, kDaySeconds * units), FloorMod(value, kDaySeconds * units), units};
}

/// Back; empty when it does not fit.
std::optional<std::int64_t> ValueOf(std::int64_t days, std::int64_t in_day, const arrow::Type& type) {
  if (type.id == TypeId::kDate32) return std::in_range<std::int32_t>(days) ? std::optional(days) : std::nullopt;
  // The midnight before the earliest moment is out of range, the moment is not.
  const Int128 value = static_cast<Int128>(days) * (kDaySeconds * UnitsOf(type)) + in_day;
  const bool fits =
      value >= std::numeric_limits<std::int64_t>::min() && value <= std::numeric_limits<std::int64_t>::max();
  return fits ? std::optional(static_cast<std::int64_t>(value)) : std::nullopt;
}

enum class Part {
  kYear,
  kQuarter,
  kMonth,
  kWeek,
  kDay,
  kHour,
  kMinute,
  kSecond,
  kMillisecond,
  kMicrosecond,
  kNanosecond,
  kDayOfWeek,
  kIsoDayOfWeek,
  kDayOfYear,
  kEpoch,
};
std::optional<Part> PartByName(View name) {
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  static constexpr std::pair<View, Part> kParts[] = {
      {"year", Part::kYear},
      {"years", Part::kYear},
      {"quarter", Part::kQuarter},
      {"month", Part::kMonth},
      {"months", Part::kMonth},
      {"week", Part::kWeek},
      {"weeks", Part::kWeek},
      {"day", Part::kDay},
      {"days", Part::kDay},
      {"hour", Part::kHour},
      {"hours", Part::kHour},
      {"minute", Part::kMinute},
      {"minutes", Part::kMinute},
      {"second", Part::kSecond},
      {"seconds", Part::kSecond},
      {"millisecond", Part::kMillisecond},
      {"milliseconds", Part::kMillisecond},
      {"microsecond", Part::kMicrosecond},
      {"microseconds", Part::kMicrosecond},
      {"nanosecond", Part::kNanosecond},
      {"nanoseconds", Part::kNanosecond},
      {"dow", Part::kDayOfWeek},
      {"isodow", Part::kIsoDayOfWeek},
      {"doy", Part::kDayOfYear},
      {"epoch", Part::kEpoch},
  };
  for (const auto& [known, part] : kParts) {
    if (known == lower) return part;
  }
  return std::nullopt;
}

std::int64_t IsoWeek(std::int64_t days) {
  // The week belongs to the year of its Thursday.
  const std::int64_t thursday = days - FloorMod(days + 3, 7) + 3;
  return (thursday - DaysOf({DateOf(thursday).year, 1, 1})) / 7 + 1;
}

double ValueOfPart(const Moment& m, Part part) {
  const Date date = DateOf(m.days);
  const std::int64_t seconds = m.in_day / m.units;
  const auto in_minute = static_cast<double>(m.in_day % (60 * m.units)) / static_cast<double>(m.units);
  switch (part) {
    case Part::kYear:
      return static_cast<double>(date.year);
    case Part::kQuarter:
      return static_cast<double>((date.month + 2) / 3);
    case Part::kMonth:
      return static_cast<double>(date.month);
    case Part::kWeek:
      return static_cast<double>(IsoWeek(m.days));
    case Part::kDay:
      return static_cast<double>(date.day);
    case Part::kHour:
      return static_cast<double>(seconds / 3600);
    case Part::kMinute:
      return static_cast<double>(seconds / 60 % 60);
    case Part::kSecond:
      return static_cast<double>(seconds % 60);
    case Part::kMillisecond:
      return std::floor(in_minute * 1e3 + 1e-7);
    case Part::kMicrosecond:
      return std::floor(in_minute * 1e6 + 1e-4);
    case Part::kNanosecond:
      return static_cast<double>(m.in_day % (60 * m.units) * (1'000'000'000 / m.units));
    case Part::kDayOfWeek:
      return static_cast<double>(FloorMod(m.days + 4, 7));
    case Part::kIsoDayOfWeek:
      return static_cast<double>(FloorMod(m.days + 3, 7) + 1);
    case Part::kDayOfYear:
      return static_cast<double>(m.days - DaysOf({date.year, 1, 1}) + 1);
    case Part::kEpoch:
      return static_cast<double>(m.days) * static_cast<double>(kDaySeconds) +
             static_cast<double>(m.in_day) / static_cast<double>(m.units);
  }
  return 0;
}

/// A date or timestamp; constant text is read as a timestamp.
Result<TypePtr> WantMoment(const Arguments& a, std::size_t i) {
  if (IsTemporal(*a.type(i))) return a.type(i);
  if (a.type(i)->id == TypeId::kNull || IsTextual(*a.type(i))) return arrow::Timestamp(TimeUnit::kMicro);
  return a.Wants(i, "a date or timestamp");
}

Result<Part> WantPart(const Arguments& a) {
  const Vector* name = a.literal(0);
  if (name == nullptr || !IsTextual(*name->type)) return a.Wants(0, "a constant such as 'month'");
  if (const auto part = PartByName(name->Get<View>()[0])) return *part;
  return InvalidArgument(
      std::string(a.name) + "() does not know '" + std::string(name->Get<View>()[0].substr(0, 40)) + "'",
      "parts are year, quarter, month, week, day, hour, minute, second, millisecond, microsecond; "
      "date_part also dow, isodow, doy, epoch");
}

BoundFunction PartFunction(TypePtr moment, Part part, std::vector<TypePtr> types) {
  const bool real = part == Part::kEpoch;
  const TypePtr out_type = real ? Float64() : Int64();
  const std::size_t at = types.size() - 1;
  Kernel kernel = [=](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(out_type, rows);
    const Reader<std::int64_t> values(args[at]);
    for (std::int64_t i = 0; i < rows; i++) {
      const double value = ValueOfPart(MomentOf(values[i], *moment), part);
      if (real) {
        out.Get<double>()[i] = value;
      } else {
        out.Get<std::int64_t>()[i] = static_cast<std::int64_t>(value);
      }
    }
    return out;
  };
  return {out_type, std::move(types), std::move(kernel), {}};
}

Result<BoundFunction> DatePart(const Arguments& a) {
  FIRN_TRY(const Part part, WantPart(a));
  FIRN_TRY(const TypePtr moment, WantMoment(a, 1));
  return PartFunction(moment, part, {a.type(0), moment});
}

/// year(x), month(x), ...
Result<BoundFunction> NamedPart(const Arguments& a) {
  FIRN_TRY(const TypePtr moment, WantMoment(a, 0));
  return PartFunction(moment, *PartByName(a.name), {moment});
}

/// The start of the part that the moment lies in, as (days, units in the day).
std::pair<std::int64_t, std::int64_t> Truncate(const Moment& m, Part part) {
  const Date date = DateOf(m.days);
  const auto down_to = [&](std::int64_t step) {
    return std::pair(m.days, m.in_day - m.in_day % std::max<std::int64_t>(step, 1));
  };
  switch (part) {
    case Part::kYear:
      return {DaysOf({date.year, 1, 1}), 0};
    case Part::kQuarter:
      return {DaysOf({date.year, (date.month - 1) / 3 * 3 + 1, 1}), 0};
    case Part::kMonth:
      return {DaysOf({date.year, date.month, 1}), 0};
    case Part::kWeek:
      return {m.days - FloorMod(m.days + 3, 7), 0};
    case Part::kDay:
      return {m.days, 0};
    case Part::kHour:
      return down_to(3600 * m.units);
    case Part::kMinute:
      return down_to(60 * m.units);
    case Part::kSecond:
      return down_to(m.units);
    case Part::kMillisecond:
      return down_to(m.units / 1000);
    case Part::kMicrosecond:
      return down_to(m.units / 1'000'000);
    default:
      return {m.days, m.in_day};
  }
}

Result<BoundFunction> DateTrunc(const Arguments& a) {
  FIRN_TRY(const Part part, WantPart(a));
  if (part > Part::kMicrosecond)
    return a.Wants(0, "year, quarter, month, week, day, hour, minute, second, millisecond or microsecond");
  FIRN_TRY(const TypePtr moment, WantMoment(a, 1));
  Kernel kernel = [=](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(moment, rows);
    const Reader<std::int64_t> values(args[1]);
    for (std::int64_t i = 0; i < rows; i++) {
      const auto [days, in_day] = Truncate(MomentOf(values[i], *moment), part);
      const auto value = ValueOf(days, in_day, *moment);
      if (!value) return InvalidArgument("the date is out of range");
      out.Get<std::int64_t>()[i] = *value;
    }
    return out;
  };
  return BoundFunction{moment, {a.type(0), moment}, std::move(kernel), {.can_fail = true}};
}

/// Numbers as seconds (millis, ...) since 1970; text parsed; dates and timestamps converted.
Result<BoundFunction> ToTimestamp(const Arguments& a, TimeUnit unit) {
  const TypePtr type = arrow::Timestamp(unit);
  const TypePtr& from = a.type(0);
  if (!(IsTextual(*from) || IsTemporal(*from) || IsNumeric(*from) || from->id == TypeId::kNull))
    return a.Wants(0, "text, a number or a date");
  const bool number = IsNumeric(*from) && a.name == "to_timestamp";
  // A plain number counts seconds; the cast of whole numbers counts the type's own unit.
  const TypePtr first = number                                                           ? Float64()
                        : arrow::IsFloating(from->id) || from->id == TypeId::kDecimal128 ? Int64()
                                                                                         : type;
  Kernel kernel = [=](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(type, rows);
    for (std::int64_t i = 0; i < rows; i++) {
      if (args[0].kind() == Kind::kInt) {
        out.Get<std::int64_t>()[i] = args[0].Get<std::int64_t>()[args[0].Slot(i)];
        continue;
      }
      const double scaled = args[0].Get<double>()[args[0].Slot(i)] * static_cast<double>(arrow::UnitsPerSecond(unit));
      if (!(scaled >= -0x1p63 && scaled < 0x1p63)) return InvalidArgument("the timestamp is out of range");
      out.Get<std::int64_t>()[i] = static_cast<std::int64_t>(scaled);
    }
    return out;
  };
  return BoundFunction{type, {first}, std::move(kernel), {.can_fail = true}};
}

Result<BoundFunction> ToDate(const Arguments& a) {
  const TypePtr type = arrow::Simple(TypeId::kDate32);
  const TypePtr& from = a.type(0);
  if (!(IsTextual(*from) || IsTemporal(*from) || arrow::IsInteger(from->id) || from->id == TypeId::kNull)) {
    return a.Wants(0, "text, a whole number of days, or a timestamp");
  }
  return BoundFunction{
      type, {type}, [](std::span<const Vector> args, std::int64_t) -> Result<Vector> { return args[0]; }, {}};
}

Result<BoundFunction> ToUnixtime(const Arguments& a) {
  FIRN_TRY(const TypePtr moment, WantMoment(a, 0));
  const TypePtr seconds = arrow::Timestamp(TimeUnit::kSecond);
  Kernel kernel = [](std::span<const Vector> args, std::int64_t) -> Result<Vector> {
    Vector out = args[0];
    out.type = Int64();
    return out;
  };
  return BoundFunction{Int64(), {seconds}, std::move(kernel), {}};
}

Result<BoundFunction> MakeDate(const Arguments& a) {
  for (std::size_t i = 0; i < 3; i++) {
    if (!arrow::IsInteger(a.type(i)->id) && a.type(i)->id != TypeId::kNull) return a.Wants(i, "a whole number");
  }
  const TypePtr type = arrow::Simple(TypeId::kDate32);
  Kernel kernel = [type](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(type, rows);
    const Reader<std::int64_t> year(args[0]);
    const Reader<std::int64_t> month(args[1]);
    const Reader<std::int64_t> day(args[2]);
    for (std::int64_t i = 0; i < rows; i++) {
      const bool good = year[i] >= -200'000 && year[i] <= 200'000 && month[i] >= 1 && month[i] <= 12 && day[i] >= 1 &&
                        day[i] <= DaysInMonth(year[i], month[i]);
      if (!good) return InvalidArgument("there is no such date");
      out.Get<std::int64_t>()[i] = DaysOf({year[i], month[i], day[i]});
    }
    return out;
  };
  return BoundFunction{type, {Int64(), Int64(), Int64()}, std::move(kernel), {.can_fail = true}};
}

std::optional<std::int64_t> Shift(std::int64_t value, const arrow::Type& type, const Interval& interval) {
  Moment m = MomentOf(value, type);
  if (interval.months != 0) {
    const Date date = DateOf(m.days);
    const std::int64_t months = date.year * 12 + date.month - 1 + interval.months;
    const std::int64_t year = FloorDiv(months, 12);
    const std::int64_t month = FloorMod(months, 12) + 1;
    m.days = DaysOf({year, month, std::min(date.day, DaysInMonth(year, month))});
  }
  m.days += interval.days;
  // In a type too coarse for the interval, what is finer than its unit is dropped.
  if (type.id == TypeId::kDate32) {
    m.days += FloorDiv(interval.nanos, kDaySeconds * 1'000'000'000);
    return ValueOf(m.days, 0, type);
  }
  return ValueOf(m.days, m.in_day + FloorDiv(interval.nanos, 1'000'000'000 / m.units), type);
}

using A = const Arguments&;
constexpr Function kFunctions[] = {
    {"date_part", 2, 2, DatePart},
    {"datepart", 2, 2, DatePart},
    {"year", 1, 1, NamedPart},
    {"quarter", 1, 1, NamedPart},
    {"month", 1, 1, NamedPart},
    {"week", 1, 1, NamedPart},
    {"day", 1, 1, NamedPart},
    {"hour", 1, 1, NamedPart},
    {"minute", 1, 1, NamedPart},
    {"second", 1, 1, NamedPart},
    {"date_trunc", 2, 2, DateTrunc},
    {"datetrunc", 2, 2, DateTrunc},
    {"to_timestamp", 1, 1, [](A a) { return ToTimestamp(a, TimeUnit::kNano); }},
    {"to_timestamp_seconds", 1, 1, [](A a) { return ToTimestamp(a, TimeUnit::kSecond); }},
    {"to_timestamp_millis", 1, 1, [](A a) { return ToTimestamp(a, TimeUnit::kMilli); }},
    {"to_timestamp_micros", 1, 1, [](A a) { return ToTimestamp(a, TimeUnit::kMicro); }},
    {"to_timestamp_nanos", 1, 1, [](A a) { return ToTimestamp(a, TimeUnit::kNano); }},
    {"to_date", 1, 1, ToDate},
    {"to_unixtime", 1, 1, ToUnixtime},
    {"make_date", 3, 3, MakeDate},
};

}  // namespace

std::span<const Function> TimeFunctions() { return kFunctions; }

Result<Interval> ParseInterval(View text) {
  const auto wrong = [&] {
    return InvalidArgument("'" + std::string(text.substr(0, 60)) + "' is not an interval",
                           "write INTERVAL '1 day' or INTERVAL '2 hours 30 minutes'");
  };
  std::vector<View> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t\n", at);
    if (begin == View::npos) break;
    at = std::min(text.find_first_of(" \t\n", begin), text.size());
    words.push_back(text.substr(begin, at - begin));
  }
  Interval interval;
  if (words.empty() || words.size() % 2 != 0 || words.size() > 20) return wrong();
  for (std::size_t i = 0; i < words.size(); i += 2) {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(words[i].data(), words[i].data() + words[i].size(), n);
    const auto unit = PartByName(words[i + 1]);
    constexpr std::int64_t kMost = 1'000'000;
    if (error != std::errc() || end != words[i].data() + words[i].size() || !unit || n > kMost || n < -kMost)
      return wrong();
    switch (*unit) {
      case Part::kYear:
        interval.months += n * 12;
        break;
      case Part::kQuarter:
        interval.months += n * 3;
        break;
      case Part::kMonth:
        interval.months += n;
        break;
      case Part::kWeek:
        interval.days += n * 7;
        break;
      case Part::kDay:
        interval.days += n;
        break;
      // Whole days of hours count as days, so that nanoseconds cannot overflow.
      case Part::kHour:
        interval.days += n / 24, interval.nanos += n % 24 * 3'600'000'000'000;
        break;
      case Part::kMinute:
        interval.days += n / 1440, interval.nanos += n % 1440 * 60'000'000'000;
        break;
      case Part::kSecond:
        interval.days += n / kDaySeconds, interval.nanos += n % kDaySeconds * 1'000'000'000;
        break;
      case Part::kMillisecond:
        interval.nanos += n * 1'000'000;
        break;
      case Part::kMicrosecond:
        interval.nanos += n * 1'000;
        break;
      case Part::kNanosecond:
        interval.nanos += n;
        break;
      default:
        return wrong();
    }
  }
  return interval;
}

BoundFunction BindAddInterval(const TypePtr& type, Interval interval) {
  // A date and an interval with hours make a timestamp.
  const TypePtr out_type =
      type->id == TypeId::kDate32 && interval.nanos != 0 ? arrow::Timestamp(TimeUnit::kMicro) : type;
  Kernel kernel = [=](std::span<const Vector> args, std::int64_t rows) -> Result<Vector> {
    Vector out = MakeVector(out_type, rows);
    const Reader<std::int64_t> values(args[0]);
    for (std::int64_t i = 0; i < rows; i++) {
      const auto value = Shift(values[i], *out_type, interval);
      if (!value) return InvalidArgument("the date is out of range");
      out.Get<std::int64_t>()[i] = *value;
    }
    return out;
  };
  return {out_type, {out_type}, std::move(kernel), {.can_fail = true}};
}

}  // namespace firn::filter
