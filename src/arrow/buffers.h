#pragma once
// Memory for columns: blocks to fill, alignment, and bitmaps (least significant bit first, as Arrow has them).

#include <bit>
#include <cstdint>
#include <memory>

#include "base/bytes.h"

namespace firn::arrow {

/// A block of uninitialised memory to fill, then to share. Aligned to 16 bytes.
class Block {
 public:
  explicit Block(std::size_t size)
      : memory_(new std::uint8_t[size], std::default_delete<std::uint8_t[]>()), size_(size) {}
  std::uint8_t* data() { return memory_.get(); }
  std::size_t size() const { return size_; }
  /// The block, no longer to be written.
  Buffer Finish() && { return {memory_, {memory_.get(), size_}}; }

 private:
  std::shared_ptr<std::uint8_t> memory_;
  std::size_t size_;
};

/// The same bytes at an address that is a multiple of `alignment` (a power of two, at most 16); copies only when
/// needed.
Buffer AlignedTo(Buffer buffer, std::size_t alignment);

/// A block of zeros.
Buffer Zeros(std::size_t size);

inline std::size_t BytesForBits(std::int64_t bits) {
  return static_cast<std::size_t>(bits >> 3) + static_cast<std::size_t>((bits & 7) != 0);
}
inline bool BitAt(const std::uint8_t* bits, std::int64_t i) { return (bits[i >> 3] >> (i & 7) & 1) != 0; }
inline void SetBit(std::uint8_t* bits, std::int64_t i) { bits[i >> 3] |= static_cast<std::uint8_t>(1U << (i & 7)); }

/// How many of the bits [begin, begin + count) are 1.
std::int64_t CountOnes(const std::uint8_t* bits, std::int64_t begin, std::int64_t count);

/// Writes bits [from_begin, from_begin + count) of `from` over bits [to_begin, ...) of `to`; other bits stay.
void CopyBits(const std::uint8_t* from, std::int64_t from_begin, std::uint8_t* to, std::int64_t to_begin,
              std::int64_t count);

/// Bits [begin, begin + count) as a bitmap of their own; shares the memory where they start at a whole byte.
Buffer SliceBits(const Buffer& bits, std::int64_t begin, std::int64_t count);

/// Writes `count` times `bit` over bits [begin, begin + count).
void FillBits(std::uint8_t* bits, std::int64_t begin, std::int64_t count, bool bit);

}  // namespace firn::arrow
