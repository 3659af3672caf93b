#pragma once
// Making arrays, one value at a time.

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "arrow/array.h"

namespace firn::arrow {

/// A growing bitmap, least significant bit first.
class BitmapBuilder {
 public:
  void Append(bool bit) {
    if (bit && all_ones_) {
      length_++;
      return;
    }
    AppendMany(1, bit);
  }
  void AppendMany(std::int64_t count, bool bit);
  std::int64_t length() const { return length_; }
  std::int64_t zeros() const { return zeros_; }
  Buffer Finish();

 private:
  std::vector<std::uint8_t> bits_;  // nothing yet while all_ones_: most columns have no nulls
  std::int64_t length_ = 0;
  std::int64_t zeros_ = 0;
  bool all_ones_ = true;
};

/// Builds an array of any type. For each value call exactly one Append...; for nested types see below. Calls that do
/// not fit the type are programming errors (asserted). Not thread-safe.
///
///   list             append the items to child(0), then CloseList() - all items since the last close are the value
///   fixed_size_list  append list_size items to child(0), then CloseList()
///   struct           append one value to every child, then CloseStruct()
///   AppendNull()     on nested types keeps the children in step by itself
class Builder {
 public:
  explicit Builder(TypePtr type);

  const Type& type() const { return *type_; }
  std::int64_t length() const { return length_; }

  void AppendNull();
  void AppendBool(bool value);
  /// Fixed-width, T as in Array::Values.
  template <class T>
  void Append(T value) {
    assert(BitWidth(*type_) == static_cast<std::int64_t>(8 * sizeof(T)));
    validity_.Append(true);
    length_++;
    const std::size_t end = data_.size();
    data_.resize(end + sizeof value);
    std::memcpy(data_.data() + end, &value, sizeof value);
  }
  /// Many fixed-width values at once, in order: the items of a vector.
  template <class T>
  void AppendMany(std::span<const T> values) {
    assert(BitWidth(*type_) == static_cast<std::int64_t>(8 * sizeof(T)));
    AppendManyFixed({reinterpret_cast<const std::uint8_t*>(values.data()), values.size_bytes()});
  }
  /// Fixed-width as raw bytes of the right size: decimals, fixed_size_binary.
  void AppendFixed(ByteSpan value);
  /// As many fixed-width values (not bools) as `values` holds.
  void AppendManyFixed(ByteSpan values);
  /// Integer types of any width, dates, times, timestamps: the caller has checked the range.
  void AppendInteger(std::int64_t value);
  /// Float types of any width.
  void AppendFloating(double value);
  /// utf8, binary, large forms. 32-bit types hold at most 2 GiB - the caller splits batches before that.
  void AppendBytes(std::string_view value);
  Builder& child(std::size_t i) { return children_[i]; }
  void CloseList();
  void CloseStruct();
  /// Appends row `i` of an array of the same type.
  void AppendFrom(const Array& array, std::int64_t i);

  /// The array so far; the builder starts again, empty.
  Array Finish();

 private:
  void AppendValid();
  void AppendOffset(std::int64_t end);
  void AppendZeroValue();
  void AppendSlot();
  void StartOffsets();

  TypePtr type_;
  std::int64_t length_ = 0;
  BitmapBuilder validity_;
  BitmapBuilder bools_;
  std::vector<std::uint8_t> data_;
  std::vector<std::uint8_t> bytes_;
  std::vector<Builder> children_;
};

}  // namespace firn::arrow
