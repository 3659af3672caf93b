#pragma once
// Mini-block pages: many small values in chunks of a few KiB, each of which decodes on its own.
//
// Chunk table (buffer 0): a u16 (large chunks: u32) a chunk = (bytes of the chunk / 8 - 1) << 4 | log2 of its values;
// the last chunk takes the values that remain. Chunk (in buffer 1), every part padded to 8 bytes:
//   [u16 levels][u16 size of rep][u16 size of def][u16 or u32 size of each value buffer]  | rep | def | value buffers
//   ... (sizes of rep and def only when the page has them)
// Dictionary (buffer 2, when there is one): values; the chunks then hold indices.
// Repetition index (the last buffer, when the page has lists): depth + 1 u64 a chunk: rows that end in it; items after
// the last of these, which belong to a row that goes on in the next chunk.

#include <cstdint>
#include <vector>

#include "lance/encoding/items.h"
#include "lance/encoding/page_reader.h"

namespace firn::lance {

struct MiniBlockChunk {
  std::uint64_t offset = 0;  // in buffer 1
  std::uint64_t size = 0;
  std::uint64_t values = 0;
  std::uint64_t first_row = 0;   // the first that begins in it (or later, when none does)
  bool continues_a_row = false;  // begins in the middle of row first_row - 1
};

/// `rep_index` is empty when the page has no lists, or when the page is read whole: rows are not known then.
Result<std::vector<MiniBlockChunk>> ParseChunkTable(const MiniBlockLayout& layout, ByteSpan table, ByteSpan rep_index,
                                                    std::uint64_t chunk_bytes, std::uint64_t page_rows, bool has_lists);

/// Chunks [begin, end) hold all of some rows; a row's position in them is row - first_row.
struct ChunkRun {
  std::size_t begin = 0;
  std::size_t end = 0;
};
/// The runs of chunks that hold `rows`: ascending, not touching.
std::vector<ChunkRun> ChunksOf(const std::vector<MiniBlockChunk>& chunks, std::span<const RowSelection::Range> rows);

}  // namespace firn::lance
