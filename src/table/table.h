#pragma once
// Tables of one database: a folder or bucket prefix in which each table is a Lance dataset `{name}.lance`.
//
//   Database   lists, creates, opens, appends, drops
//   Snapshot   one version of one table, pinned: count, scan, take. Immutable, so any number of threads may read it.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "arrow/batch_source.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "base/task_pool.h"
#include "filter/filter.h"
#include "index/catalog.h"
#include "lance/deletion.h"
#include "lance/fragment_reader.h"
#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::store {
class PrimedStore;
}

namespace firn::table {

/// What tables need of the world. Everything outlives the Database and its Snapshots.
struct Environment {
  store::ObjectStore& store;
  Clock& clock;
  Random& random;
  Log& log;
  TaskPool& pool;
  lance::FileMetadataCache& metadata_cache;
  store::PrimedStore* primed = nullptr;  // when given, it is `store`: takes what hint objects hold
};

/// Limits on what one call may make.
inline constexpr std::uint32_t kMaxColumns = 10'000;
inline constexpr std::int32_t kMaxDimension = 65'536;
inline constexpr std::size_t kMaxTableNameBytes = 249;  // with ".lance" 255: what a file system takes as one name

/// InvalidArgument unless `name` is 1..249 of [A-Za-z0-9_.-], not starting with '.' (so no '/', no "..").
Status CheckTableName(std::string_view name);

/// Called with each batch in order; returning false ends the scan early.
using BatchSink = std::function<Result<bool>(arrow::RecordBatch)>;

struct ScanRequest {
  std::optional<std::vector<std::string>> columns = {};  // top-level names, in the order wanted; unset = all
  std::string filter = {};                               // "" = all rows
  std::optional<std::uint64_t> limit = {};
  std::uint64_t offset = 0;
  bool with_row_address = false;  // adds "_rowid" (uint64), last
};

inline constexpr std::string_view kRowAddressColumn = "_rowid";
inline constexpr std::string_view kDistanceColumn = "_distance";

/// Live rows of a fragment: its deletion vector is loaded once, with the snapshot's first read.
class Snapshot {
 public:
  Snapshot(Environment environment, std::string name, std::string root, lance::Manifest manifest,
           arrow::SchemaPtr schema);

  const std::string& name() const { return name_; }
  const std::string& root() const { return root_; }  // "docs.lance", in the store
  std::uint64_t version() const { return manifest_.version; }
  const lance::Manifest& manifest() const { return manifest_; }
  const arrow::SchemaPtr& schema() const { return schema_; }
  const Environment& environment() const { return environment_; }
  std::uint64_t LiveRows() const { return manifest_.LiveRows(); }

  /// Rows for which `filter` is TRUE ("" = all). Without a filter nothing but the manifest is read.
  Result<std::uint64_t> CountRows(std::string_view filter, const Deadline& deadline) const;

  /// Rows in table order (fragments by position, then offset). Fragments are read ahead together, bounded by memory.
  Status Scan(const ScanRequest& request, const BatchSink& sink, const Deadline& deadline) const;

  /// The schema that Scan and Take give for `columns`.
  Result<arrow::SchemaPtr> ProjectedSchema(const std::optional<std::vector<std::string>>& columns,
                                           bool with_row_address) const;

  /// Rows by address, in the order asked, one for each address. NotFound names the first address that is not there (or
  /// deleted).
  Result<arrow::RecordBatch> Take(std::span<const lance::RowAddress> addresses,
                                  const std::optional<std::vector<std::string>>& columns, bool with_row_address,
                                  const Deadline& deadline) const;

  /// A filter bound to this schema; InvalidArgument as ParseFilter says.
  Result<filter::Predicate> Bind(std::string_view filter) const;

  /// Some live rows of one fragment that match the scan's predicate.
  struct Piece {
    const lance::Fragment* fragment;
    arrow::RecordBatch batch;            // the columns asked for
    std::uint64_t first_offset = 0;      // physical offset of the batch's row 0 ...
    std::vector<std::uint32_t> offsets;  // ... or, when not empty, of each row
    bool every_row = true;               // false: only the rows in `selected` count
    std::vector<std::int64_t> selected;  // batch rows, ascending

    std::uint64_t OffsetOf(std::int64_t row) const {
      return offsets.empty() ? first_offset + static_cast<std::uint64_t>(row) : offsets[static_cast<std::size_t>(row)];
    }
  };
  using PieceSink = std::function<Status(const Piece&)>;
  struct PieceRequest {
    std::vector<std::string> columns = {};
    const filter::Predicate* predicate = nullptr;
    std::optional<std::vector<const lance::Fragment*>> fragments = {};  // of this snapshot, in its order; unset = all
  };
  /// All live rows (for which the predicate is TRUE, when given) in pieces, as they come from the store: vectors
  /// without a copy where pages allow. Pieces come in no order and from several threads at once; memory is bounded by a
  /// window of 256 MiB.
  Status ScanPieces(const PieceRequest& request, const PieceSink& sink, const Deadline& deadline) const;

  /// Deletion vectors by fragment id: one round, the first time. Valid while the snapshot lives.
  Result<const std::map<std::uint64_t, lance::DeletionVector>*> Deletions(const Deadline& deadline) const;

 private:
  friend class Scanner;
  struct Lazy;
  Environment environment_;
  std::string name_;
  std::string root_;
  lance::Manifest manifest_;
  arrow::SchemaPtr schema_;
  std::shared_ptr<Lazy> lazy_;
};
using SnapshotPtr = std::shared_ptr<const Snapshot>;

enum class CreateMode : std::uint8_t {
  kCreate,     // AlreadyExists when the table exists
  kExistOk,    // leave an existing table as it is (and do not read the source)
  kOverwrite,  // a new version with this schema and these rows; older versions stay readable
};

struct AppendResult {
  std::uint64_t version = 0;
  std::uint64_t rows = 0;
};

struct VersionInfo {
  std::uint64_t version;
  WallTime timestamp;
  std::uint64_t rows;
  std::uint64_t fragments;
  std::string writer;
};

struct TablePage {
  std::vector<std::string> names;  // byte order
  std::string next_token;          // "" = the last page
};

struct WriteOptions {
  std::uint64_t max_rows_per_file = 1ULL << 20;
  std::uint64_t max_bytes_per_file = 4ULL << 30;
};

/// Thread-safe.
class Database {
 public:
  explicit Database(Environment environment);
  ~Database();

  /// `after`: the last name of the page before; limit 0 = all.
  Result<TablePage> ListTables(std::string_view after, std::size_t limit, const Deadline& deadline);
  Result<SnapshotPtr> Open(std::string_view name, std::optional<std::uint64_t> version, const Deadline& deadline);
  /// The newest version and the catalog of its indexes: one round where a hint object is up to date.
  struct Indexed {
    SnapshotPtr snapshot;
    index::Catalog catalog;
    std::vector<std::string> warnings;  // why it is empty where there is one
  };
  Result<Indexed> OpenNewest(std::string_view name, const Deadline& deadline);
  Result<std::vector<VersionInfo>> Versions(std::string_view name, const Deadline& deadline);

  /// Nothing is visible before all of `rows` is written. Vector values must be finite (InvalidArgument: row and
  /// column).
  Result<AppendResult> Create(std::string_view name, arrow::BatchSource& rows, CreateMode mode,
                              const WriteOptions& options, const Deadline& deadline);

  /// All rows or none. Columns match by name in any order; missing nullable ones are filled with null; ints, floats and
  /// string widths are converted where no value is lost. InvalidArgument: unknown column, type clash, null in a
  /// non-nullable column, non-finite vector - with row and column. Concurrent appends to one table share commits (group
  /// commit).
  Result<AppendResult> Append(std::string_view name, arrow::BatchSource& rows, const WriteOptions& options,
                              const Deadline& deadline);

  /// Removes the table's objects: manifests from the oldest to the newest, then the rest, so that at any moment a
  /// reader finds the whole newest version or no table. NotFound when there is none.
  Status Drop(std::string_view name, const Deadline& deadline);

 private:
  class GroupCommit;
  Environment environment_;
  std::unique_ptr<GroupCommit> group_commit_;
};

}  // namespace firn::table
