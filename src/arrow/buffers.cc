#include "arrow/buffers.h"

#include <algorithm>

namespace firn::arrow {
namespace {

void PutBit(std::uint8_t* bits, std::int64_t i, bool bit) {
  const auto mask = static_cast<std::uint8_t>(1U << (i & 7));
  bits[i >> 3] = static_cast<std::uint8_t>(bit ? bits[i >> 3] | mask : bits[i >> 3] & ~mask);
}

}  // namespace

Buffer AlignedTo(Buffer buffer, std::size_t alignment) {
  if ((reinterpret_cast<std::uintptr_t>(buffer.data()) & (alignment - 1)) == 0) return buffer;
  Block block(buffer.size());
  CopyBytes(block.data(), buffer.bytes());
  return std::move(block).Finish();
}

Buffer Zeros(std::size_t size) {
  Block block(size);
  std::fill_n(block.data(), size, std::uint8_t{0});
  return std::move(block).Finish();
}

std::int64_t CountOnes(const std::uint8_t* bits, std::int64_t begin, std::int64_t count) {
  std::int64_t ones = 0;
  std::int64_t i = begin;
  const std::int64_t end = begin + count;
  for (; i < end && (i & 7) != 0; i++) ones += BitAt(bits, i);
  for (; i + 64 <= end; i += 64) ones += std::popcount(LoadLe<std::uint64_t>(bits + (i >> 3)));
  for (; i < end; i++) ones += BitAt(bits, i);
  return ones;
}

void CopyBits(const std::uint8_t* from, std::int64_t from_begin, std::uint8_t* to, std::int64_t to_begin,
              std::int64_t count) {
  std::int64_t done = 0;
  for (; done < count && ((to_begin + done) & 7) != 0; done++)
    PutBit(to, to_begin + done, BitAt(from, from_begin + done));
  const std::uint8_t* source = from + ((from_begin + done) >> 3);
  std::uint8_t* target = to + ((to_begin + done) >> 3);
  const auto shift = static_cast<unsigned>((from_begin + done) & 7);
  const std::int64_t whole = (count - done) >> 3;
  if (shift == 0) {
    CopyBytes(target, {source, static_cast<std::size_t>(whole)});
  } else {
    // A whole target byte needs the next source byte too; it exists, since its low `shift` bits are wanted.
    for (std::int64_t i = 0; i < whole; i++) {
      target[i] = static_cast<std::uint8_t>(source[i] >> shift | source[i + 1] << (8 - shift));
    }
  }
  for (done += whole * 8; done < count; done++) PutBit(to, to_begin + done, BitAt(from, from_begin + done));
}

Buffer SliceBits(const Buffer& bits, std::int64_t begin, std::int64_t count) {
  if ((begin & 7) == 0) return bits.Slice(static_cast<std::size_t>(begin >> 3), BytesForBits(count));
  Block block(BytesForBits(count));
  if (block.size() > 0) block.data()[block.size() - 1] = 0;
  CopyBits(bits.data(), begin, block.data(), 0, count);
  return std::move(block).Finish();
}

void FillBits(std::uint8_t* bits, std::int64_t begin, std::int64_t count, bool bit) {
  const std::int64_t end = begin + count;
  std::int64_t i = begin;
  for (; i < end && (i & 7) != 0; i++) PutBit(bits, i, bit);
  const std::int64_t whole = (end - i) >> 3;
  std::fill_n(bits + (i >> 3), whole, static_cast<std::uint8_t>(bit ? 0xFF : 0));
  for (i += whole * 8; i < end; i++) PutBit(bits, i, bit);
}

}  // namespace firn::arrow
