#pragma once
// Private to lance/: small values, in chunks that are read whole. "size" is a u16, or a u32 in files of version 2.2.
//
//   buffer 0   a size for each chunk: (bytes / 8 - 1) << 4 | log2(values); the last chunk says 0 and has the rest
//   buffer 1   chunks: u16 levels | u16 rep bytes, with lists | u16 def bytes, with nulls | size of the values in bytes
//   |
//              then, each padded to 8 bytes: rep (u16 a level), def (u16 a level), values
//   buffer 2   with lists: u64 rows that end in the chunk, u64 items of a row that goes on, for each chunk
//
// Values: flat (bools one bit each), or for strings and bytes n + 1 offsets from the start of the values, then the
// bytes, padded to the width of an offset.

#include <optional>

#include "lance/writing/encoded_page.h"
#include "lance/writing/shred.h"

namespace firn::lance {

/// The widest value that a mini-block page may hold: two of them and their levels fit in a chunk.
inline constexpr std::int64_t kMaxMiniBlockValueBytes = 8192;

enum class ChunkSizes : std::uint8_t { k16Bits, k32Bits };

/// Values have a fixed width of at most 256 bytes, or are strings and bytes of at most kMaxMiniBlockValueBytes each.
/// Empty when the page does not fit the layout: too many null or empty lists between two values.
std::optional<EncodedPage> EncodeMiniBlockPage(const LeafColumn& leaf, ChunkSizes sizes);

}  // namespace firn::lance
