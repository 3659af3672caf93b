#include "arrow/array.h"

#include <algorithm>
#include <cstring>

#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

std::int64_t OffsetAt(const ArrayData& data, std::int64_t i) {
  if (HasLargeOffsets(data.type->id)) return LoadLe<std::int64_t>(data.data.data() + i * 8);
  return LoadLe<std::int32_t>(data.data.data() + i * 4);
}

bool ValuesEqual(const Array& a, std::int64_t i, const Array& b, std::int64_t j, std::int64_t count);

/// Rows [i, i + count) of `a` against [j, ...) of `b`, which has the same type.
bool RowsEqual(const Array& a, std::int64_t i, const Array& b, std::int64_t j, std::int64_t count) {
  if (a.data().validity.empty() && b.data().validity.empty()) return ValuesEqual(a, i, b, j, count);
  std::int64_t row = 0;
  while (row < count) {
    const bool null = a.IsNull(i + row);
    if (null != b.IsNull(j + row)) return false;
    std::int64_t end = row + 1;
    while (end < count && a.IsNull(i + end) == null && b.IsNull(j + end) == null) end++;
    if (!null && !ValuesEqual(a, i + row, b, j + row, end - row)) return false;
    row = end;
  }
  return true;
}

bool BitsEqual(const Array& a, std::int64_t i, const Array& b, std::int64_t j, std::int64_t count) {
  for (std::int64_t k = 0; k < count; k++) {
    if (a.BoolAt(i + k) != b.BoolAt(j + k)) return false;
  }
  return true;
}

/// As RowsEqual, where no row is null.
bool ValuesEqual(const Array& a, std::int64_t i, const Array& b, std::int64_t j, std::int64_t count) {
  if (count == 0) return true;
  const TypeId id = a.type().id;
  if (id == TypeId::kBool) return BitsEqual(a, i, b, j, count);
  if (const std::int64_t width = BitWidth(a.type()) / 8; width > 0) {
    return std::memcmp(a.data().data.data() + i * width, b.data().data.data() + j * width,
                       static_cast<std::size_t>(count * width)) == 0;
  }
  if (IsVarBytes(id)) {
    for (std::int64_t k = 0; k < count; k++) {
      if (a.BytesAt(i + k) != b.BytesAt(j + k)) return false;
    }
    return true;
  }
  if (id == TypeId::kFixedSizeList) {
    const std::int64_t size = a.type().list_size;
    return RowsEqual(a.child(0), i * size, b.child(0), j * size, count * size);
  }
  if (id == TypeId::kStruct) {
    for (std::size_t member = 0; member < a.data().children.size(); member++) {
      if (!RowsEqual(a.child(member), i, b.child(member), j, count)) return false;
    }
    return true;
  }
  if (id != TypeId::kList && id != TypeId::kLargeList) return true;  // null; fixed_size_binary[0]
  for (std::int64_t k = 0; k < count; k++) {
    const Array::ItemRange x = a.ItemsAt(i + k);
    const Array::ItemRange y = b.ItemsAt(j + k);
    if (x.end - x.begin != y.end - y.begin) return false;
    if (!RowsEqual(a.child(0), x.begin, b.child(0), y.begin, x.end - x.begin)) return false;
  }
  return true;
}

}  // namespace

Array::Array() {
  static const auto kNone = [] {
    ArrayData data;
    data.type = Simple(TypeId::kNull);
    return std::make_shared<const ArrayData>(std::move(data));
  }();
  data_ = kNone;
}

std::string_view Array::BytesAt(std::int64_t i) const {
  assert(IsVarBytes(type().id) && i >= 0 && i < length());
  const std::int64_t begin = OffsetAt(*data_, i);
  const std::int64_t end = OffsetAt(*data_, i + 1);
  return data_->bytes.chars().substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

Array::ItemRange Array::ItemsAt(std::int64_t i) const {
  assert(i >= 0 && i < length());
  if (type().id == TypeId::kFixedSizeList) return {i * type().list_size, (i + 1) * type().list_size};
  return {OffsetAt(*data_, i), OffsetAt(*data_, i + 1)};
}

Array Array::Slice(std::int64_t offset, std::int64_t length) const {
  assert(offset >= 0 && length >= 0 && offset + length <= this->length());
  if (offset == 0 && length == this->length()) return *this;
  ArrayData out;
  out.type = data_->type;
  out.length = length;
  if (!data_->validity.empty()) {
    out.null_count = length - CountOnes(data_->validity.data(), offset, length);
    if (out.null_count > 0) out.validity = SliceBits(data_->validity, offset, length);
  }
  const TypeId id = type().id;
  if (id == TypeId::kBool) {
    out.data = SliceBits(data_->data, offset, length);
  } else if (const std::int64_t width = BitWidth(type()) / 8; width > 0) {
    out.data = data_->data.Slice(static_cast<std::size_t>(offset * width), static_cast<std::size_t>(length * width));
  } else if (IsVarBytes(id) || id == TypeId::kList || id == TypeId::kLargeList) {
    const std::int64_t offset_bytes = HasLargeOffsets(id) ? 8 : 4;
    out.data = data_->data.Slice(static_cast<std::size_t>(offset * offset_bytes),
                                 static_cast<std::size_t>((length + 1) * offset_bytes));
    out.bytes = data_->bytes;
    out.children = data_->children;
  } else if (id == TypeId::kFixedSizeList) {
    const std::int64_t size = type().list_size;
    out.children.push_back(child(0).Slice(offset * size, length * size));
  } else if (id == TypeId::kStruct) {
    for (const Array& member : data_->children) out.children.push_back(member.Slice(offset, length));
  }
  return Array(std::move(out));
}

Array Nulls(const TypePtr& type, std::int64_t length) {
  ArrayData out;
  out.type = type;
  out.length = length;
  if (type->id != TypeId::kNull && length > 0) {
    out.null_count = length;
    out.validity = Zeros(BytesForBits(length));
  }
  const TypeId id = type->id;
  if (const std::int64_t bits = BitWidth(*type); bits > 0) {
    out.data = Zeros(BytesForBits(length * bits));
  } else if (IsVarBytes(id) || id == TypeId::kList || id == TypeId::kLargeList) {
    out.data = Zeros(static_cast<std::size_t>(length + 1) * (HasLargeOffsets(id) ? 8 : 4));
    for (const Field& item : type->children) out.children.push_back(Nulls(item.type, 0));
  } else {
    const std::int64_t items = id == TypeId::kFixedSizeList ? length * type->list_size : length;
    for (const Field& member : type->children) out.children.push_back(Nulls(member.type, items));
  }
  return Array(std::move(out));
}

bool Equal(const Array& a, const Array& b) {
  return a.length() == b.length() && Equal(a.type(), b.type()) && RowsEqual(a, 0, b, 0, a.length());
}

std::size_t SizeBytes(const Array& array) {
  std::size_t bytes = array.data().validity.size() + array.data().data.size() + array.data().bytes.size();
  for (const Array& child : array.data().children) bytes += SizeBytes(child);
  return bytes;
}

const Array* RecordBatch::Column(std::string_view name) const {
  const auto index = schema->IndexOf(name);
  return index ? &columns[*index] : nullptr;
}

RecordBatch RecordBatch::Slice(std::int64_t offset, std::int64_t length) const {
  RecordBatch out{schema, {}, length};
  out.columns.reserve(columns.size());
  for (const Array& column : columns) out.columns.push_back(column.Slice(offset, length));
  return out;
}

bool Equal(const RecordBatch& a, const RecordBatch& b) {
  return a.rows == b.rows && Equal(*a.schema, *b.schema) &&
         std::ranges::equal(a.columns, b.columns, [](const Array& x, const Array& y) { return Equal(x, y); });
}

}  // namespace firn::arrow
