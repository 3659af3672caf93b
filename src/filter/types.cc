#include "filter/types.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

namespace firn::filter {
namespace {

using arrow::Simple;
using arrow::TimeUnit;
using arrow::Type;
using arrow::TypeId;
using arrow::TypePtr;

bool IsDate(const Type& t) { return t.id == TypeId::kDate32 || t.id == TypeId::kDate64; }
bool IsTime(const Type& t) { return t.id == TypeId::kTime32 || t.id == TypeId::kTime64; }
bool IsList(const Type& t) { return KindOf(t) == Kind::kList; }

/// The whole-number parameters in "NAME(1,2)"; empty when there are none or they are not small numbers.
std::vector<int> Parameters(std::string_view name) {
  std::vector<int> out;
  const std::size_t open = name.find('(');
  if (open == std::string_view::npos) return out;
  const char* at = name.data() + open + 1;
  const char* end = name.data() + name.find(')');
  while (at < end) {
    int value = 0;
    const auto [next, error] = std::from_chars(at, end, value);
    if (error != std::errc() || (next != end && *next != ',')) return {};
    out.push_back(value);
    at = next == end ? end : next + 1;
  }
  return out;
}

/// Digits before the point that an integer type may need.
std::int32_t DigitsOf(TypeId id) {
  switch (id) {
    case TypeId::kInt8:
    case TypeId::kUInt8:
      return 3;
    case TypeId::kInt16:
    case TypeId::kUInt16:
      return 5;
    case TypeId::kInt32:
    case TypeId::kUInt32:
      return 10;
    default:
      return 20;
  }
}

TypePtr DecimalOf(const Type& t) {
  return t.id == TypeId::kDecimal128 ? arrow::Decimal128(t.precision, t.scale) : arrow::Decimal128(DigitsOf(t.id), 0);
}

TypePtr CommonDecimal(const Type& a, const Type& b) {
  const TypePtr x = DecimalOf(a);
  const TypePtr y = DecimalOf(b);
  const std::int32_t scale = std::max(x->scale, y->scale);
  const std::int32_t whole = std::max(x->precision - x->scale, y->precision - y->scale);
  return arrow::Decimal128(std::min<std::int32_t>(38, whole + scale), scale);
}

TypePtr CommonNumber(const TypePtr& a, const TypePtr& b) {
  if (arrow::IsFloating(a->id) || arrow::IsFloating(b->id)) return Float64();
  if (a->id == TypeId::kDecimal128 || b->id == TypeId::kDecimal128) return CommonDecimal(*a, *b);
  const bool a_wide = a->id == TypeId::kUInt64;
  const bool b_wide = b->id == TypeId::kUInt64;
  if (!a_wide && !b_wide) return Int64();
  if ((a_wide || !arrow::IsSigned(a->id)) && (b_wide || !arrow::IsSigned(b->id))) return Simple(TypeId::kUInt64);
  return arrow::Decimal128(20, 0);
}

TimeUnit Finer(TimeUnit a, TimeUnit b) { return std::max(a, b); }

}  // namespace

bool IsNumeric(const Type& type) {
  return arrow::IsInteger(type.id) || arrow::IsFloating(type.id) || type.id == TypeId::kDecimal128;
}
bool IsTextual(const Type& type) { return arrow::IsText(type.id); }
bool IsBinary(const Type& type) { return KindOf(type) == Kind::kText && !IsTextual(type); }
bool IsTemporal(const Type& type) { return IsDate(type) || type.id == TypeId::kTimestamp; }

Result<TypePtr> TypeByName(std::string_view name) {
  const std::vector<int> parameters = Parameters(name);
  std::string base(name.substr(0, name.find('(')));
  const bool has_parameters = name.find('(') != std::string_view::npos;
  if (name.ends_with(" UNSIGNED") && has_parameters) base += " UNSIGNED";

  static constexpr std::array<std::pair<std::string_view, TypeId>, 42> kNames = {{
      {"TINYINT", TypeId::kInt8},
      {"INT8", TypeId::kInt8},
      {"SMALLINT", TypeId::kInt16},
      {"INT16", TypeId::kInt16},
      {"INT", TypeId::kInt32},
      {"INTEGER", TypeId::kInt32},
      {"INT32", TypeId::kInt32},
      {"INT4", TypeId::kInt32},
      {"BIGINT", TypeId::kInt64},
      {"INT64", TypeId::kInt64},
      {"LONG", TypeId::kInt64},
      {"TINYINT UNSIGNED", TypeId::kUInt8},
      {"UINT8", TypeId::kUInt8},
      {"SMALLINT UNSIGNED", TypeId::kUInt16},
      {"UINT16", TypeId::kUInt16},
      {"INT UNSIGNED", TypeId::kUInt32},
      {"INTEGER UNSIGNED", TypeId::kUInt32},
      {"UINT32", TypeId::kUInt32},
      {"BIGINT UNSIGNED", TypeId::kUInt64},
      {"UINT64", TypeId::kUInt64},
      {"FLOAT16", TypeId::kFloat16},
      {"FLOAT", TypeId::kFloat32},
      {"REAL", TypeId::kFloat32},
      {"FLOAT32", TypeId::kFloat32},
      {"FLOAT4", TypeId::kFloat32},
      {"DOUBLE", TypeId::kFloat64},
      {"FLOAT64", TypeId::kFloat64},
      {"FLOAT8", TypeId::kFloat64},
      {"BOOLEAN", TypeId::kBool},
      {"BOOL", TypeId::kBool},
      {"STRING", TypeId::kUtf8},
      {"VARCHAR", TypeId::kUtf8},
      {"TEXT", TypeId::kUtf8},
      {"CHAR", TypeId::kUtf8},
      {"UTF8", TypeId::kUtf8},
      {"BINARY", TypeId::kBinary},
      {"BYTEA", TypeId::kBinary},
      {"VARBINARY", TypeId::kBinary},
      {"BLOB", TypeId::kBinary},
      {"DATE", TypeId::kDate32},
      {"DATE32", TypeId::kDate32},
      {"DATE64", TypeId::kDate64},
  }};
  const bool text = base == "VARCHAR" || base == "CHAR";  // a length may stand there; it does not cut
  if (!has_parameters || (text && parameters.size() == 1)) {
    for (const auto& [known, id] : kNames) {
      if (known == base) return Simple(id);
    }
  }
  if (base == "TIMESTAMP" || base == "DATETIME") {
    if (!has_parameters) return arrow::Timestamp(TimeUnit::kMicro);
    if (parameters == std::vector<int>{0}) return arrow::Timestamp(TimeUnit::kSecond);
    if (parameters == std::vector<int>{3}) return arrow::Timestamp(TimeUnit::kMilli);
    if (parameters == std::vector<int>{6}) return arrow::Timestamp(TimeUnit::kMicro);
    if (parameters == std::vector<int>{9}) return arrow::Timestamp(TimeUnit::kNano);
    return InvalidArgument("TIMESTAMP takes 0, 3, 6 or 9 digits");
  }
  if (base == "TIME" && !has_parameters) return arrow::Time64(TimeUnit::kNano);
  if (base == "DECIMAL" || base == "NUMERIC") {
    if (!has_parameters) return arrow::Decimal128(38, 10);
    const bool good = (parameters.size() == 1 || parameters.size() == 2) && parameters[0] >= 1 && parameters[0] <= 38 &&
                      (parameters.size() == 1 || (parameters[1] >= 0 && parameters[1] <= parameters[0]));
    if (!good) return InvalidArgument("DECIMAL takes 1 to 38 digits, and of them behind the point at most as many");
    return arrow::Decimal128(parameters[0], parameters.size() == 2 ? parameters[1] : 0);
  }
  return InvalidArgument(
      "unknown type " + std::string(name),
      "types are TINYINT, SMALLINT, INT, BIGINT (and UNSIGNED), FLOAT, DOUBLE, DECIMAL(p,s), BOOLEAN, STRING, BINARY, "
      "DATE, TIME, TIMESTAMP, TIMESTAMP(0|3|6|9)");
}

std::optional<TypePtr> CommonType(const TypePtr& a, const TypePtr& b) {
  if (a->id == TypeId::kNull) return b;
  if (b->id == TypeId::kNull) return a;
  if (IsNumeric(*a) && IsNumeric(*b)) {
    return arrow::Equal(*a, *b) ? a : CommonNumber(a, b);
  }
  if (IsTextual(*a) && IsTextual(*b)) return a;
  if (IsBinary(*a) && IsBinary(*b)) return a;
  if (IsTemporal(*a) && IsTemporal(*b)) {
    if (a->id == b->id && IsDate(*a)) return a;
    if (IsDate(*a) && IsDate(*b)) return Simple(TypeId::kDate64);
    if (IsDate(*a)) return b;
    if (IsDate(*b)) return a;
    return a->unit >= b->unit ? a : b;
  }
  if (IsTime(*a) && IsTime(*b)) return Finer(a->unit, b->unit) == a->unit ? a : b;
  if (IsList(*a) && IsList(*b)) {
    const auto item = CommonType(a->children[0].type, b->children[0].type);
    if (!item) return std::nullopt;
    return arrow::Equal(*a->children[0].type, **item) ? a : arrow::List(*item);
  }
  if (a->id == b->id && (a->id == TypeId::kBool || a->id == TypeId::kDuration)) return a->unit >= b->unit ? a : b;
  return std::nullopt;
}

std::optional<TypePtr> ArithmeticType(const TypePtr& a, const TypePtr& b) {
  if (a->id == TypeId::kNull && b->id == TypeId::kNull) return Int64();
  if (a->id == TypeId::kNull) return ArithmeticType(b, b);
  if (b->id == TypeId::kNull) return ArithmeticType(a, a);
  if (!IsNumeric(*a) || !IsNumeric(*b)) return std::nullopt;
  if (!arrow::IsInteger(a->id) || !arrow::IsInteger(b->id)) {
    const bool single = a->id == TypeId::kFloat32 && b->id == TypeId::kFloat32;
    return single ? a : CommonNumber(a, b);
  }
  if (a->id == b->id) return a;
  const std::int64_t a_bits = arrow::BitWidth(*a);
  const std::int64_t b_bits = arrow::BitWidth(*b);
  if (arrow::IsSigned(a->id) == arrow::IsSigned(b->id)) return a_bits >= b_bits ? a : b;
  const TypePtr& is_signed = arrow::IsSigned(a->id) ? a : b;
  const std::int64_t unsigned_bits = arrow::IsSigned(a->id) ? b_bits : a_bits;
  if (unsigned_bits == 64) return arrow::Decimal128(20, 0);
  if (arrow::BitWidth(*is_signed) > unsigned_bits) return is_signed;
  return Simple(unsigned_bits == 8 ? TypeId::kInt16 : unsigned_bits == 16 ? TypeId::kInt32 : TypeId::kInt64);
}

}  // namespace firn::filter
