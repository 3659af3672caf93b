#include "store/bundle.h"

#include <algorithm>

#include "store/object_store.h"

namespace firn::store {
namespace {

constexpr std::string_view kMagic = "FIRNHEAD";
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 16;
constexpr std::size_t kFixedEntryBytes = 34;
constexpr std::size_t kAlignment = 64;
constexpr std::size_t kChecksumBytes = 4;

constexpr std::size_t Aligned(std::size_t position) { return (position + kAlignment - 1) / kAlignment * kAlignment; }

/// What the table says of an entry.
struct TableRow {
  BundleEntry entry;  // without its bytes
  std::uint64_t length = 0;
};

Result<TableRow> ReadRow(ByteReader& reader) {
  TableRow row;
  FIRN_TRY(row.entry.offset, reader.Read<std::uint64_t>());
  FIRN_TRY(row.entry.object_size_bytes, reader.Read<std::uint64_t>());
  FIRN_TRY(const auto modified, reader.Read<std::int64_t>());
  row.entry.modified = WallTime(Duration(modified));
  FIRN_TRY(row.length, reader.Read<std::uint64_t>());
  FIRN_TRY(const auto key_bytes, reader.Read<std::uint16_t>());
  FIRN_TRY(const ByteSpan key, reader.Take(key_bytes));
  row.entry.key = AsChars(key);
  if (!CheckKey(row.entry.key)) return DataCorruption("an entry's key is not an object's");
  if (!InBounds(row.entry.offset, row.length, row.entry.object_size_bytes)) {
    return DataCorruption("the entry of " + row.entry.key + " lies past its object's end");
  }
  return row;
}

/// `body` is the bundle without its checksum.
Result<std::vector<BundleEntry>> DecodeBody(const Buffer& body) {
  ByteReader reader(body.bytes().subspan(kMagic.size()), "its table");
  FIRN_TRY(const auto version, reader.Read<std::uint32_t>());
  if (version != kVersion) {
    return Unsupported("it has version " + std::to_string(version), "this program reads version 1");
  }
  FIRN_TRY(const auto count, reader.Read<std::uint32_t>());
  std::vector<TableRow> rows;
  rows.reserve(std::min<std::size_t>(count, body.size() / kFixedEntryBytes));
  for (std::uint32_t i = 0; i < count; i++) {
    FIRN_TRY(TableRow row, ReadRow(reader));
    rows.push_back(std::move(row));
  }
  std::vector<BundleEntry> entries;
  entries.reserve(rows.size());
  std::size_t end = body.size() - reader.rest().size();
  for (TableRow& row : rows) {
    const std::size_t begin = Aligned(end);
    if (!InBounds(begin, row.length, body.size())) {
      return DataCorruption("it ends before the bytes of " + row.entry.key);
    }
    row.entry.bytes = body.Slice(begin, row.length);
    end = begin + row.length;
    entries.push_back(std::move(row.entry));
  }
  if (end != body.size()) return DataCorruption("there is more in it than its table says");
  return entries;
}

}  // namespace

std::string EncodeBundle(std::span<const BundleEntry> entries) {
  std::size_t size = kHeaderBytes + kChecksumBytes;
  for (const BundleEntry& entry : entries) {
    size += kFixedEntryBytes + entry.key.size() + kAlignment + entry.bytes.size();
  }
  std::string bundle;
  bundle.reserve(size);
  bundle += kMagic;
  AppendLe(bundle, kVersion);
  AppendLe(bundle, static_cast<std::uint32_t>(entries.size()));
  for (const BundleEntry& entry : entries) {
    AppendLe(bundle, entry.offset);
    AppendLe(bundle, entry.object_size_bytes);
    AppendLe(bundle, static_cast<std::int64_t>(entry.modified.time_since_epoch().count()));
    AppendLe(bundle, std::uint64_t{entry.bytes.size()});
    AppendLe(bundle, static_cast<std::uint16_t>(entry.key.size()));
    bundle += entry.key;
  }
  for (const BundleEntry& entry : entries) {
    bundle.resize(Aligned(bundle.size()));
    bundle += entry.bytes.chars();
  }
  AppendLe(bundle, Crc32c(AsBytes(bundle)));
  return bundle;
}

Result<std::vector<BundleEntry>> DecodeBundle(const Buffer& bundle, std::string_view object) {
  const auto decode = [&]() -> Result<std::vector<BundleEntry>> {
    if (!bundle.chars().starts_with(kMagic) || bundle.size() < kHeaderBytes + kChecksumBytes) {
      return DataCorruption("it is not a bundle");
    }
    const Buffer body = bundle.Slice(0, bundle.size() - kChecksumBytes);
    if (LoadLe<std::uint32_t>(bundle.data() + body.size()) != Crc32c(body.bytes())) {
      return DataCorruption("its checksum is wrong");
    }
    return DecodeBody(body);
  };
  Result<std::vector<BundleEntry>> entries = decode();
  if (!entries) return std::move(entries).error().In("bundle " + std::string(object));
  return entries;
}

}  // namespace firn::store
