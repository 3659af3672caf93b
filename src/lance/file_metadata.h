#pragma once
// What a data file says of itself. Its end, little-endian:
//
//   [page buffers, each at a multiple of 64]
//   [global buffers]
//   [column metadata: one ColumnMetadata message a column]                at column_metadata_start
//   [column table:  (u64 position, u64 size) a column]                    at column_table_start
//   [global table:  (u64 position, u64 size) a global buffer]             at global_table_start
//   [u64 column_metadata_start | u64 column_table_start | u64 global_table_start |
//    u32 global buffers | u32 columns | u16 major | u16 minor | "LANC"]   the last 40 bytes

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/encoding/page_layout.h"
#include "lance/manifest.h"

namespace firn::lance {

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};

inline constexpr std::uint64_t kFooterBytes = 40;

struct FileFooter {
  std::uint64_t object_size = 0;
  FileVersion version;
  std::uint64_t column_metadata_start = 0;
  std::uint64_t column_table_start = 0;
  std::uint32_t column_count = 0;
  std::uint64_t global_table_start = 0;  // not checked yet: see GlobalTable
  std::uint32_t global_count = 0;

  /// Where column `index`'s (position, size) stands.
  ByteRange TableEntry(std::uint32_t index) const { return {column_table_start + 16ULL * index, 16}; }
  /// DataCorruption when it does not lie inside the object.
  Result<ByteRange> GlobalTable() const;
};

struct ColumnPage {
  std::vector<ByteRange> buffers;  // inside the object
  std::uint64_t first_row = 0;
  std::uint64_t rows = 0;
  PageLayout layout;
};

struct ColumnPages {
  std::vector<ColumnPage> pages;
  std::uint64_t rows = 0;
};

/// `last_bytes` are the object's last 40 or more. DataCorruption, or Unsupported for versions other than 2.1, 2.2
/// and 2.3.
Result<FileFooter> ParseFooter(ByteSpan last_bytes, std::uint64_t object_size);
/// An entry of the column table, or of the global table.
Result<ByteRange> ParseTableEntry(ByteSpan entry, const FileFooter& footer);
/// A ColumnMetadata message.
Result<ColumnPages> ParseColumn(ByteSpan message, const FileFooter& footer);

}  // namespace firn::lance
