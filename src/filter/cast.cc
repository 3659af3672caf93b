#include "filter/cast.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "arrow/iso_time.h"
#include "filter/types.h"

namespace firn::filter {
namespace {

using arrow::TimeUnit;
using arrow::Type;
using arrow::TypeId;
using arrow::TypePtr;

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kDayMillis = kDaySeconds * 1000;

std::int64_t FloorDiv(std::int64_t a, std::int64_t b) {
  return a / b - ((a % b != 0 && (a % b < 0) != (b < 0)) ? 1 : 0);
}

/// The product, when it fits.
std::optional<std::int64_t> Times(std::int64_t a, std::int64_t b) {
  std::int64_t out = 0;
  return __builtin_mul_overflow(a, b, &out) ? std::nullopt : std::optional(out);
}

/// The range of an integer type that lives in an int64.
std::pair<std::int64_t, std::int64_t> RangeOf(TypeId id) {
  switch (id) {
    case TypeId::kInt8:
      return {-128, 127};
    case TypeId::kInt16:
      return {-32768, 32767};
    case TypeId::kInt32:
    case TypeId::kDate32:
    case TypeId::kTime32:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    case TypeId::kUInt8:
      return {0, 255};
    case TypeId::kUInt16:
      return {0, 65535};
    case TypeId::kUInt32:
      return {0, std::numeric_limits<std::uint32_t>::max()};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

/// The whole number that the text is, exactly.
template <class T>
std::optional<T> ParseWhole(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<double> ParseFloat(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // from_chars says so both for the too large and the too small.
    const bool negative = text.starts_with('-');
    const std::size_t exponent = text.find_first_of("eE");
    const bool small = exponent != std::string_view::npos && exponent + 1 < text.size() && text[exponent + 1] == '-';
    const double magnitude = small ? 0.0 : std::numeric_limits<double>::infinity();
    return negative ? -magnitude : magnitude;
  }
  if (error != std::errc()) return std::nullopt;
  return value;
}

std::optional<Truth> ParseBool(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  for (const std::string_view yes : {"true", "t", "yes", "y", "on", "1"}) {
    if (lower == yes) return kTrue;
  }
  for (const std::string_view no : {"false", "f", "no", "n", "off", "0"}) {
    if (lower == no) return kFalse;
  }
  return std::nullopt;
}

/// "2024-1-5" as "2024-01-05".
std::optional<std::int64_t> ParseDays(std::string_view text) {
  if (const auto days = arrow::ParseIsoDate(text)) return days;
  std::string padded;
  std::size_t digits = 0;
  for (std::size_t i = 0; i <= text.size(); i++) {
    if (i < text.size() && text[i] >= '0' && text[i] <= '9') {
      digits++;
      continue;
    }
    if (digits == 0 || (i < text.size() && text[i] != '-')) break;
    if (digits == 1) padded += '0';
    padded += text.substr(i - digits, digits);
    if (i == text.size()) return arrow::ParseIsoDate(padded);
    padded += '-';
    digits = 0;
  }
  // A timestamp's date.
  if (const auto instant = arrow::ParseIsoInstant(text)) return FloorDiv(instant->seconds, kDaySeconds);
  return std::nullopt;
}

std::optional<std::int64_t> ParseTimestamp(std::string_view text, TimeUnit unit) {
  if (const auto instant = arrow::ParseIsoInstant(text)) return arrow::InUnit(*instant, unit);
  if (const auto days = arrow::ParseIsoDate(text)) {
    const auto seconds = Times(*days, kDaySeconds);
    return seconds ? arrow::InUnit({*seconds, 0, false}, unit) : std::nullopt;
  }
  return std::nullopt;
}

/// `value` counted in `from` a second, counted in `to` a second; rounds towards the past.
std::optional<std::int64_t> Rescale(std::int64_t value, std::int64_t from, std::int64_t to) {
  if (to <= from) return FloorDiv(value, from / to);
  return Times(value, to / from);
}

/// A date, timestamp, time or duration as another of them; empty when it does not fit.
std::optional<std::int64_t> Retime(std::int64_t value, const Type& from, const Type& to) {
  if (from.id == TypeId::kDate32 && to.id == TypeId::kDate32) return value;
  if (from.id == TypeId::kDate32) {
    const std::int64_t units = to.id == TypeId::kDate64 ? 1000 : arrow::UnitsPerSecond(to.unit);
    return Times(value, kDaySeconds * units);
  }
  const std::int64_t units = from.id == TypeId::kDate64 ? 1000 : arrow::UnitsPerSecond(from.unit);
  if (to.id == TypeId::kDate32) {
    const std::int64_t days = FloorDiv(value, kDaySeconds * units);
    return std::in_range<std::int32_t>(days) ? std::optional(days) : std::nullopt;
  }
  if (to.id == TypeId::kDate64) {
    const auto millis = Rescale(value, units, 1000);
    return millis ? Times(FloorDiv(*millis, kDayMillis), kDayMillis) : std::nullopt;
  }
  return Rescale(value, units, arrow::UnitsPerSecond(to.unit));
}

bool IsClockType(const Type& t) {
  return IsTemporal(t) || t.id == TypeId::kTime32 || t.id == TypeId::kTime64 || t.id == TypeId::kDuration;
}

std::optional<Int128> FitDecimal(Int128 value, std::int32_t precision) {
  const Int128 limit = PowerOfTen(std::min(precision, 38));
  return value < limit && value > -limit ? std::optional(value) : std::nullopt;
}

std::optional<Int128> RescaleDecimal(Int128 value, std::int32_t from, std::int32_t to) {
  if (to >= from) {
    Int128 out = 0;
    if (to - from > 38 || __builtin_mul_overflow(value, PowerOfTen(to - from), &out)) return std::nullopt;
    return out;
  }
  if (from - to > 38) return Int128{0};
  const Int128 divisor = PowerOfTen(from - to);
  const Int128 rest = value % divisor;
  const Int128 twice = rest < 0 ? -rest : rest;
  return value / divisor + (twice >= divisor - twice ? (value < 0 ? -1 : 1) : 0);
}

double DecimalToDouble(Int128 value, std::int32_t scale) {
  return static_cast<double>(value) / static_cast<double>(PowerOfTen(std::clamp(scale, 0, 38)));
}

std::optional<Int128> DoubleToDecimal(double value, std::int32_t scale) {
  const double scaled = std::round(value * static_cast<double>(PowerOfTen(std::clamp(scale, 0, 38))));
  if (!(std::fabs(scaled) < 1.7e38)) return std::nullopt;
  return static_cast<Int128>(scaled);
}

/// A double cut to what the type holds.
double NarrowFloat(double value, TypeId id) {
  if (id == TypeId::kFloat32) return static_cast<float>(value);
  if (id == TypeId::kFloat16) return arrow::HalfToFloat(arrow::FloatToHalf(static_cast<float>(value)));
  return value;
}

/// Runs `convert(source value) -> optional<To>` over the rows that are not null.
template <class From, class To, class Convert>
Result<Vector> Each(const Vector& from, const TypePtr& to, bool or_null, Convert convert) {
  Vector out = MakeVector(to, from.stored());
  out.owners = from.owners;
  const std::vector<From>& in = from.Get<From>();
  std::vector<To>& values = out.Get<To>();
  for (std::int64_t i = 0; i < from.stored(); i++) {
    if (from.IsNull(i)) {
      SetNull(out, i);
      continue;
    }
    const std::optional<To> value = convert(in[i]);
    if (value) {
      values[i] = *value;
    } else if (or_null) {
      SetNull(out, i);
    } else {
      std::string shown;
      AppendValue(shown, from, i);
      if (shown.size() > 60) shown = shown.substr(0, 60) + "...";
      return InvalidArgument("cannot cast " + from.type->ToString() + " '" + shown + "' to " + to->ToString(),
                             "TRY_CAST gives NULL instead");
    }
  }
  out.rows = from.rows;
  out.constant = from.constant;
  return out;
}

template <class From>
Result<Vector> FromWhole(const Vector& from, const TypePtr& to, bool or_null) {
  switch (KindOf(*to)) {
    case Kind::kBool:
      return Each<From, Truth>(from, to, or_null, [](From v) { return std::optional(v != 0 ? kTrue : kFalse); });
    case Kind::kInt: {
      if (IsClockType(*from.type) && IsClockType(*to)) {
        const Type& source = *from.type;
        return Each<From, std::int64_t>(from, to, or_null,
                                        [&](From v) { return Retime(static_cast<std::int64_t>(v), source, *to); });
      }
      const auto [least, most] = RangeOf(to->id);
      return Each<From, std::int64_t>(from, to, or_null,
                                      [low = least, high = most](From v) -> std::optional<std::int64_t> {
                                        if (!std::in_range<std::int64_t>(v) || static_cast<std::int64_t>(v) < low ||
                                            static_cast<std::int64_t>(v) > high)
                                          return std::nullopt;
                                        return static_cast<std::int64_t>(v);
                                      });
    }
    case Kind::kUInt:
      return Each<From, std::uint64_t>(from, to, or_null, [](From v) {
        return std::in_range<std::uint64_t>(v) ? std::optional(static_cast<std::uint64_t>(v)) : std::nullopt;
      });
    case Kind::kFloat:
      return Each<From, double>(from, to, or_null,
                                [&](From v) { return std::optional(NarrowFloat(static_cast<double>(v), to->id)); });
    default:
      return Each<From, Int128>(from, to, or_null, [&](From v) -> std::optional<Int128> {
        const auto scaled = RescaleDecimal(static_cast<Int128>(v), 0, to->scale);
        return scaled ? FitDecimal(*scaled, to->precision) : std::nullopt;
      });
  }
}

Result<Vector> FromFloat(const Vector& from, const TypePtr& to, bool or_null) {
  switch (KindOf(*to)) {
    case Kind::kBool:
      return Each<double, Truth>(from, to, or_null, [](double v) { return std::optional(v != 0 ? kTrue : kFalse); });
    case Kind::kInt: {
      const auto [least, most] = RangeOf(to->id);
      return Each<double, std::int64_t>(from, to, or_null,
                                        [low = least, high = most](double v) -> std::optional<std::int64_t> {
                                          const double whole = std::trunc(v);
                                          if (!(whole >= -0x1p63 && whole < 0x1p63)) return std::nullopt;
                                          const auto value = static_cast<std::int64_t>(whole);
                                          return value < low || value > high ? std::nullopt : std::optional(value);
                                        });
    }
    case Kind::kUInt:
      return Each<double, std::uint64_t>(from, to, or_null, [](double v) -> std::optional<std::uint64_t> {
        const double whole = std::trunc(v);
        return whole >= 0 && whole < 0x1p64 ? std::optional(static_cast<std::uint64_t>(whole)) : std::nullopt;
      });
    case Kind::kFloat:
      return Each<double, double>(from, to, or_null, [&](double v) { return std::optional(NarrowFloat(v, to->id)); });
    default:
      return Each<double, Int128>(from, to, or_null, [&](double v) -> std::optional<Int128> {
        const auto value = DoubleToDecimal(v, to->scale);
        return value ? FitDecimal(*value, to->precision) : std::nullopt;
      });
  }
}

Result<Vector> FromDecimal(const Vector& from, const TypePtr& to, bool or_null) {
  const std::int32_t scale = from.type->scale;
  switch (KindOf(*to)) {
    case Kind::kInt: {
      const auto [least, most] = RangeOf(to->id);
      return Each<Int128, std::int64_t>(
          from, to, or_null, [=, low = least, high = most](Int128 v) -> std::optional<std::int64_t> {
            const Int128 whole = v / PowerOfTen(std::clamp(scale, 0, 38));
            return whole < low || whole > high ? std::nullopt : std::optional(static_cast<std::int64_t>(whole));
          });
    }
    case Kind::kUInt:
      return Each<Int128, std::uint64_t>(from, to, or_null, [=](Int128 v) -> std::optional<std::uint64_t> {
        const Int128 whole = v / PowerOfTen(std::clamp(scale, 0, 38));
        return whole < 0 || whole > std::numeric_limits<std::uint64_t>::max()
                   ? std::nullopt
                   : std::optional(static_cast<std::uint64_t>(whole));
      });
    case Kind::kFloat:
      return Each<Int128, double>(
          from, to, or_null, [&](Int128 v) { return std::optional(NarrowFloat(DecimalToDouble(v, scale), to->id)); });
    default:
      return Each<Int128, Int128>(from, to, or_null, [&](Int128 v) -> std::optional<Int128> {
        const auto value = RescaleDecimal(v, scale, to->scale);
        return value ? FitDecimal(*value, to->precision) : std::nullopt;
      });
  }
}

Result<Vector> FromText(const Vector& from, const TypePtr& to, bool or_null) {
  using View = std::string_view;
  switch (KindOf(*to)) {
    case Kind::kText:
      return Each<View, View>(from, to, or_null, [](View v) { return std::optional(v); });
    case Kind::kBool:
      return Each<View, Truth>(from, to, or_null, ParseBool);
    case Kind::kUInt:
      return Each<View, std::uint64_t>(from, to, or_null, ParseWhole<std::uint64_t>);
    case Kind::kFloat:
      return Each<View, double>(from, to, or_null, [&](View v) -> std::optional<double> {
        const auto value = ParseFloat(v);
        return value ? std::optional(NarrowFloat(*value, to->id)) : std::nullopt;
      });
    case Kind::kDecimal:
      return Each<View, Int128>(from, to, or_null, [&](View v) -> std::optional<Int128> {
        const auto value = ParseDecimal(v, to->scale);
        return value ? FitDecimal(*value, to->precision) : std::nullopt;
      });
    default:
      break;
  }
  const auto [least, most] = RangeOf(to->id);
  return Each<View, std::int64_t>(
      from, to, or_null, [&, low = least, high = most](View v) -> std::optional<std::int64_t> {
        std::optional<std::int64_t> value;
        switch (to->id) {
          case TypeId::kDate32:
            value = ParseDays(v);
            break;
          case TypeId::kDate64:
            value = ParseDays(v);
            if (value) value = Times(*value, kDayMillis);
            break;
          case TypeId::kTimestamp:
            value = ParseTimestamp(v, to->unit);
            break;
          case TypeId::kTime32:
          case TypeId::kTime64:
            value = arrow::ParseIsoTime(v);
            if (value) value = Rescale(*value, arrow::UnitsPerSecond(TimeUnit::kNano), arrow::UnitsPerSecond(to->unit));
            break;
          default:
            value = ParseWhole<std::int64_t>(v);
        }
        return value && *value >= low && *value <= high ? value : std::nullopt;
      });
}

Result<Vector> ToText(const Vector& from, const TypePtr& to) {
  TextWriter writer(from.stored());
  std::string value;
  for (std::int64_t i = 0; i < from.stored(); i++) {
    value.clear();
    if (!from.IsNull(i)) AppendValue(value, from, i);
    writer.Append(value);
    FIRN_CHECK(writer.Close());
  }
  Vector out = writer.Finish(to);
  for (std::int64_t i = 0; i < from.stored(); i++) {
    if (from.IsNull(i)) SetNull(out, i);
  }
  out.rows = from.rows;
  out.constant = from.constant;
  return out;
}

void AppendDouble(std::string& out, double value, bool single) {
  if (std::isnan(value)) {
    out += "NaN";
    return;
  }
  char digits[32];
  const auto end = single ? std::to_chars(digits, digits + sizeof digits, static_cast<float>(value)).ptr
                          : std::to_chars(digits, digits + sizeof digits, value).ptr;
  const std::string_view text(digits, static_cast<std::size_t>(end - digits));
  out += text;
  if (text.find_first_not_of("-0123456789") == std::string_view::npos) out += ".0";
}

}  // namespace

Int128 PowerOfTen(int n) {
  Int128 power = 1;
  for (int i = 0; i < n; i++) power *= 10;
  return power;
}

void AppendDecimal(std::string& out, Int128 unscaled, std::int32_t scale) {
  auto rest = unscaled < 0 ? -static_cast<unsigned __int128>(unscaled) : static_cast<unsigned __int128>(unscaled);
  std::string digits;
  do {
    digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest != 0);
  while (static_cast<std::int32_t>(digits.size()) <= scale) digits.push_back('0');
  if (unscaled < 0) out.push_back('-');
  for (std::size_t i = digits.size(); i-- > 0;) {
    out.push_back(digits[i]);
    if (scale > 0 && i == static_cast<std::size_t>(scale)) out.push_back('.');
  }
}

std::optional<Int128> ParseDecimal(std::string_view text, std::int32_t scale) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int exponent = 0;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    const auto parsed = ParseWhole<std::int32_t>(text.substr(e + 1));
    if (!parsed || *parsed > 100 || *parsed < -100) return std::nullopt;
    exponent = *parsed;
    text = text.substr(0, e);
  }
  Int128 value = 0;
  int behind = 0;
  bool point = false;
  bool any = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9') return std::nullopt;
    any = true;
    if (__builtin_mul_overflow(value, Int128{10}, &value) || __builtin_add_overflow(value, Int128{c - '0'}, &value))
      return std::nullopt;
    behind += point ? 1 : 0;
  }
  if (!any) return std::nullopt;
  const int from = behind - exponent;
  auto scaled = value == 0 ? std::optional(value) : RescaleDecimal(value, from, scale);
  if (scaled && negative) *scaled = -*scaled;
  return scaled;
}

void AppendValue(std::string& out, const Vector& v, std::int64_t row) {
  const std::int64_t slot = v.Slot(row);
  if (v.IsNull(row)) {
    out += "NULL";
    return;
  }
  switch (v.kind()) {
    case Kind::kNull:
      return;
    case Kind::kBool:
      out += v.Get<Truth>()[slot] == kTrue ? "true" : "false";
      return;
    case Kind::kUInt:
      out += std::to_string(v.Get<std::uint64_t>()[slot]);
      return;
    case Kind::kFloat:
      return AppendDouble(out, v.Get<double>()[slot], v.type->id != TypeId::kFloat64);
    case Kind::kDecimal:
      return AppendDecimal(out, v.Get<Int128>()[slot], v.type->scale);
    case Kind::kText:
      out += v.Get<std::string_view>()[slot];
      return;
    case Kind::kStruct:
      out += "{...}";
      return;
    case Kind::kList: {
      out += "[";
      const ItemRange range = v.lists().ranges[slot];
      for (std::int64_t i = range.begin; i < range.end; i++) {
        if (i > range.begin) out += ", ";
        AppendValue(out, *v.lists().items, i);
      }
      out += "]";
      return;
    }
    case Kind::kInt:
      break;
  }
  const std::int64_t value = v.Get<std::int64_t>()[slot];
  switch (v.type->id) {
    case TypeId::kDate32:
      return arrow::AppendIsoDate(out, value);
    case TypeId::kDate64:
      return arrow::AppendIsoDate(out, FloorDiv(value, kDayMillis));
    case TypeId::kTimestamp:
      return arrow::AppendIsoInstant(out, value, v.type->unit, !v.type->timezone.empty());
    case TypeId::kTime32:
    case TypeId::kTime64:
      return arrow::AppendIsoTime(out, value, v.type->unit);
    default:
      out += std::to_string(value);
  }
}

bool CanCast(const Type& from, const Type& to) {
  const Kind a = KindOf(from);
  const Kind b = KindOf(to);
  if (a == Kind::kNull || arrow::Equal(from, to)) return true;
  if (a == Kind::kList && b == Kind::kList) return CanCast(*from.children[0].type, *to.children[0].type);
  if (a == Kind::kList || b == Kind::kList || a == Kind::kStruct || b == Kind::kStruct || b == Kind::kNull)
    return false;
  if (a == Kind::kText && b == Kind::kText)
    return to.id != TypeId::kFixedSizeBinary || from.id == TypeId::kFixedSizeBinary;
  if (b == Kind::kText) return IsTextual(to);
  if (a == Kind::kText) return IsTextual(from) && to.id != TypeId::kDuration;
  const bool a_clock = IsClockType(from);
  const bool b_clock = IsClockType(to);
  if (a_clock && b_clock) {
    if (IsTemporal(from) || IsTemporal(to)) return IsTemporal(from) && IsTemporal(to);
    return (from.id == TypeId::kDuration) == (to.id == TypeId::kDuration);
  }
  if (a_clock) return arrow::IsInteger(to.id);
  if (b_clock) return arrow::IsInteger(from.id);
  if (a == Kind::kBool) return IsNumeric(to) && b != Kind::kDecimal;
  if (b == Kind::kBool) return a != Kind::kDecimal;
  return true;
}

Result<Vector> Cast(const Vector& from, const TypePtr& to, bool or_null) {
  if (from.kind() == Kind::kNull) return NullVector(to, from.rows);
  if (arrow::Equal(*from.type, *to)) return from;
  if (IsTextual(*to) && from.kind() != Kind::kText) return ToText(from, to);
  switch (from.kind()) {
    case Kind::kBool:
      if (KindOf(*to) == Kind::kFloat) {
        return Each<Truth, double>(from, to, or_null, [](Truth t) { return std::optional(t == kTrue ? 1.0 : 0.0); });
      }
      if (KindOf(*to) == Kind::kUInt) {
        return Each<Truth, std::uint64_t>(from, to, or_null,
                                          [](Truth t) { return std::optional<std::uint64_t>(t == kTrue ? 1 : 0); });
      }
      return Each<Truth, std::int64_t>(from, to, or_null,
                                       [](Truth t) { return std::optional<std::int64_t>(t == kTrue ? 1 : 0); });
    case Kind::kInt:
      return FromWhole<std::int64_t>(from, to, or_null);
    case Kind::kUInt:
      return FromWhole<std::uint64_t>(from, to, or_null);
    case Kind::kFloat:
      return FromFloat(from, to, or_null);
    case Kind::kDecimal:
      return FromDecimal(from, to, or_null);
    case Kind::kText:
      return FromText(from, to, or_null);
    case Kind::kList: {
      Vector out = from;
      out.type = to;
      FIRN_TRY(Vector items, Cast(*from.lists().items, to->children[0].type, or_null));
      out.data = Lists{from.lists().ranges, std::make_shared<Vector>(std::move(items))};
      return out;
    }
    default:
      return Internal("no cast from " + from.type->ToString());
  }
}

}  // namespace firn::filter
