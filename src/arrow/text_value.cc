#include "arrow/text_value.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <utility>

#include "arrow/iso_time.h"
#include "base/base64.h"

namespace firn::arrow {
namespace {

using Problem = std::optional<std::string>;
using Uint128 = unsigned __int128;

constexpr std::int64_t kMillisPerDay = 86'400'000;
constexpr std::size_t kMaxDecimalDigits = 38;

Problem DoesNotFit(std::string_view value, const Type& type) {
  return std::string(value) + " does not fit " + type.ToString();
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool EqualIgnoringCase(std::string_view a, std::string_view lower) {
  return std::ranges::equal(a, lower, [](char x, char y) { return (x >= 'A' && x <= 'Z' ? x + 32 : x) == y; });
}

Problem AppendIntegerText(Builder& to, std::string_view text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  if (const auto got = std::from_chars(text.data(), end, value); got.ec == std::errc() && got.ptr == end) {
    return AppendIntegerValue(to, value);
  }
  std::uint64_t large = 0;
  const auto got = std::from_chars(text.data(), end, large);
  if (got.ptr == end && got.ec == std::errc()) return AppendUnsignedValue(to, large);
  if (got.ptr == end && got.ec == std::errc::result_out_of_range) return DoesNotFit(text, to.type());
  return Quoted(text) + " is not an integer";
}

Problem AppendFloatingText(Builder& to, std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto got = std::from_chars(text.data(), end, value);
  if (got.ptr != end || got.ec == std::errc::invalid_argument || text.empty()) return Quoted(text) + " is not a number";
  if (got.ec == std::errc::result_out_of_range) return DoesNotFit(text, to.type());
  if (std::isfinite(value)) return AppendFloatingValue(to, value);
  to.AppendFloating(value);
  return {};
}

Problem AppendBoolText(Builder& to, std::string_view text) {
  const bool value = EqualIgnoringCase(text, "true");
  if (!value && !EqualIgnoringCase(text, "false")) return Quoted(text) + " is not true or false";
  to.AppendBool(value);
  return {};
}

Problem AppendDateText(Builder& to, std::string_view text) {
  const bool days_only = to.type().id == TypeId::kDate32;
  if (const auto days = ParseIsoDate(text)) {
    if (*days < INT32_MIN || *days > INT32_MAX) return DoesNotFit(text, to.type());
    to.AppendInteger(days_only ? *days : *days * kMillisPerDay);
    return {};
  }
  if (days_only) return Quoted(text) + " is not a date (YYYY-MM-DD)";
  const auto instant = ParseIsoInstant(text);
  if (!instant) return Quoted(text) + " is not an ISO 8601 date or date-time";
  const auto millis = InUnit(*instant, TimeUnit::kMilli);
  if (!millis) return DoesNotFit(text, to.type());
  to.AppendInteger(*millis);
  return {};
}

Problem AppendTimeText(Builder& to, std::string_view text) {
  const auto nanos = ParseIsoTime(text);
  if (!nanos) return Quoted(text) + " is not an ISO 8601 time (HH:MM:SS)";
  to.AppendInteger(*nanos / (1'000'000'000 / UnitsPerSecond(to.type().unit)));
  return {};
}

Problem AppendTimestampText(Builder& to, std::string_view text) {
  auto instant = ParseIsoInstant(text);
  if (!instant) {
    const auto days = ParseIsoDate(text);
    if (!days) return Quoted(text) + " is not an ISO 8601 date-time (2024-05-01T12:00:00Z)";
    instant = IsoInstant{*days * 86'400, 0, false};
  }
  const auto units = InUnit(*instant, to.type().unit);
  if (!units) return DoesNotFit(text, to.type());
  to.AppendInteger(*units);
  return {};
}

/// A decimal's digits without leading zeros, and where its point stands: value = digits * 10^exponent.
struct DecimalText {
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;
};

std::optional<DecimalText> SplitDecimal(std::string_view text) {
  DecimalText decimal;
  decimal.negative = text.starts_with('-');
  if (decimal.negative || text.starts_with('+')) text.remove_prefix(1);
  bool point = false;
  bool any = false;
  std::size_t i = 0;
  for (; i < text.size(); i++) {
    const char c = text[i];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      any = true;
      if (point) decimal.exponent--;
      if (c != '0' || !decimal.digits.empty()) decimal.digits += c;
    } else {
      break;
    }
  }
  if (!any) return std::nullopt;
  if (i == text.size()) return decimal;
  if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
  text.remove_prefix(i + 1);
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  std::int32_t exponent = 0;
  const auto got = std::from_chars(text.data(), text.data() + text.size(), exponent);
  if (got.ec != std::errc() || got.ptr != text.data() + text.size()) return std::nullopt;
  decimal.exponent += exponent;
  return decimal;
}

Problem AppendDecimalText(Builder& to, std::string_view text) {
  const Type& type = to.type();
  auto decimal = SplitDecimal(text);
  if (!decimal) return Quoted(text) + " is not a decimal number";
  Uint128 value = 0;
  if (!decimal->digits.empty()) {
    std::int64_t zeros = decimal->exponent + type.scale;
    for (; zeros < 0 && decimal->digits.ends_with('0'); zeros++) decimal->digits.pop_back();
    const std::size_t precision = std::min<std::size_t>(kMaxDecimalDigits, static_cast<std::size_t>(type.precision));
    if (zeros < 0 || zeros > 64 || decimal->digits.size() + static_cast<std::size_t>(zeros) > precision) {
      return DoesNotFit(Quoted(text), type);
    }
    for (const char c : decimal->digits) value = value * 10 + static_cast<unsigned>(c - '0');
    for (; zeros > 0; zeros--) value *= 10;
  }
  if (decimal->negative) value = ~value + 1;
  to.AppendFixed({reinterpret_cast<const std::uint8_t*>(&value), sizeof value});
  return {};
}

Problem AppendBinaryText(Builder& to, std::string_view text) {
  const auto bytes = ParseBase64(text);
  if (!bytes) return Quoted(text) + " is not base64, which binary columns are written in";
  if (to.type().id != TypeId::kFixedSizeBinary) {
    to.AppendBytes(AsChars(*bytes));
    return {};
  }
  if (bytes->size() != static_cast<std::size_t>(to.type().list_size)) {
    return std::to_string(bytes->size()) + " bytes where " + std::to_string(to.type().list_size) + " are wanted";
  }
  to.AppendFixed(*bytes);
  return {};
}

void AppendDecimal(std::string& out, ByteSpan bytes, std::int32_t scale) {
  auto value = LoadLe<Uint128>(bytes.data());
  const bool negative = (value >> 127) != 0;
  if (negative) value = ~value + 1;
  std::string digits;
  for (; value != 0; value /= 10) digits += static_cast<char>('0' + static_cast<int>(value % 10));
  if (digits.empty()) digits = "0";
  if (scale > 0 && digits.size() <= static_cast<std::size_t>(scale)) {
    digits.append(static_cast<std::size_t>(scale) + 1 - digits.size(), '0');
  }
  if (negative) out += '-';
  const std::size_t fraction = scale > 0 ? static_cast<std::size_t>(scale) : 0;
  out.append(digits.rbegin(), digits.rend() - static_cast<std::ptrdiff_t>(fraction));
  if (scale < 0 && digits != "0") out.append(static_cast<std::size_t>(-scale), '0');
  if (fraction == 0) return;
  out += '.';
  out.append(digits.rend() - static_cast<std::ptrdiff_t>(fraction), digits.rend());
}

template <class T>
bool Fits(std::int64_t value) {
  return value >= std::numeric_limits<T>::min() && value <= std::numeric_limits<T>::max();
}

}  // namespace

bool IsScalar(const Type& type) {
  switch (type.id) {
    case TypeId::kList:
    case TypeId::kLargeList:
    case TypeId::kFixedSizeList:
    case TypeId::kStruct:
      return false;
    default:
      return true;
  }
}

bool IsTextInJson(TypeId id) {
  switch (id) {
    case TypeId::kDecimal128:
    case TypeId::kDate32:
    case TypeId::kDate64:
    case TypeId::kTime32:
    case TypeId::kTime64:
    case TypeId::kTimestamp:
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
    case TypeId::kBinary:
    case TypeId::kLargeBinary:
    case TypeId::kFixedSizeBinary:
      return true;
    default:
      return false;
  }
}

Problem AppendTextValue(Builder& to, std::string_view text) {
  const TypeId id = to.type().id;
  if (IsText(id)) {
    to.AppendBytes(text);
    return {};
  }
  text = Trimmed(text);
  switch (id) {
    case TypeId::kBool:
      return AppendBoolText(to, text);
    case TypeId::kFloat16:
    case TypeId::kFloat32:
    case TypeId::kFloat64:
      return AppendFloatingText(to, text);
    case TypeId::kDate32:
    case TypeId::kDate64:
      return AppendDateText(to, text);
    case TypeId::kTime32:
    case TypeId::kTime64:
      return AppendTimeText(to, text);
    case TypeId::kTimestamp:
      return AppendTimestampText(to, text);
    case TypeId::kDecimal128:
      return AppendDecimalText(to, text);
    case TypeId::kBinary:
    case TypeId::kLargeBinary:
    case TypeId::kFixedSizeBinary:
      return AppendBinaryText(to, text);
    case TypeId::kNull:
      return Quoted(text) + " where only null is possible";
    default:
      return AppendIntegerText(to, text);
  }
}

Problem AppendIntegerValue(Builder& to, std::int64_t value) {
  bool fits = true;
  switch (to.type().id) {
    case TypeId::kInt8:
      fits = Fits<std::int8_t>(value);
      break;
    case TypeId::kInt16:
      fits = Fits<std::int16_t>(value);
      break;
    case TypeId::kInt32:
      fits = Fits<std::int32_t>(value);
      break;
    case TypeId::kUInt8:
      fits = Fits<std::uint8_t>(value);
      break;
    case TypeId::kUInt16:
      fits = Fits<std::uint16_t>(value);
      break;
    case TypeId::kUInt32:
      fits = Fits<std::uint32_t>(value);
      break;
    case TypeId::kUInt64:
      fits = value >= 0;
      break;
    default:
      break;
  }
  if (!fits) return DoesNotFit(std::to_string(value), to.type());
  to.AppendInteger(value);
  return {};
}

Problem AppendUnsignedValue(Builder& to, std::uint64_t value) {
  if (std::in_range<std::int64_t>(value)) return AppendIntegerValue(to, static_cast<std::int64_t>(value));
  if (to.type().id != TypeId::kUInt64) return DoesNotFit(std::to_string(value), to.type());
  to.Append(value);
  return {};
}

Problem AppendFloatingValue(Builder& to, double value) {
  // The largest finite value of each width, and half a unit in its last place: beyond that it would round to infinity.
  const bool fits = to.type().id == TypeId::kFloat64   ? true
                    : to.type().id == TypeId::kFloat32 ? std::isfinite(static_cast<float>(value))
                                                       : std::fabs(value) < 65'520.0;
  if (!fits) {
    char text[32];
    return DoesNotFit({text, std::to_chars(text, text + sizeof text, value).ptr}, to.type());
  }
  to.AppendFloating(value);
  return {};
}

void AppendValueText(std::string& out, const Array& array, std::int64_t row) {
  const Type& type = array.type();
  const auto index = static_cast<std::size_t>(row);
  const auto fixed = [&](std::size_t width) { return array.data().data.bytes().subspan(index * width, width); };
  switch (type.id) {
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
      out += array.BytesAt(row);
      return;
    case TypeId::kBinary:
    case TypeId::kLargeBinary:
      return AppendBase64(out, AsBytes(array.BytesAt(row)));
    case TypeId::kFixedSizeBinary:
      return AppendBase64(out, fixed(static_cast<std::size_t>(type.list_size)));
    case TypeId::kDecimal128:
      return AppendDecimal(out, fixed(16), type.scale);
    case TypeId::kDate32:
      return AppendIsoDate(out, array.Values<std::int32_t>()[index]);
    case TypeId::kDate64: {
      const std::int64_t millis = array.Values<std::int64_t>()[index];
      if (millis % kMillisPerDay == 0) return AppendIsoDate(out, millis / kMillisPerDay);
      return AppendIsoInstant(out, millis, TimeUnit::kMilli, false);
    }
    case TypeId::kTime32:
      return AppendIsoTime(out, array.Values<std::int32_t>()[index], type.unit);
    case TypeId::kTime64:
      return AppendIsoTime(out, array.Values<std::int64_t>()[index], type.unit);
    case TypeId::kTimestamp:
      return AppendIsoInstant(out, array.Values<std::int64_t>()[index], type.unit, !type.timezone.empty());
    default:
      return;
  }
}

std::string Quoted(std::string_view text) {
  constexpr std::size_t kShown = 40;
  if (text.size() <= kShown) return "\"" + std::string(text) + "\"";
  std::size_t cut = kShown;
  while (cut > 0 && (static_cast<unsigned char>(text[cut]) & 0xC0) == 0x80) cut--;  // not inside a character
  return "\"" + std::string(text.substr(0, cut)) + "...\"";
}

}  // namespace firn::arrow
