#pragma once
// General-purpose compression of a buffer, each with its raw size in front:
//   LZ4   [u32 raw size][LZ4 block]
//   ZSTD  [u64 raw size][frame], or a bare frame

#include <cstdint>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/encoding/byte_block.h"

namespace firn::lance {

enum class Compression : std::uint8_t { kLz4, kZstd };

/// Appends the raw bytes to `out`. DataCorruption when they are not what the size says; ResourceExhausted beyond
/// `max_bytes`. Memory grows with what really comes out, not with what the size claims.
Status Decompress(Compression compression, ByteSpan compressed, std::uint64_t max_bytes, ByteBlock& out);

}  // namespace firn::lance
