#pragma once
// Types and schemas: Arrow's logical types (arrow.apache.org/docs/format/Columnar.html), as values.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace firn::arrow {

enum class TypeId : std::uint8_t {
  kNull,
  kBool,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kUInt8,
  kUInt16,
  kUInt32,
  kUInt64,
  kFloat16,
  kFloat32,
  kFloat64,
  kDecimal128,  // precision, scale
  kDate32,      // days since 1970-01-01
  kDate64,      // milliseconds since 1970-01-01
  kTime32,      // seconds or milliseconds since midnight
  kTime64,      // microseconds or nanoseconds since midnight
  kTimestamp,   // int64 since 1970-01-01T00:00:00Z, unit, time zone
  kDuration,    // int64, unit
  kUtf8,
  kLargeUtf8,
  kBinary,
  kLargeBinary,      // 32- and 64-bit offsets
  kFixedSizeBinary,  // list_size = bytes a value
  kList,
  kLargeList,      // children[0] is the item
  kFixedSizeList,  // list_size items a value; children[0] is the item
  kStruct,         // children are the members
};

enum class TimeUnit : std::uint8_t { kSecond, kMilli, kMicro, kNano };

struct Type;
using TypePtr = std::shared_ptr<const Type>;
using Metadata = std::map<std::string, std::string>;

struct Field {
  std::string name;
  TypePtr type;
  bool nullable = true;
  Metadata metadata = {};
};

struct Type {
  TypeId id = TypeId::kNull;
  TimeUnit unit = TimeUnit::kMicro;  // times, timestamps, durations
  std::string timezone;              // timestamps; empty means none
  std::int32_t list_size = 0;        // FixedSizeList: items; FixedSizeBinary: bytes
  std::int32_t precision = 0;        // Decimal128
  std::int32_t scale = 0;
  std::vector<Field> children;

  /// As people write it: "int64", "timestamp[us, UTC]", "fixed_size_list<float>[384]", "struct<a: int64, b: utf8>".
  std::string ToString() const;
};

TypePtr Simple(TypeId id);  // a type that has no parameters
TypePtr Timestamp(TimeUnit unit, std::string timezone = {});
TypePtr Time32(TimeUnit unit);
TypePtr Time64(TimeUnit unit);
TypePtr DurationType(TimeUnit unit);
TypePtr Decimal128(std::int32_t precision, std::int32_t scale);
TypePtr FixedSizeBinary(std::int32_t bytes);
TypePtr List(TypePtr item, bool item_nullable = true);
TypePtr LargeList(TypePtr item, bool item_nullable = true);
TypePtr FixedSizeList(TypePtr item, std::int32_t size, bool item_nullable = true);
TypePtr Struct(std::vector<Field> members);

/// Same id and parameters, and equal children by name, type and nullability; metadata does not count, nor does the name
/// of a list's item (writers differ: "item", "element").
bool Equal(const Type& a, const Type& b);

/// Bits of one value in `ArrayData::data` for fixed-width types (1 for bool); 0 for every other type.
std::int64_t BitWidth(const Type& type);
bool IsInteger(TypeId id);
bool IsSigned(TypeId id);
bool IsFloating(TypeId id);
bool IsVarBytes(TypeId id);       // utf8, binary and their large forms
bool IsText(TypeId id);           // utf8, large_utf8
bool HasLargeOffsets(TypeId id);  // large_utf8, large_binary, large_list
/// FixedSizeList of f16, f32, f64, i8 or u8: what vector search runs on.
bool IsVector(const Type& type);

struct Schema {
  std::vector<Field> fields;
  Metadata metadata = {};

  std::optional<std::size_t> IndexOf(std::string_view name) const;
  /// One "name: type" a line.
  std::string ToString() const;
};
using SchemaPtr = std::shared_ptr<const Schema>;
bool Equal(const Schema& a, const Schema& b);

}  // namespace firn::arrow
