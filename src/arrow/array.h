#pragma once
// Columns in memory. An Array is an immutable value in Arrow's layout; a RecordBatch is equally long Arrays under a
// schema.
//
// One rule makes everything simpler than Arrow's own structs: there is no `offset`. Slicing moves the buffers (bitmaps
// are realigned when they must be). Import from the C Data Interface does the same, once.

#include <cassert>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/type.h"
#include "base/bytes.h"
#include "base/result.h"

namespace firn::arrow {

class Array;

/// What an array is made of.
///   fixed width      data = values (bools: one bit each, least significant first)
///   utf8, binary     data = length + 1 offsets (i32, large: i64; the first need not be 0), bytes = the characters
///   list, large_list data = length + 1 offsets into children[0]
///   fixed_size_list  children[0] has length * list_size items (also under a null)
///   struct           children have `length` items each
///   null             nothing
/// Buffers may be longer than needed. `data` is aligned to its value (at most 16 bytes): see AlignedTo in buffers.h.
struct ArrayData {
  TypePtr type;
  std::int64_t length = 0;
  std::int64_t null_count = 0;  // always known
  Buffer validity;              // bit 1 = valid; empty exactly when null_count is 0 (or the type is null)
  Buffer data;
  Buffer bytes;
  std::vector<Array> children;
};

/// An immutable column: a share in an ArrayData. Cheap to copy. Thread-safe.
class Array {
 public:
  Array();  // zero nulls
  explicit Array(ArrayData data) : data_(std::make_shared<const ArrayData>(std::move(data))) {}

  const ArrayData& data() const { return *data_; }
  const Type& type() const { return *data_->type; }
  const TypePtr& type_ptr() const { return data_->type; }
  std::int64_t length() const { return data_->length; }
  std::int64_t null_count() const { return data_->type->id == TypeId::kNull ? data_->length : data_->null_count; }
  const Array& child(std::size_t i) const { return data_->children[i]; }

  bool IsNull(std::int64_t i) const {
    assert(i >= 0 && i < data_->length);
    if (data_->validity.empty()) return data_->type->id == TypeId::kNull;
    return (data_->validity.data()[i >> 3] >> (i & 7) & 1) == 0;
  }
  /// Fixed-width values; T must be the type's C type (f16: uint16_t). Values under nulls are unspecified.
  template <class T>
  std::span<const T> Values() const {
    assert(BitWidth(type()) == static_cast<std::int64_t>(8 * sizeof(T)));
    return {reinterpret_cast<const T*>(data_->data.data()), static_cast<std::size_t>(data_->length)};
  }
  bool BoolAt(std::int64_t i) const { return (data_->data.data()[i >> 3] >> (i & 7) & 1) != 0; }
  /// utf8, binary and their large forms.
  std::string_view BytesAt(std::int64_t i) const;
  /// Where the items of list `i` stand in child(0): [begin, end). For list, large_list and fixed_size_list.
  struct ItemRange {
    std::int64_t begin;
    std::int64_t end;
  };
  ItemRange ItemsAt(std::int64_t i) const;

  /// Items [offset, offset + length); the caller has checked the range.
  Array Slice(std::int64_t offset, std::int64_t length) const;

 private:
  std::shared_ptr<const ArrayData> data_;
};

/// Checks that buffers are as long as the type and length ask, offsets rise and stay inside, children fit; utf8 is
/// well formed when `check_utf8`. For arrays that came from outside. DataCorruption names `what`.
Status Validate(const Array& array, std::string_view what, bool check_utf8 = false);

/// The rows at `indices`, in that order, repeats allowed; the caller has checked that each is in [0, length), and that
/// 32-bit offsets can hold the result (2 GiB of text; the program ends with a message otherwise).
Array Take(const Array& array, std::span<const std::int64_t> indices);

/// All rows of `arrays`, in order. InvalidArgument when their types differ or a 32-bit offset would overflow.
Result<Array> Concat(std::span<const Array> arrays);

/// `length` nulls of `type`.
Array Nulls(const TypePtr& type, std::int64_t length);

/// Same type, length, nulls and values (bitwise; values under nulls do not count).
bool Equal(const Array& a, const Array& b);

/// Total bytes of the buffers an array refers to (shared ones counted each time).
std::size_t SizeBytes(const Array& array);

struct RecordBatch {
  SchemaPtr schema;
  std::vector<Array> columns;  // one per field, each `rows` long
  std::int64_t rows = 0;

  /// Null when there is no such column.
  const Array* Column(std::string_view name) const;
  RecordBatch Slice(std::int64_t offset, std::int64_t length) const;
};

RecordBatch Take(const RecordBatch& batch, std::span<const std::int64_t> indices);
/// All rows of equally typed batches; `schema` when there are none.
Result<RecordBatch> Concat(const SchemaPtr& schema, std::span<const RecordBatch> batches);
bool Equal(const RecordBatch& a, const RecordBatch& b);

/// IEEE 754 binary16 <-> binary32, rounding to nearest even.
float HalfToFloat(std::uint16_t half);
std::uint16_t FloatToHalf(float value);

}  // namespace firn::arrow
