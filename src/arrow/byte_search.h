#pragma once
// Eight bytes at a time: the scans that every byte of a text goes through.

#include <bit>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace firn::arrow {

constexpr std::uint64_t EveryByte(unsigned char c) { return 0x0101010101010101ULL * c; }

/// Nonzero exactly when a byte of `word` is zero; the lowest set bit is in the first such byte.
constexpr std::uint64_t ZeroBytes(std::uint64_t word) { return (word - EveryByte(0x01)) & ~word & EveryByte(0x80); }

/// The first position at or after `from` whose byte is `a` or `b`; the text's size when there is none.
inline std::size_t FindEither(std::string_view text, std::size_t from, char a, char b) {
  const std::uint64_t all_a = EveryByte(static_cast<unsigned char>(a));
  const std::uint64_t all_b = EveryByte(static_cast<unsigned char>(b));
  for (; from + 8 <= text.size(); from += 8) {
    const auto word = LoadLe<std::uint64_t>(text.data() + from);
    const std::uint64_t hits = ZeroBytes(word ^ all_a) | ZeroBytes(word ^ all_b);
    if (hits != 0) return from + static_cast<std::size_t>(std::countr_zero(hits)) / 8;
  }
  for (; from < text.size() && text[from] != a && text[from] != b; from++) {
  }
  return from;
}

/// The first position at or after `from` that may hold a quote or a bracket of JSON; a few other characters stop it,
/// too.
inline std::size_t FindJsonStructure(std::string_view text, std::size_t from) {
  for (; from + 8 <= text.size(); from += 8) {
    const auto word = LoadLe<std::uint64_t>(text.data() + from);
    // [ ] { } are 0x5B 0x5D 0x7B 0x7D: with the bits in which they differ set, all are 0x7F.
    const std::uint64_t hits = ZeroBytes(word ^ EveryByte('"')) | ZeroBytes((word | EveryByte(0x26)) ^ EveryByte(0x7F));
    if (hits != 0) return from + static_cast<std::size_t>(std::countr_zero(hits)) / 8;
  }
  return from;
}

}  // namespace firn::arrow
