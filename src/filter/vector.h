#pragma once
// What an expression computes over a chunk of rows: one wide representation per family of types, so that each operation
// is written once. Columns enter through Load (the batch's own buffers are read in place for text).

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"

namespace firn::filter {

using Int128 = __int128;

/// Three truth values in two bits: bit 0 = "is TRUE", bit 1 = "is not FALSE". So AND is &, OR is |.
using Truth = std::uint8_t;
inline constexpr Truth kFalse = 0;
inline constexpr Truth kUnknown = 2;
inline constexpr Truth kTrue = 3;
inline Truth Not(Truth t) { return static_cast<Truth>(((~t & 1) << 1) | ((~t >> 1) & 1)); }

/// The families. The logical type decides (KindOf): two types of one family differ only in meaning.
enum class Kind : std::uint8_t {
  kNull,
  kBool,     // Truth
  kInt,      // every signed integer, u8 to u32, dates, times, timestamps, durations
  kUInt,     // u64
  kFloat,    // f16, f32, f64
  kDecimal,  // unscaled
  kText,     // utf8 and binary of all sorts
  kList,
  kStruct,
};
Kind KindOf(const arrow::Type& type);

struct Vector;
using ItemRange = arrow::Array::ItemRange;
struct Lists {
  std::vector<ItemRange> ranges;  // into items
  std::shared_ptr<const Vector> items;
};
struct Members {
  std::vector<Vector> columns;
};

/// `rows` values of one type. When `constant`, one value is stored that stands for every row.
struct Vector {
  arrow::TypePtr type;
  std::int64_t rows = 0;
  bool constant = false;
  std::vector<std::uint8_t> valid;  // 1 = not null; empty = no nulls. Truths say it themselves: always empty there.
  std::variant<std::monostate, std::vector<Truth>, std::vector<std::int64_t>, std::vector<std::uint64_t>,
               std::vector<double>, std::vector<Int128>, std::vector<std::string_view>, Lists, Members>
      data;
  std::vector<std::shared_ptr<const void>>
      owners;  // keep computed text alive; text of the batch and of literals outlives this

  Kind kind() const { return KindOf(*type); }
  std::int64_t stored() const { return constant ? 1 : rows; }
  std::int64_t Slot(std::int64_t row) const { return constant ? 0 : row; }
  template <class T>
  const std::vector<T>& Get() const {
    return std::get<std::vector<T>>(data);
  }
  template <class T>
  std::vector<T>& Get() {
    return std::get<std::vector<T>>(data);
  }
  const Lists& lists() const { return std::get<Lists>(data); }
  bool IsNull(std::int64_t row) const;
};

/// Reads a vector's values by row, constant or not.
template <class T>
class Reader {
 public:
  explicit Reader(const Vector& v)
      : data_(v.Get<T>().data()), valid_(v.valid.empty() ? nullptr : v.valid.data()), step_(v.constant ? 0 : 1) {}
  const T& operator[](std::int64_t row) const { return data_[row * step_]; }
  bool IsNull(std::int64_t row) const { return valid_ != nullptr && valid_[row * step_] == 0; }

 private:
  const T* data_;
  const std::uint8_t* valid_;
  std::int64_t step_;
};

/// An empty vector with storage for its kind, `rows` long, all zero (text: empty; lists and structs: no storage yet).
Vector MakeVector(const arrow::TypePtr& type, std::int64_t rows);
Vector NullVector(const arrow::TypePtr& type, std::int64_t rows);
Vector BoolVector(std::vector<Truth> truths);
/// Null in the result where any argument is null; returns true when there may be nulls.
void MergeNulls(Vector& result, std::span<const Vector* const> arguments);
void SetNull(Vector& v, std::int64_t row);

/// Which rows of a batch to compute: a range, or the numbers in `index`.
struct Rows {
  std::int64_t begin = 0;
  std::int64_t count = 0;
  const std::int64_t* index = nullptr;  // when set: `count` row numbers, and `begin` is not used
  std::int64_t operator[](std::int64_t i) const { return index == nullptr ? begin + i : index[i]; }
};

/// Those rows of a column.
Vector Load(const arrow::Array& column, const Rows& rows);

/// One value of one of several vectors.
struct Pick {
  std::uint32_t source;
  std::int64_t row;
};
/// The picked values, in order. All sources have `type`'s kind, or are null vectors.
Vector Interleave(const arrow::TypePtr& type, std::span<const Vector> sources, std::span<const Pick> picks);

inline constexpr std::size_t kMaxComputedText = 16 << 20;

/// Computed strings: append one for each row, in order.
class TextWriter {
 public:
  explicit TextWriter(std::int64_t rows) { ends_.reserve(static_cast<std::size_t>(rows)); }
  void Append(std::string_view part) {
    full_ = full_ || bytes_.size() + part.size() > kMaxComputedText;
    if (!full_) bytes_.append(part);
  }
  /// Ends the row. InvalidArgument when the texts of one chunk have grown beyond kMaxComputedText.
  Status Close();
  bool full() const { return full_; }
  Vector Finish(const arrow::TypePtr& type);

 private:
  std::string bytes_;
  std::vector<std::size_t> ends_;
  bool full_ = false;
};

arrow::TypePtr Utf8();
arrow::TypePtr Int64();
arrow::TypePtr Float64();
arrow::TypePtr Bool();
arrow::TypePtr Null();

}  // namespace firn::filter
