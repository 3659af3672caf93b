#include "table/conform.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <set>

#include "arrow/builder.h"
#include "table/table.h"

namespace firn::table {
namespace {

using arrow::Array;
using arrow::TypeId;

std::string RowText(std::uint64_t row) { return "row " + std::to_string(row); }

/// Where a value stands, for errors.
struct Place {
  const std::string& column;
  std::uint64_t first_row;
};

Error Clash(const Place& place, const arrow::Type& from, const arrow::Type& to) {
  return InvalidArgument(
      "column \"" + place.column + "\" is " + to.ToString() + ", the new rows have " + from.ToString(),
      "Convert the data, or load it into a table of its own");
}

/// Any integer, date, time or timestamp value, widened; unsigned 64-bit values beyond int64 are an error of the
/// caller's range check.
std::int64_t IntegerAt(const Array& array, std::int64_t i, bool& beyond) {
  switch (array.type().id) {
    case TypeId::kInt8:
      return array.Values<std::int8_t>()[i];
    case TypeId::kInt16:
      return array.Values<std::int16_t>()[i];
    case TypeId::kInt32:
    case TypeId::kDate32:
    case TypeId::kTime32:
      return array.Values<std::int32_t>()[i];
    case TypeId::kUInt8:
      return array.Values<std::uint8_t>()[i];
    case TypeId::kUInt16:
      return array.Values<std::uint16_t>()[i];
    case TypeId::kUInt32:
      return array.Values<std::uint32_t>()[i];
    case TypeId::kUInt64: {
      const std::uint64_t value = array.Values<std::uint64_t>()[i];
      beyond = value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      return static_cast<std::int64_t>(value);
    }
    default:
      return array.Values<std::int64_t>()[i];
  }
}

struct IntegerRange {
  std::int64_t low;
  std::int64_t high;
};

IntegerRange RangeOf(TypeId id) {
  switch (id) {
    case TypeId::kInt8:
      return {-128, 127};
    case TypeId::kInt16:
      return {-32768, 32767};
    case TypeId::kInt32:
      return {std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()};
    case TypeId::kUInt8:
      return {0, 255};
    case TypeId::kUInt16:
      return {0, 65535};
    case TypeId::kUInt32:
      return {0, std::numeric_limits<std::uint32_t>::max()};
    case TypeId::kUInt64:
      return {0, std::numeric_limits<std::int64_t>::max()};
    default:
      return {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()};
  }
}

double FloatingAt(const Array& array, std::int64_t i) {
  switch (array.type().id) {
    case TypeId::kFloat16:
      return arrow::HalfToFloat(array.Values<std::uint16_t>()[i]);
    case TypeId::kFloat32:
      return array.Values<float>()[i];
    default:
      return array.Values<double>()[i];
  }
}

Result<Array> ConformIntegers(const Array& array, const arrow::TypePtr& type, const Place& place) {
  const IntegerRange range = RangeOf(type->id);
  arrow::Builder builder(type);
  for (std::int64_t i = 0; i < array.length(); i++) {
    if (array.IsNull(i)) {
      builder.AppendNull();
      continue;
    }
    bool beyond = false;
    const std::int64_t value = IntegerAt(array, i, beyond);
    if (beyond || value < range.low || value > range.high) {
      return InvalidArgument(
          RowText(place.first_row + static_cast<std::uint64_t>(i)) + ", column \"" + place.column +
          "\": " + (beyond ? std::to_string(static_cast<std::uint64_t>(value)) : std::to_string(value)) +
          " does not fit " + type->ToString());
    }
    builder.AppendInteger(value);
  }
  return builder.Finish();
}

Result<Array> ConformFloats(const Array& array, const arrow::TypePtr& type, const Place& place) {
  const bool from_integer = arrow::IsInteger(array.type().id);
  arrow::Builder builder(type);
  for (std::int64_t i = 0; i < array.length(); i++) {
    if (array.IsNull(i)) {
      builder.AppendNull();
      continue;
    }
    bool beyond = false;
    double value = 0;
    if (from_integer) {
      const std::int64_t integer = IntegerAt(array, i, beyond);
      value = beyond ? static_cast<double>(static_cast<std::uint64_t>(integer)) : static_cast<double>(integer);
    } else {
      value = FloatingAt(array, i);
    }
    const double most = type->id == TypeId::kFloat16   ? 65504.0
                        : type->id == TypeId::kFloat32 ? static_cast<double>(std::numeric_limits<float>::max())
                                                       : std::numeric_limits<double>::max();
    if (std::isfinite(value) && std::abs(value) > most) {
      return InvalidArgument(RowText(place.first_row + static_cast<std::uint64_t>(i)) + ", column \"" + place.column +
                             "\": a value is too large for " + type->ToString());
    }
    builder.AppendFloating(value);
  }
  return builder.Finish();
}

std::int64_t TicksPerSecond(arrow::TimeUnit unit) {
  switch (unit) {
    case arrow::TimeUnit::kSecond:
      return 1;
    case arrow::TimeUnit::kMilli:
      return 1'000;
    case arrow::TimeUnit::kMicro:
      return 1'000'000;
    case arrow::TimeUnit::kNano:
      break;
  }
  return 1'000'000'000;
}

Result<Array> ConformTimestamps(const Array& array, const arrow::TypePtr& type, const Place& place) {
  const std::int64_t from = TicksPerSecond(array.type().unit);
  const std::int64_t to = TicksPerSecond(type->unit);
  arrow::Builder builder(type);
  for (std::int64_t i = 0; i < array.length(); i++) {
    if (array.IsNull(i)) {
      builder.AppendNull();
      continue;
    }
    std::int64_t value = array.Values<std::int64_t>()[i];
    const bool fits = to >= from ? !__builtin_mul_overflow(value, to / from, &value) : value % (from / to) == 0;
    if (!fits) {
      return InvalidArgument(RowText(place.first_row + static_cast<std::uint64_t>(i)) + ", column \"" + place.column +
                             "\": the timestamp does not fit " + type->ToString() + " exactly");
    }
    builder.AppendInteger(to >= from ? value : value / (from / to));
  }
  return builder.Finish();
}

Result<Array> ConformBytes(const Array& array, const arrow::TypePtr& type) {
  arrow::Builder builder(type);
  for (std::int64_t i = 0; i < array.length(); i++) {
    if (array.IsNull(i)) {
      builder.AppendNull();
    } else {
      builder.AppendBytes(array.BytesAt(i));
    }
  }
  return builder.Finish();
}

Result<Array> ConformArray(const Array& array, const arrow::Field& target, const Place& place);

bool IsList(TypeId id) { return id == TypeId::kList || id == TypeId::kLargeList || id == TypeId::kFixedSizeList; }

/// The array's own validity over a new type, data and children.
Array WithChildren(const Array& array, const arrow::TypePtr& type, Buffer data, std::vector<Array> children) {
  arrow::ArrayData made;
  made.type = type;
  made.length = array.length();
  made.null_count = array.null_count();
  made.validity = array.data().validity;
  made.data = std::move(data);
  made.children = std::move(children);
  return Array(std::move(made));
}

/// Lists of any kind to a fixed-size list: every value must have exactly its length.
Result<Array> ConformToVector(const Array& array, const arrow::TypePtr& type, const Place& place) {
  std::vector<std::int64_t> items;
  const auto size = static_cast<std::int64_t>(type->list_size);
  for (std::int64_t i = 0; i < array.length(); i++) {
    if (array.IsNull(i)) {
      items.insert(items.end(), static_cast<std::size_t>(size), -1);
      continue;
    }
    const auto [begin, end] = array.ItemsAt(i);
    if (end - begin != size) {
      return InvalidArgument(RowText(place.first_row + static_cast<std::uint64_t>(i)) + ", column \"" + place.column +
                                 "\": a vector of " + std::to_string(end - begin) + " values where the table has " +
                                 std::to_string(size),
                             "All vectors of a column have the same dimension");
    }
    for (std::int64_t item = begin; item < end; item++) items.push_back(item);
  }
  FIRN_TRY(const Array converted, ConformArray(array.child(0), type->children[0], place));
  Array gathered;
  if (array.null_count() == 0 && array.type().id == TypeId::kFixedSizeList) {
    gathered = converted;
  } else {
    // Items under a null vector are zeros.
    arrow::Builder builder(type->children[0].type);
    const Array zeros = [&] {
      arrow::Builder zero(type->children[0].type);
      if (arrow::IsFloating(zero.type().id)) {
        zero.AppendFloating(0);
      } else {
        zero.AppendNull();
      }
      return zero.Finish();
    }();
    for (const std::int64_t item : items) {
      if (item < 0) {
        builder.AppendFrom(zeros, 0);
      } else {
        builder.AppendFrom(converted, item);
      }
    }
    gathered = builder.Finish();
  }
  return WithChildren(array, type, {}, {std::move(gathered)});
}

Result<Array> ConformList(const Array& array, const arrow::TypePtr& type, const Place& place) {
  if (!IsList(array.type().id)) return Clash(place, array.type(), *type);
  if (type->id == TypeId::kFixedSizeList) return ConformToVector(array, type, place);
  FIRN_TRY(Array items, ConformArray(array.child(0), type->children[0], place));
  const auto offsets = [&]<class T>(T) {
    std::vector<T> values;
    values.reserve(static_cast<std::size_t>(array.length()) + 1);
    // Lists lie one after the other, so each begins where the one before ended.
    values.push_back(array.length() == 0 ? 0 : static_cast<T>(array.ItemsAt(0).begin));
    for (std::int64_t i = 0; i < array.length(); i++) values.push_back(static_cast<T>(array.ItemsAt(i).end));
    return Buffer::OfValues(std::move(values));
  };
  if (type->id == TypeId::kLargeList) return WithChildren(array, type, offsets(std::int64_t{}), {std::move(items)});
  if (items.length() > std::numeric_limits<std::int32_t>::max()) {
    return InvalidArgument("column \"" + place.column + "\": too many list items in one batch", "Send smaller batches");
  }
  return WithChildren(array, type, offsets(std::int32_t{}), {std::move(items)});
}

Result<Array> ConformStruct(const Array& array, const arrow::TypePtr& type, const Place& place) {
  if (array.type().id != TypeId::kStruct) return Clash(place, array.type(), *type);
  std::vector<Array> members;
  for (const arrow::Field& wanted : type->children) {
    const auto& given = array.type().children;
    const auto found = std::ranges::find(given, wanted.name, &arrow::Field::name);
    if (found == given.end()) {
      if (!wanted.nullable)
        return InvalidArgument("column \"" + place.column + "\" lacks the member \"" + wanted.name + "\"");
      members.push_back(arrow::Nulls(wanted.type, array.length()));
      continue;
    }
    FIRN_TRY(Array member, ConformArray(array.child(static_cast<std::size_t>(found - given.begin())), wanted, place));
    members.push_back(std::move(member));
  }
  for (const arrow::Field& given : array.type().children) {
    if (std::ranges::find(type->children, given.name, &arrow::Field::name) == type->children.end()) {
      return InvalidArgument("column \"" + place.column + "\" has no member \"" + given.name + "\"");
    }
  }
  return WithChildren(array, type, {}, std::move(members));
}

Result<Array> ConformValues(const Array& array, const arrow::TypePtr& type, const Place& place) {
  const TypeId from = array.type().id;
  const TypeId to = type->id;
  if (arrow::Equal(array.type(), *type)) return array;
  if (from == TypeId::kNull) return arrow::Nulls(type, array.length());
  if (arrow::IsInteger(from) && arrow::IsInteger(to)) return ConformIntegers(array, type, place);
  if ((arrow::IsInteger(from) || arrow::IsFloating(from)) && arrow::IsFloating(to))
    return ConformFloats(array, type, place);
  if (arrow::IsVarBytes(from) && arrow::IsVarBytes(to) && arrow::IsText(from) == arrow::IsText(to))
    return ConformBytes(array, type);
  if (from == TypeId::kTimestamp && to == TypeId::kTimestamp &&
      array.type().timezone.empty() == type->timezone.empty()) {
    return ConformTimestamps(array, type, place);
  }
  if (to == TypeId::kStruct) return ConformStruct(array, type, place);
  if (IsList(to)) return ConformList(array, type, place);
  return Clash(place, array.type(), *type);
}

Result<Array> ConformArray(const Array& array, const arrow::Field& target, const Place& place) {
  return ConformValues(array, target.type, place);
}

/// The first item that is NaN or infinite, or -1. Such a value has all exponent bits set.
template <class Bits>
std::int64_t FirstNonFinite(std::span<const Bits> values, Bits exponent) {
  constexpr std::size_t kBlock = 4096;  // one flag per block lets the compiler vectorise the common case
  for (std::size_t begin = 0; begin < values.size(); begin += kBlock) {
    const auto block = values.subspan(begin, std::min(kBlock, values.size() - begin));
    Bits highest = 0;
    for (const Bits value : block) highest = std::max(highest, static_cast<Bits>(value & exponent));
    if (highest != exponent) continue;
    for (std::size_t i = 0; i < block.size(); i++) {
      if ((block[i] & exponent) == exponent) return static_cast<std::int64_t>(begin + i);
    }
  }
  return -1;
}

std::int64_t FirstNonFinite(const Array& items) {
  switch (items.type().id) {
    case TypeId::kFloat16:
      return FirstNonFinite<std::uint16_t>(items.Values<std::uint16_t>(), 0x7C00);
    case TypeId::kFloat32:
      return FirstNonFinite<std::uint32_t>(items.Values<std::uint32_t>(), 0x7F800000U);
    case TypeId::kFloat64:
      return FirstNonFinite<std::uint64_t>(items.Values<std::uint64_t>(), 0x7FF0000000000000ULL);
    default:
      return -1;
  }
}

}  // namespace

Result<arrow::RecordBatch> Conform(const arrow::RecordBatch& batch, const arrow::SchemaPtr& schema,
                                   std::uint64_t first_row) {
  for (const arrow::Field& given : batch.schema->fields) {
    if (!schema->IndexOf(given.name)) {
      std::string known;
      for (const arrow::Field& field : schema->fields) known += (known.empty() ? "" : ", ") + field.name;
      return InvalidArgument("the table has no column \"" + given.name + "\"", "Its columns are: " + known);
    }
  }
  arrow::RecordBatch fitted{schema, {}, batch.rows};
  for (const arrow::Field& field : schema->fields) {
    const Place place{field.name, first_row};
    const arrow::Array* given = batch.Column(field.name);
    if (given == nullptr) {
      if (!field.nullable)
        return InvalidArgument("the new rows lack column \"" + field.name + "\", which is not nullable");
      fitted.columns.push_back(arrow::Nulls(field.type, batch.rows));
      continue;
    }
    FIRN_TRY(arrow::Array column, ConformArray(*given, field, place));
    if (!field.nullable && column.null_count() > 0) {
      std::int64_t row = 0;
      while (!column.IsNull(row)) row++;
      return InvalidArgument(RowText(first_row + static_cast<std::uint64_t>(row)) + ", column \"" + field.name +
                             "\": null in a column that is not nullable");
    }
    fitted.columns.push_back(std::move(column));
  }
  return fitted;
}

Status CheckVectorsFinite(const arrow::RecordBatch& batch, std::uint64_t first_row) {
  for (std::size_t c = 0; c < batch.columns.size(); c++) {
    const arrow::Array& column = batch.columns[c];
    if (!arrow::IsVector(column.type()) || column.length() == 0) continue;
    std::int64_t begin = 0;
    const arrow::Array& items = column.child(0);
    while (begin < items.length()) {
      const std::int64_t found = FirstNonFinite(begin == 0 ? items : items.Slice(begin, items.length() - begin));
      if (found < 0) break;
      const std::int64_t row = (begin + found) / column.type().list_size;
      if (!column.IsNull(row)) {
        return InvalidArgument(RowText(first_row + static_cast<std::uint64_t>(row)) + ", column \"" +
                                   batch.schema->fields[c].name + "\": the vector holds NaN or an infinity",
                               "Distances to such a vector mean nothing; leave the row out or make the vector null");
      }
      begin = (row + 1) * column.type().list_size;
    }
  }
  return {};
}

Status CheckTableSchema(const arrow::Schema& schema) {
  if (schema.fields.empty()) return InvalidArgument("a table needs at least one column", "Give rows, or a schema");
  if (schema.fields.size() > kMaxColumns) {
    return InvalidArgument(std::to_string(schema.fields.size()) + " columns are more than a table may have (" +
                           std::to_string(kMaxColumns) + ")");
  }
  std::set<std::string_view> seen;
  for (const arrow::Field& field : schema.fields) {
    if (field.name.empty()) return InvalidArgument("a column has an empty name");
    if (!seen.insert(field.name).second)
      return InvalidArgument("column \"" + field.name + "\" stands twice in the schema");
    if (field.name == kRowAddressColumn || field.name == kDistanceColumn || field.name == "_rowaddr" ||
        field.name == "_score") {
      return InvalidArgument("column name \"" + field.name + "\" is reserved for search results", "Rename the column");
    }
    if (field.type->id == TypeId::kFixedSizeList &&
        (field.type->list_size < 1 || field.type->list_size > kMaxDimension)) {
      return InvalidArgument("column \"" + field.name + "\" has dimension " + std::to_string(field.type->list_size),
                             "Between 1 and " + std::to_string(kMaxDimension) + " is possible");
    }
  }
  return {};
}

}  // namespace firn::table
