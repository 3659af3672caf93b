#pragma once
// Bytes in memory: a shared immutable slice, little-endian loads and stores, and a reader that cannot run past its end.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firn {

using ByteSpan = std::span<const std::uint8_t>;

inline ByteSpan AsBytes(std::string_view s) { return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; }
inline std::string_view AsChars(ByteSpan b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

/// An immutable run of bytes and a share in whatever keeps them alive (a heap block, a mapped file, a foreign
/// Arrow array). Copying and slicing cost a reference count. Thread-safe, as all immutable things are.
class Buffer {
 public:
  Buffer() = default;
  /// `data` must stay valid and unchanged while `owner` lives.
  Buffer(std::shared_ptr<const void> owner, ByteSpan data) : owner_(std::move(owner)), data_(data) {}

  static Buffer Copy(ByteSpan bytes);
  static Buffer Of(std::string bytes);
  static Buffer Of(std::vector<std::uint8_t> bytes);
  /// Takes over a vector of plain values.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  static Buffer OfValues(std::vector<T> values) {
    auto owner = std::make_shared<const std::vector<T>>(std::move(values));
    const ByteSpan view{reinterpret_cast<const std::uint8_t*>(owner->data()), owner->size() * sizeof(T)};
    return {std::move(owner), view};
  }

  const std::uint8_t* data() const { return data_.data(); }
  std::size_t size() const { return data_.size(); }
  bool empty() const { return data_.empty(); }
  ByteSpan bytes() const { return data_; }
  std::string_view chars() const { return AsChars(data_); }
  /// The caller has checked that [offset, offset + length) lies inside.
  Buffer Slice(std::size_t offset, std::size_t length) const { return {owner_, data_.subspan(offset, length)}; }
  Buffer Slice(std::size_t offset) const { return {owner_, data_.subspan(offset)}; }

 private:
  std::shared_ptr<const void> owner_;
  ByteSpan data_;
};

/// Copies `from` to `to`, which has the room and does not overlap. Either may be null when there is nothing to copy:
/// memcpy forbids that even for no bytes (C11, 7.24.1), and an empty span or block has no address.
inline void CopyBytes(void* to, ByteSpan from) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
}

static_assert(std::endian::native == std::endian::little, "Firn's formats are little-endian and read in place");

/// Unaligned little-endian load; the caller has checked the size.
template <class T>
T LoadLe(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}
template <class T>
void AppendLe(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Reads fields off the front of untrusted bytes; running out is an error that names `what`, never a read past the end.
class ByteReader {
 public:
  ByteReader(ByteSpan bytes, std::string_view what) : rest_(bytes), what_(what) {}

  template <class T>
  Result<T> Read() {
    if (rest_.size() < sizeof(T)) return Short(sizeof(T));
    const T value = LoadLe<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return value;
  }
  Result<ByteSpan> Take(std::uint64_t size);
  ByteSpan rest() const { return rest_; }

 private:
  Error Short(std::uint64_t wanted) const;
  ByteSpan rest_;
  std::string_view what_;
};

/// True when [offset, offset + length) lies inside `size`, without overflow.
inline bool InBounds(std::uint64_t offset, std::uint64_t length, std::uint64_t size) {
  return offset <= size && length <= size - offset;
}

/// CRC-32C (Castagnoli, RFC 3720), of `bytes` after `seed`.
std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t seed = 0);

/// Lower-case hexadecimal.
std::string ToHex(ByteSpan bytes);

}  // namespace firn
