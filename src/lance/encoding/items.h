#pragma once
// The values of one leaf while they are decoded: growing buffers in Arrow's layout.

#include <cstdint>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"
#include "lance/encoding/byte_block.h"

namespace firn::lance {

/// A growing bitmap that takes many bits at once, least significant first.
class BitBlock {
 public:
  /// `count` bits of `bits`, from bit `from` on; the caller has checked that they are there.
  void Append(const std::uint8_t* bits, std::uint64_t from, std::uint64_t count);
  void AppendSame(bool bit, std::uint64_t count);
  std::uint64_t length() const { return length_; }
  Buffer Finish();

 private:
  ByteBlock bytes_;
  std::uint64_t length_ = 0;
};

/// Items of one type. Its shape says which buffers are used. Not thread-safe.
struct Items {
  enum class Shape : std::uint8_t {
    kNothing,  // the null type: only counted
    kBits,     // bits
    kFixed,    // data: width_bytes each
    kBytes,    // data: i32 or i64 offsets, one more than items; bytes
    kList,     // children[0]: list_size each; item_validity when some item is null
    kStruct,   // children: one each
  };

  /// Unsupported for types that cannot be a leaf of a file.
  static Result<Items> For(const arrow::TypePtr& type);
  /// Plain fixed-width values without an Arrow type: levels, dictionary indices.
  static Items Fixed(std::uint32_t width_bytes);

  arrow::TypePtr type;
  Shape shape = Shape::kFixed;
  std::uint32_t width_bytes = 0;
  bool wide_offsets = false;
  std::uint64_t list_size = 0;
  std::uint64_t count = 0;
  BitBlock bits;
  ByteBlock data;
  ByteBlock bytes;
  BitBlock item_validity;
  bool some_item_null = false;
  std::vector<Items> children;

  /// kFixed: room for `more` values, counted. ResourceExhausted beyond kMaxBytes.
  Result<std::uint8_t*> Extend(std::uint64_t more);
  /// kBytes: the offset of the end so far, for the next value. ResourceExhausted when 32-bit offsets overflow.
  Status CloseValue();
  /// `more` items whose value does not matter: they are null.
  Status AppendNulls(std::uint64_t more);
  template <class T>
  const T* ValuesAs() const {
    return reinterpret_cast<const T*>(data.data());
  }

  /// All items, none of them null (their nulls are in the levels). The builder is spent.
  arrow::Array Finish();

  static constexpr std::uint64_t kMaxBytes = 8ULL << 30;  // of one page's values
};

}  // namespace firn::lance
