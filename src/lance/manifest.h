#pragma once
// The manifest: one immutable object per table version, which names the data files. Layout (all little-endian):
//
//   [u32 len | IndexSection]      optional; field 6 of the manifest holds its absolute position
//   [u32 len | Transaction]       optional; field 21
//   [u32 len | Manifest message]
//   [i64 position of the Manifest's length prefix | u16 major = 0 | u16 minor = 2 | "LANC"]      the last 16 bytes
//
// A decoded Manifest keeps its bytes, so that the next version keeps every field that this program does not know.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "lance/schema.h"

namespace firn::lance {

inline constexpr std::uint64_t kFlagDeletionFiles = 1;
inline constexpr std::uint64_t kFlagStableRowIds = 2;

struct FileVersion {
  std::uint32_t major = 2;
  std::uint32_t minor = 1;
  friend auto operator<=>(const FileVersion&, const FileVersion&) = default;
};

struct DataFile {
  std::string path;                          // below data/ of the table, or of base `base_id`
  std::vector<std::int32_t> field_ids;       // negative: tombstoned or hidden, skip
  std::vector<std::int32_t> column_indices;  // parallel to field_ids; -1: no column of its own (containers)
  FileVersion version;
  std::uint64_t size_bytes = 0;  // 0: not recorded
  std::optional<std::uint32_t> base_id;
};

struct DeletionFile {
  enum class Kind : std::uint8_t { kArrow, kBitmap };
  Kind kind = Kind::kBitmap;
  std::uint64_t read_version = 0;
  std::uint64_t id = 0;
  std::uint64_t deleted_rows = 0;
  std::optional<std::uint32_t> base_id;

  /// "_deletions/{fragment}-{read_version}-{id}.{arrow|bin}"
  std::string PathFor(std::uint64_t fragment_id) const;
  friend bool operator==(const DeletionFile&, const DeletionFile&) = default;
};

struct Fragment {
  std::uint64_t id = 0;
  std::vector<DataFile> files;
  std::optional<DeletionFile> deletion;
  std::uint64_t physical_rows = 0;

  std::uint64_t LiveRows() const { return physical_rows - (deletion ? deletion->deleted_rows : 0); }
};

/// fragment id << 32 | offset of the row in the fragment.
using RowAddress = std::uint64_t;
inline constexpr RowAddress MakeRowAddress(std::uint64_t fragment_id, std::uint64_t offset) {
  return fragment_id << 32 | offset;
}

/// How the objects below _versions/ are called: "18446744073709551614.manifest" counts down, so that a listing begins
/// with the newest; "1.manifest" is what old writers left. A table keeps the names it has.
enum class ManifestNaming : std::uint8_t { kInverted, kPlain };

struct Manifest {
  std::uint64_t version = 0;
  ManifestNaming naming = ManifestNaming::kInverted;  // of this and of the next version
  Schema schema;
  std::vector<Fragment> fragments;
  std::uint64_t reader_flags = 0;
  std::uint64_t writer_flags = 0;
  std::optional<std::uint64_t> max_fragment_id;  // empty: never had a fragment
  WallTime timestamp{};
  FileVersion data_version;  // of new data files
  std::map<std::string, std::string> config;
  std::map<std::uint32_t, std::string> base_paths;
  std::string writer;            // "lance 12.0.0", for people
  std::string transaction_file;  // below _transactions/; "" = inline or none
  Buffer object;                 // the whole manifest object
  Buffer index_section;          // of it; see index_metadata.h

  std::uint64_t LiveRows() const;
  const Fragment* FindFragment(std::uint64_t id) const;
};

/// DataCorruption naming `object_name` when anything is not what the layout says. Every size and position is checked.
Result<Manifest> DecodeManifest(Buffer object, std::string_view object_name);

/// Unsupported, with what to do, when the manifest asks readers (or writers) for a feature that this program lacks.
Status CheckReadable(const Manifest& manifest, std::string_view table);
Status CheckWritable(const Manifest& manifest, std::string_view table);

}  // namespace firn::lance
