#include "lance/file_metadata.h"

#include <string>

#include "encodings.pb.h"

namespace firn::lance {
namespace {

constexpr std::size_t kMaxPageBuffers = 1024;

Error OldVersion(std::uint32_t major, std::uint32_t minor) {
  return Unsupported("it is written with Lance file format " +
                         std::string(major == 0 ? "2.0" : std::to_string(major) + "." + std::to_string(minor)),
                     "this program reads 2.1 and 2.2: rewrite the table with LanceDB, db.create_table(name, "
                     "old.to_arrow(), storage_options={\"new_table_data_storage_version\": "
                     "\"2.1\"})");
}

Result<ByteSpan> PageEncoding(const pb::ColumnMetadata::Page& page) {
  if (!page.has_encoding() || page.encoding().location_case() != pb::Encoding::kDirect) {
    return Unsupported("a page's encoding is not stored with its column");
  }
  return AsBytes(page.encoding().direct().encoding());
}

}  // namespace

Result<ByteRange> FileFooter::GlobalTable() const {
  const ByteRange table{global_table_start, 16ULL * global_count};
  if (!InBounds(table.offset, table.length, object_size - kFooterBytes))
    return DataCorruption("its footer points past its end");
  return table;
}

Result<FileFooter> ParseFooter(ByteSpan last_bytes, std::uint64_t object_size) {
  if (last_bytes.size() < kFooterBytes || object_size < kFooterBytes)
    return DataCorruption("it is too short to be a Lance data file");
  const std::uint8_t* at = last_bytes.data() + last_bytes.size() - kFooterBytes;
  if (AsChars({at + 36, 4}) != "LANC") return DataCorruption("it does not end like a Lance data file");
  FileFooter footer;
  footer.object_size = object_size;
  footer.column_metadata_start = LoadLe<std::uint64_t>(at);
  footer.column_table_start = LoadLe<std::uint64_t>(at + 8);
  footer.global_table_start = LoadLe<std::uint64_t>(at + 16);
  footer.global_count = LoadLe<std::uint32_t>(at + 24);
  footer.column_count = LoadLe<std::uint32_t>(at + 28);
  footer.version = {LoadLe<std::uint16_t>(at + 32), LoadLe<std::uint16_t>(at + 34)};
  if (footer.version.major == 0 || footer.version < FileVersion{2, 1})
    return OldVersion(footer.version.major, footer.version.minor);
  if (footer.version > FileVersion{2, 3}) {
    return Unsupported(
        "it has Lance file format " + std::to_string(footer.version.major) + "." + std::to_string(footer.version.minor),
        "this program reads 2.1 and 2.2");
  }
  if (!InBounds(footer.column_table_start, 16ULL * footer.column_count, object_size - kFooterBytes) ||
      footer.column_metadata_start > footer.column_table_start) {
    return DataCorruption("its footer points past its end");
  }
  return footer;
}

Result<ByteRange> ParseTableEntry(ByteSpan entry, const FileFooter& footer) {
  if (entry.size() < 16) return DataCorruption("a table of its footer ends early");
  const ByteRange range{LoadLe<std::uint64_t>(entry.data()), LoadLe<std::uint64_t>(entry.data() + 8)};
  if (!InBounds(range.offset, range.length, footer.object_size) || range.length > (1U << 30)) {
    return DataCorruption("a table of its footer points past its end");
  }
  return range;
}

Result<ColumnPages> ParseColumn(ByteSpan message, const FileFooter& footer) {
  pb::ColumnMetadata metadata;
  if (!metadata.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return DataCorruption("its column metadata is not a protobuf message");
  }
  ColumnPages column;
  column.pages.reserve(static_cast<std::size_t>(metadata.pages_size()));
  for (const pb::ColumnMetadata::Page& page : metadata.pages()) {
    ColumnPage parsed;
    if (page.buffer_offsets_size() != page.buffer_sizes_size() ||
        static_cast<std::size_t>(page.buffer_sizes_size()) > kMaxPageBuffers) {
      return DataCorruption("a page's buffers do not have one size each");
    }
    for (int i = 0; i < page.buffer_sizes_size(); i++) {
      const ByteRange range{page.buffer_offsets(i), page.buffer_sizes(i)};
      if (!InBounds(range.offset, range.length, footer.object_size))
        return DataCorruption("a page's buffer lies past the file's end");
      parsed.buffers.push_back(range);
    }
    parsed.first_row = column.rows;
    parsed.rows = page.length();
    if (parsed.rows > (1ULL << 40) || column.rows > (1ULL << 40))
      return DataCorruption("a page says that it has " + std::to_string(parsed.rows) + " rows");
    FIRN_TRY(const ByteSpan encoding, PageEncoding(page));
    FIRN_TRY(parsed.layout, ParsePageLayout(encoding));
    column.rows += parsed.rows;
    column.pages.push_back(std::move(parsed));
  }
  return column;
}

}  // namespace firn::lance
