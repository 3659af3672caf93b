#pragma once
// FSST string compression (Boncz, Neumann, Leis, VLDB 2020): one byte stands for a symbol of up to 8 bytes; 255 escapes
// one literal byte. The table, as Lance stores it:
//
//   [u64 header: magic "FSST" in the top half | bit 24: compressed at all | low byte: n symbols]
//   [n x 8 bytes: the symbols, padded] [n x u8: their lengths] ...

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::lance {

/// Immutable.
class FsstTable {
 public:
  static Result<FsstTable> Parse(ByteSpan table);

  /// False: strings stand there as they are (Lance does not compress small inputs).
  bool compressed() const { return compressed_; }
  /// Room that Decode needs for `size` coded bytes: it writes whole symbols.
  static std::size_t RoomFor(std::size_t size) { return 8 * size + 8; }
  /// Decodes one string to `out`; returns its end. Null when the string ends inside an escape.
  std::uint8_t* Decode(ByteSpan coded, std::uint8_t* out) const;

 private:
  void Put(std::uint8_t code, std::uint8_t*& out) const {
    std::memcpy(out, &symbols_[code], 8);
    out += lengths_[code];
  }

  bool compressed_ = false;
  std::array<std::uint64_t, 256> symbols_{};
  std::array<std::uint8_t, 256> lengths_{};
};

}  // namespace firn::lance
