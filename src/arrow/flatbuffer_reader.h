#pragma once
// Reading flatbuffers (flatbuffers.dev/internals), the encoding of Arrow's IPC metadata, from untrusted bytes.
//
// Every access is checked when it is made, so no verifying pass comes first: such a pass takes exponential time on
// tables that share their children, and how much of that is too much only the caller of this reader can say.

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::arrow {

/// A vector inside a flatbuffer; `bytes` are its elements.
struct FlatVector {
  std::size_t at = 0;  // of the first element, in the whole buffer
  std::size_t count = 0;
  ByteSpan bytes;
};

/// A table inside a flatbuffer. A view: the bytes outlive it. Fields go by their number; an absent one has its default.
/// Every call can fail with DataCorruption.
class FlatTable {
 public:
  static Result<FlatTable> Root(ByteSpan buffer);

  template <class T>
  Result<T> Scalar(int field, T otherwise) const {
    FIRN_TRY(const std::size_t at, Find(field, sizeof(T)));
    return at == 0 ? otherwise : LoadLe<T>(buffer_.data() + at);
  }
  /// Empty when absent.
  Result<std::string_view> String(int field) const;
  Result<std::optional<FlatTable>> Table(int field) const;
  /// As Table, where absence is corruption.
  Result<FlatTable> RequiredTable(int field, std::string_view name) const;
  Result<FlatVector> Vector(int field, std::size_t element_size) const;
  /// Element `i` (in range) of a vector of tables.
  Result<FlatTable> TableAt(const FlatVector& vector, std::size_t i) const;

 private:
  FlatTable(ByteSpan buffer, std::size_t at) : buffer_(buffer), at_(at) {}
  static Result<FlatTable> Open(ByteSpan buffer, std::size_t at);
  /// Where the field is; 0 when it is absent.
  Result<std::size_t> Find(int field, std::size_t size) const;
  /// Where the offset at `at` points.
  Result<std::size_t> Follow(std::size_t at) const;

  ByteSpan buffer_;
  std::size_t at_;
  std::size_t vtable_ = 0;
  std::size_t vtable_size_ = 0;
};

}  // namespace firn::arrow
