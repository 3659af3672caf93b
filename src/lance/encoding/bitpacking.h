#pragma once
// FastLanes bit-packing (Afroozeh and Boncz, VLDB 2023): 1,024 unsigned values of T in W bits each, transposed so that
// one instruction unpacks many.
//
//   A block has L = 1024 / bits(T) lanes. Word w of lane l stands at index w * L + l; the lane's bits run through its
//   words from the least significant on. Row r of lane l is value order[r / 8] * 16 + (r % 8) * 128 + l, order = {0, 4,
//   2, 6, 1, 5, 3, 7}.

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::lance {

inline constexpr std::uint64_t kPackedBlockValues = 1024;

/// Bytes of one packed block.
constexpr std::uint64_t PackedBlockBytes(std::uint64_t width_bits) { return kPackedBlockValues / 8 * width_bits; }

/// Unpacks values of `value_bytes` (1, 2, 4 or 8) to `out`, which has room for `count` of them.
/// Inline: each block of 1,024 follows one word of T that holds its width; the last block is padded.
Status UnpackInline(ByteSpan packed, std::uint32_t value_bytes, std::uint64_t count, std::uint8_t* out);
/// Out of line: all blocks have `width_bits`; a last block that is not full is padded, or its values stand there
/// unpacked.
Status UnpackOutOfLine(ByteSpan packed, std::uint32_t value_bytes, std::uint32_t width_bits, std::uint64_t count,
                       std::uint8_t* out);

}  // namespace firn::lance
