#include "lance/logical_type.h"

#include <array>
#include <charconv>
#include <vector>

namespace firn::lance {
namespace {

using arrow::TimeUnit;
using arrow::TypeId;

struct SimpleName {
  std::string_view name;
  TypeId id;
};
constexpr std::array kSimpleNames = {
    SimpleName{"null", TypeId::kNull},
    SimpleName{"bool", TypeId::kBool},
    SimpleName{"int8", TypeId::kInt8},
    SimpleName{"int16", TypeId::kInt16},
    SimpleName{"int32", TypeId::kInt32},
    SimpleName{"int64", TypeId::kInt64},
    SimpleName{"uint8", TypeId::kUInt8},
    SimpleName{"uint16", TypeId::kUInt16},
    SimpleName{"uint32", TypeId::kUInt32},
    SimpleName{"uint64", TypeId::kUInt64},
    SimpleName{"halffloat", TypeId::kFloat16},
    SimpleName{"float", TypeId::kFloat32},
    SimpleName{"double", TypeId::kFloat64},
    SimpleName{"string", TypeId::kUtf8},
    SimpleName{"large_string", TypeId::kLargeUtf8},
    SimpleName{"binary", TypeId::kBinary},
    SimpleName{"large_binary", TypeId::kLargeBinary},
    SimpleName{"date32:day", TypeId::kDate32},
    SimpleName{"date64:ms", TypeId::kDate64},
};
// Only read: Lance's extension types, which are stored as bytes.
constexpr std::array kStoredAsBytes = {std::string_view("json"), std::string_view("blob")};

// "fixed_size_list:fixed_size_list:float:4:3" is read recursively; no one nests deeper.
constexpr int kMaxFixedListDepth = 8;

std::string_view UnitName(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSecond:
      return "s";
    case TimeUnit::kMilli:
      return "ms";
    case TimeUnit::kMicro:
      return "us";
    case TimeUnit::kNano:
      return "ns";
  }
  return "";
}

std::optional<TimeUnit> UnitFrom(std::string_view name) {
  for (const TimeUnit unit : {TimeUnit::kSecond, TimeUnit::kMilli, TimeUnit::kMicro, TimeUnit::kNano}) {
    if (UnitName(unit) == name) return unit;
  }
  return std::nullopt;
}

std::optional<std::int32_t> NumberFrom(std::string_view text) {
  std::int32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool IsSecondOrMilli(TimeUnit unit) { return unit == TimeUnit::kSecond || unit == TimeUnit::kMilli; }

arrow::TypePtr FromLogical(std::string_view text, int depth);

// "fixed_size_list:{item}:{size}"; the item may hold colons itself.
arrow::TypePtr FixedSizeListFrom(std::string_view rest, int depth) {
  const std::size_t colon = rest.rfind(':');
  if (colon == std::string_view::npos || depth == 0) return nullptr;
  const auto size = NumberFrom(rest.substr(colon + 1));
  if (!size || *size <= 0) return nullptr;
  const std::string_view item_name = rest.substr(0, colon);
  const bool bfloat16 = item_name == "lance.bfloat16";
  const arrow::TypePtr item = bfloat16 ? arrow::FixedSizeBinary(2) : FromLogical(item_name, depth - 1);
  if (!item) return nullptr;
  return arrow::FixedSizeList(item, *size);
}

// "decimal:128:{precision}:{scale}"
arrow::TypePtr DecimalFrom(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const auto precision = NumberFrom(rest.substr(0, colon));
  const auto scale = NumberFrom(rest.substr(colon + 1));
  if (!precision || !scale || *precision < 1 || *precision > 38 || *scale < -128 || *scale > 127) return nullptr;
  return arrow::Decimal128(*precision, *scale);
}

// "timestamp:{unit}:{zone or -}"; zones like +05:30 hold a colon.
arrow::TypePtr TimestampFrom(std::string_view rest) {
  const std::size_t colon = rest.find(':');
  if (colon == std::string_view::npos) return nullptr;
  const auto unit = UnitFrom(rest.substr(0, colon));
  const std::string_view zone = rest.substr(colon + 1);
  if (!unit || zone.empty()) return nullptr;
  return arrow::Timestamp(*unit, zone == "-" ? std::string() : std::string(zone));
}

// "dict:{value}:{index}:{ordered}": the values matter, not how they are shared.
arrow::TypePtr DictionaryFrom(std::string_view rest, int depth) {
  const std::size_t ordered = rest.rfind(':');
  if (ordered == std::string_view::npos || depth == 0) return nullptr;
  const std::size_t index = rest.substr(0, ordered).rfind(':');
  if (index == std::string_view::npos) return nullptr;
  return FromLogical(rest.substr(0, index), depth - 1);
}

arrow::TypePtr FromLogical(std::string_view text, int depth) {
  for (const SimpleName& simple : kSimpleNames) {
    if (simple.name == text) return arrow::Simple(simple.id);
  }
  for (const std::string_view name : kStoredAsBytes) {
    if (name == text) return arrow::Simple(TypeId::kLargeBinary);
  }
  const auto after = [&](std::string_view prefix) -> std::optional<std::string_view> {
    if (!text.starts_with(prefix)) return std::nullopt;
    return text.substr(prefix.size());
  };
  if (const auto rest = after("fixed_size_list:")) return FixedSizeListFrom(*rest, depth);
  if (const auto rest = after("fixed_size_binary:")) {
    const auto size = NumberFrom(*rest);
    return size && *size > 0 ? arrow::FixedSizeBinary(*size) : nullptr;
  }
  if (const auto rest = after("decimal:128:")) return DecimalFrom(*rest);
  if (const auto rest = after("timestamp:")) return TimestampFrom(*rest);
  if (const auto rest = after("dict:")) return DictionaryFrom(*rest, depth);
  if (const auto rest = after("time32:")) {
    const auto unit = UnitFrom(*rest);
    return unit && IsSecondOrMilli(*unit) ? arrow::Time32(*unit) : nullptr;
  }
  if (const auto rest = after("time64:")) {
    const auto unit = UnitFrom(*rest);
    return unit && !IsSecondOrMilli(*unit) ? arrow::Time64(*unit) : nullptr;
  }
  if (const auto rest = after("duration:")) {
    const auto unit = UnitFrom(*rest);
    return unit ? arrow::DurationType(*unit) : nullptr;
  }
  return nullptr;
}

std::string Named(std::string_view prefix, std::string_view rest) { return std::string(prefix).append(rest); }

// Lance has fixed_size_lists of anything but lists; of structs too, which Firn does not know.
bool CanBeFixedListItem(const arrow::Type& item) {
  return item.id == TypeId::kFixedSizeList || arrow::BitWidth(item) > 0;
}

}  // namespace

Nesting NestingOf(std::string_view logical_type) {
  if (logical_type == "struct") return Nesting::kStruct;
  if (logical_type == "list" || logical_type == "list.struct") return Nesting::kList;
  if (logical_type == "large_list" || logical_type == "large_list.struct") return Nesting::kLargeList;
  return Nesting::kLeaf;
}

arrow::TypePtr LeafFromLogical(std::string_view logical_type) { return FromLogical(logical_type, kMaxFixedListDepth); }

std::optional<std::string> LogicalFromArrow(const arrow::Type& type) {
  for (const SimpleName& simple : kSimpleNames) {
    if (simple.id == type.id) return std::string(simple.name);
  }
  switch (type.id) {
    case TypeId::kDecimal128:
      return "decimal:128:" + std::to_string(type.precision) + ":" + std::to_string(type.scale);
    case TypeId::kTime32:
      return Named("time32:", UnitName(type.unit));
    case TypeId::kTime64:
      return Named("time64:", UnitName(type.unit));
    case TypeId::kDuration:
      return Named("duration:", UnitName(type.unit));
    case TypeId::kTimestamp:
      return Named("timestamp:", UnitName(type.unit)) + ":" + (type.timezone.empty() ? "-" : type.timezone);
    case TypeId::kFixedSizeBinary:
      if (type.list_size <= 0) return std::nullopt;
      return "fixed_size_binary:" + std::to_string(type.list_size);
    case TypeId::kFixedSizeList: {
      const arrow::Type& item = *type.children[0].type;
      if (type.list_size <= 0 || !CanBeFixedListItem(item)) return std::nullopt;
      const auto name = LogicalFromArrow(item);
      if (!name) return std::nullopt;
      return "fixed_size_list:" + *name + ":" + std::to_string(type.list_size);
    }
    case TypeId::kList:
      return type.children[0].type->id == TypeId::kStruct ? "list.struct" : "list";
    case TypeId::kLargeList:
      return type.children[0].type->id == TypeId::kStruct ? "large_list.struct" : "large_list";
    case TypeId::kStruct:
      return "struct";
    default:
      return std::nullopt;
  }
}

}  // namespace firn::lance
