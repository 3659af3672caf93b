#pragma once
// Private to lance/: the pages of one top-level column, and which layout each gets.

#include <vector>

#include "lance/writing/encoded_page.h"
#include "lance/writing/mini_block_page.h"
#include "lance/writing/shred.h"

namespace firn::lance {

/// Pages of one leaf, in row order.
using LeafPages = std::vector<EncodedPage>;

struct ColumnEncoderOptions {
  std::uint64_t page_bytes = 0;  // about
  ChunkSizes chunk_sizes = ChunkSizes::k16Bits;
};

/// Rows that stand together in `pieces`, as pages; one LeafPages for each leaf of the column, in
/// column order. InvalidArgument for a null where none may be; Unsupported for a row that no layout can hold.
Result<std::vector<LeafPages>> EncodeColumn(const arrow::Field& field, const std::vector<arrow::Array>& pieces,
                                            const ColumnEncoderOptions& options);

}  // namespace firn::lance
