#include "arrow/json_writer.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "arrow/text_value.h"
#include "base/json_string.h"

namespace firn::arrow {
namespace {

constexpr std::int32_t kMaxNumberPrecision = 15;
// The longest shortest text of a double, with a sign and an exponent, is 24 characters.
constexpr std::size_t kNumberRoom = 32;

template <class T>
void AppendInteger(std::string& out, const Array& array, std::size_t row) {
  char text[kNumberRoom];
  out.append(text, std::to_chars(text, text + sizeof text, array.Values<T>()[row]).ptr);
}

/// Writes `value` at `to`, which has kNumberRoom; returns the end.
template <class T>
char* WriteFloat(char* to, T value, bool keep_point) {
  if (!std::isfinite(value)) {
    std::memcpy(to, "null", 4);
    return to + 4;
  }
  char* end = std::to_chars(to, to + kNumberRoom, value).ptr;
  // A float stays one when it is read again; and an integer zero has no sign.
  if (keep_point || (value == 0 && std::signbit(value))) {
    if (std::string_view(to, static_cast<std::size_t>(end - to)).find_first_of(".e") == std::string_view::npos) {
      *end++ = '.';
      *end++ = '0';
    }
  }
  return end;
}

float ToFloat(std::uint16_t half) { return HalfToFloat(half); }
float ToFloat(float value) { return value; }
double ToFloat(double value) { return value; }

template <class T>
void AppendFloat(std::string& out, const Array& array, std::size_t row) {
  char text[kNumberRoom];
  out.append(text, WriteFloat(text, ToFloat(array.Values<T>()[row]), true));
}

/// A vector's items: straight into the string's memory, as a reply holds little else.
template <class T>
void AppendFloats(std::string& out, std::span<const T> items) {
  const std::size_t before = out.size();
  out.resize(before + items.size() * (kNumberRoom + 1));
  char* to = out.data() + before;
  for (const T item : items) {
    to = WriteFloat(to, ToFloat(item), false);
    *to++ = ',';
  }
  out.resize(static_cast<std::size_t>(to - out.data()) - (items.empty() ? 0 : 1));
}

void AppendItems(std::string& out, const Array& items, std::int64_t begin, std::int64_t end) {
  const auto first = static_cast<std::size_t>(begin);
  const auto count = static_cast<std::size_t>(end - begin);
  if (items.null_count() == 0) {
    switch (items.type().id) {
      case TypeId::kFloat16:
        return AppendFloats(out, items.Values<std::uint16_t>().subspan(first, count));
      case TypeId::kFloat32:
        return AppendFloats(out, items.Values<float>().subspan(first, count));
      case TypeId::kFloat64:
        return AppendFloats(out, items.Values<double>().subspan(first, count));
      default:
        break;
    }
  }
  for (std::int64_t i = begin; i < end; i++) {
    if (i > begin) out += ',';
    AppendJsonValue(out, items, i);
  }
}

void AppendStruct(std::string& out, const Array& array, std::int64_t row) {
  out += '{';
  const auto& members = array.type().children;
  for (std::size_t i = 0; i < members.size(); i++) {
    if (i > 0) out += ',';
    AppendJsonString(out, members[i].name);
    out += ':';
    AppendJsonValue(out, array.child(i), row);
  }
  out += '}';
}

}  // namespace

void AppendJsonValue(std::string& out, const Array& array, std::int64_t row) {
  if (array.IsNull(row)) {
    out += "null";
    return;
  }
  const auto index = static_cast<std::size_t>(row);
  switch (array.type().id) {
    case TypeId::kNull:
      return;  // always null
    case TypeId::kBool:
      out += array.BoolAt(row) ? "true" : "false";
      return;
    case TypeId::kInt8:
      return AppendInteger<std::int8_t>(out, array, index);
    case TypeId::kInt16:
      return AppendInteger<std::int16_t>(out, array, index);
    case TypeId::kInt32:
      return AppendInteger<std::int32_t>(out, array, index);
    case TypeId::kInt64:
    case TypeId::kDuration:
      return AppendInteger<std::int64_t>(out, array, index);
    case TypeId::kUInt8:
      return AppendInteger<std::uint8_t>(out, array, index);
    case TypeId::kUInt16:
      return AppendInteger<std::uint16_t>(out, array, index);
    case TypeId::kUInt32:
      return AppendInteger<std::uint32_t>(out, array, index);
    case TypeId::kUInt64:
      return AppendInteger<std::uint64_t>(out, array, index);
    case TypeId::kFloat16:
      return AppendFloat<std::uint16_t>(out, array, index);
    case TypeId::kFloat32:
      return AppendFloat<float>(out, array, index);
    case TypeId::kFloat64:
      return AppendFloat<double>(out, array, index);
    case TypeId::kUtf8:
    case TypeId::kLargeUtf8:
      return AppendJsonString(out, array.BytesAt(row));
    case TypeId::kStruct:
      return AppendStruct(out, array, row);
    case TypeId::kList:
    case TypeId::kLargeList:
    case TypeId::kFixedSizeList: {
      const auto items = array.ItemsAt(row);
      out += '[';
      AppendItems(out, array.child(0), items.begin, items.end);
      out += ']';
      return;
    }
    case TypeId::kDecimal128:
      if (array.type().precision <= kMaxNumberPrecision) return AppendValueText(out, array, row);
      [[fallthrough]];
    default:
      // Dates, times and base64 need no escapes.
      out += '"';
      AppendValueText(out, array, row);
      out += '"';
  }
}

JsonRowWriter::JsonRowWriter(const Schema& schema) {
  for (const Field& field : schema.fields) {
    std::string key;
    AppendJsonString(key, field.name);
    keys_.push_back(key + ':');
  }
}

void JsonRowWriter::AppendMembers(std::string& out, const RecordBatch& batch, std::int64_t row) const {
  assert(batch.columns.size() == keys_.size());
  for (std::size_t i = 0; i < keys_.size(); i++) {
    if (i > 0) out += ',';
    out += keys_[i];
    AppendJsonValue(out, batch.columns[i], row);
  }
}

void JsonRowWriter::AppendObject(std::string& out, const RecordBatch& batch, std::int64_t row) const {
  out += '{';
  AppendMembers(out, batch, row);
  out += '}';
}

void JsonRowWriter::AppendLines(std::string& out, const RecordBatch& batch) const {
  for (std::int64_t row = 0; row < batch.rows; row++) {
    AppendObject(out, batch, row);
    out += '\n';
  }
}

void JsonRowWriter::AppendItems(std::string& out, const RecordBatch& batch) const {
  for (std::int64_t row = 0; row < batch.rows; row++) {
    if (row > 0) out += ',';
    AppendObject(out, batch, row);
  }
}

}  // namespace firn::arrow
