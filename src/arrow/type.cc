#include "arrow/type.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace firn::arrow {
namespace {

/// What is fixed about an id: one row per TypeId, in its order.
struct TypeTraits {
  std::string_view name;
  std::int64_t bit_width;  // 0: not fixed, or it depends on the parameters
};

constexpr std::array kTraits = std::to_array<TypeTraits>({
    {"null", 0},
    {"bool", 1},
    {"int8", 8},
    {"int16", 16},
    {"int32", 32},
    {"int64", 64},
    {"uint8", 8},
    {"uint16", 16},
    {"uint32", 32},
    {"uint64", 64},
    {"float16", 16},
    {"float", 32},
    {"double", 64},
    {"decimal128", 128},
    {"date32", 32},
    {"date64", 64},
    {"time32", 32},
    {"time64", 64},
    {"timestamp", 64},
    {"duration", 64},
    {"utf8", 0},
    {"large_utf8", 0},
    {"binary", 0},
    {"large_binary", 0},
    {"fixed_size_binary", 0},
    {"list", 0},
    {"large_list", 0},
    {"fixed_size_list", 0},
    {"struct", 0},
});
static_assert(kTraits.size() == static_cast<std::size_t>(TypeId::kStruct) + 1);

const TypeTraits& TraitsOf(TypeId id) { return kTraits[static_cast<std::size_t>(id)]; }

std::string_view UnitName(TimeUnit unit) {
  static constexpr std::array<std::string_view, 4> kNames = {"s", "ms", "us", "ns"};
  return kNames[static_cast<std::size_t>(unit)];
}

/// Names that would not read back as one word stand in backticks.
std::string Quoted(std::string_view name) {
  const bool word =
      !name.empty() && std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  if (word) return std::string(name);
  return "`" + std::string(name) + "`";
}

std::string FieldType(const Field& field) { return field.type->ToString() + (field.nullable ? "" : " not null"); }

TypePtr WithUnit(TypeId id, TimeUnit unit) {
  Type type;
  type.id = id;
  type.unit = unit;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr ListLike(TypeId id, TypePtr item, std::int32_t size, bool item_nullable) {
  Type type;
  type.id = id;
  type.list_size = size;
  type.children.push_back({"item", std::move(item), item_nullable, {}});
  return std::make_shared<const Type>(std::move(type));
}

bool HasUnit(TypeId id) {
  return id == TypeId::kTime32 || id == TypeId::kTime64 || id == TypeId::kTimestamp || id == TypeId::kDuration;
}

}  // namespace

std::string Type::ToString() const {
  std::string text(TraitsOf(id).name);
  switch (id) {
    case TypeId::kTimestamp:
      text.append("[").append(UnitName(unit));
      if (!timezone.empty()) text.append(", ").append(timezone);
      return text + "]";
    case TypeId::kTime32:
    case TypeId::kTime64:
    case TypeId::kDuration:
      return text.append("[").append(UnitName(unit)) + "]";
    case TypeId::kDecimal128:
      return text + "(" + std::to_string(precision) + ", " + std::to_string(scale) + ")";
    case TypeId::kFixedSizeBinary:
      return text + "[" + std::to_string(list_size) + "]";
    case TypeId::kList:
    case TypeId::kLargeList:
      return text + "<" + FieldType(children[0]) + ">";
    case TypeId::kFixedSizeList:
      return text + "<" + FieldType(children[0]) + ">[" + std::to_string(list_size) + "]";
    case TypeId::kStruct: {
      text += "<";
      for (const Field& member : children) {
        if (&member != children.data()) text += ", ";
        text += Quoted(member.name) + ": " + FieldType(member);
      }
      return text + ">";
    }
    default:
      return text;
  }
}

TypePtr Simple(TypeId id) {
  Type type;
  type.id = id;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Timestamp(TimeUnit unit, std::string timezone) {
  Type type;
  type.id = TypeId::kTimestamp;
  type.unit = unit;
  type.timezone = std::move(timezone);
  return std::make_shared<const Type>(std::move(type));
}

TypePtr Time32(TimeUnit unit) { return WithUnit(TypeId::kTime32, unit); }
TypePtr Time64(TimeUnit unit) { return WithUnit(TypeId::kTime64, unit); }
TypePtr DurationType(TimeUnit unit) { return WithUnit(TypeId::kDuration, unit); }

TypePtr Decimal128(std::int32_t precision, std::int32_t scale) {
  Type type;
  type.id = TypeId::kDecimal128;
  type.precision = precision;
  type.scale = scale;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr FixedSizeBinary(std::int32_t bytes) {
  Type type;
  type.id = TypeId::kFixedSizeBinary;
  type.list_size = bytes;
  return std::make_shared<const Type>(std::move(type));
}

TypePtr List(TypePtr item, bool item_nullable) { return ListLike(TypeId::kList, std::move(item), 0, item_nullable); }
TypePtr LargeList(TypePtr item, bool item_nullable) {
  return ListLike(TypeId::kLargeList, std::move(item), 0, item_nullable);
}
TypePtr FixedSizeList(TypePtr item, std::int32_t size, bool item_nullable) {
  return ListLike(TypeId::kFixedSizeList, std::move(item), size, item_nullable);
}

TypePtr Struct(std::vector<Field> members) {
  Type type;
  type.id = TypeId::kStruct;
  type.children = std::move(members);
  return std::make_shared<const Type>(std::move(type));
}

bool Equal(const Type& a, const Type& b) {
  if (&a == &b) return true;
  if (a.id != b.id || a.list_size != b.list_size || a.children.size() != b.children.size()) return false;
  if (HasUnit(a.id) && a.unit != b.unit) return false;
  if (a.id == TypeId::kTimestamp && a.timezone != b.timezone) return false;
  if (a.id == TypeId::kDecimal128 && (a.precision != b.precision || a.scale != b.scale)) return false;
  for (std::size_t i = 0; i < a.children.size(); i++) {
    const Field& x = a.children[i];
    const Field& y = b.children[i];
    if (x.nullable != y.nullable || (a.id == TypeId::kStruct && x.name != y.name) || !Equal(*x.type, *y.type))
      return false;
  }
  return true;
}

std::int64_t BitWidth(const Type& type) {
  return type.id == TypeId::kFixedSizeBinary ? std::int64_t{8} * type.list_size : TraitsOf(type.id).bit_width;
}

bool IsInteger(TypeId id) { return id >= TypeId::kInt8 && id <= TypeId::kUInt64; }
bool IsSigned(TypeId id) { return id >= TypeId::kInt8 && id <= TypeId::kInt64; }
bool IsFloating(TypeId id) { return id >= TypeId::kFloat16 && id <= TypeId::kFloat64; }
bool IsVarBytes(TypeId id) { return id >= TypeId::kUtf8 && id <= TypeId::kLargeBinary; }
bool IsText(TypeId id) { return id == TypeId::kUtf8 || id == TypeId::kLargeUtf8; }
bool HasLargeOffsets(TypeId id) {
  return id == TypeId::kLargeUtf8 || id == TypeId::kLargeBinary || id == TypeId::kLargeList;
}

bool IsVector(const Type& type) {
  if (type.id != TypeId::kFixedSizeList || type.children.size() != 1) return false;
  const TypeId item = type.children[0].type->id;
  return IsFloating(item) || item == TypeId::kInt8 || item == TypeId::kUInt8;
}

std::optional<std::size_t> Schema::IndexOf(std::string_view name) const {
  for (std::size_t i = 0; i < fields.size(); i++) {
    if (fields[i].name == name) return i;
  }
  return std::nullopt;
}

std::string Schema::ToString() const {
  std::string text;
  for (const Field& field : fields) text += Quoted(field.name) + ": " + FieldType(field) + "\n";
  return text;
}

bool Equal(const Schema& a, const Schema& b) {
  return std::ranges::equal(a.fields, b.fields, [](const Field& x, const Field& y) {
    return x.name == y.name && x.nullable == y.nullable && Equal(*x.type, *y.type);
  });
}

}  // namespace firn::arrow
