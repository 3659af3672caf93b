#include <algorithm>

#include "lance/commit.h"
#include "lance/file_writer.h"
#include "table/conform.h"
#include "table/group_commit.h"
#include "table/head.h"
#include "table/table.h"

namespace firn::table {
namespace {

constexpr std::string_view kSuffix = ".lance";
constexpr std::size_t kMaxObjectsPerTable = 10'000'000;

std::string RootOf(std::string_view name) { return std::string(name) + std::string(kSuffix); }

Result<SnapshotPtr> MakeSnapshot(const Environment& environment, std::string_view name, lance::Manifest manifest) {
  FIRN_TRY(arrow::SchemaPtr schema, lance::ToArrow(manifest.schema));
  return std::make_shared<const Snapshot>(environment, std::string(name), RootOf(name), std::move(manifest),
                                          std::move(schema));
}

/// Says the table's name instead of its folder's.
Error NoSuchTable(std::string_view name, const Error& error) {
  if (error.kind != ErrorKind::kNotFound) return error;
  return NotFound("there is no table \"" + std::string(name) + "\"", "`firn tables` lists those there are");
}

/// Writes batches into as many data files as the limits ask for. Files of a failed write stay behind, unseen by any
/// version.
class RowWriter {
 public:
  RowWriter(const Environment& environment, std::string root, const lance::Schema& schema, lance::FileVersion version,
            const WriteOptions& options, const Deadline& deadline)
      : environment_(environment),
        root_(std::move(root)),
        schema_(schema),
        version_(version),
        options_(options),
        deadline_(deadline) {}

  Status Append(const arrow::RecordBatch& batch) {
    for (std::int64_t row = 0; row < batch.rows;) {
      FIRN_CHECK(deadline_.Check("writing rows to " + root_));
      if (!file_) {
        FIRN_CHECK(StartFile());
      }
      const std::int64_t room = static_cast<std::int64_t>(options_.max_rows_per_file - file_->rows());
      const std::int64_t rows = std::min(batch.rows - row, room);
      FIRN_CHECK(file_->Append(rows == batch.rows ? batch : batch.Slice(row, rows), deadline_));
      row += rows;
      if (file_->rows() >= options_.max_rows_per_file || file_->size_bytes() >= options_.max_bytes_per_file) {
        FIRN_CHECK(FinishFile());
      }
    }
    rows_ += static_cast<std::uint64_t>(batch.rows);
    return {};
  }

  Result<std::vector<lance::Fragment>> Finish() {
    if (file_) {
      FIRN_CHECK(FinishFile());
    }
    return std::move(fragments_);
  }

  std::uint64_t rows() const { return rows_; }

 private:
  Status StartFile() {
    const std::string name = lance::NewDataFileName(environment_.random);
    lance::WriterOptions options;
    options.version = version_;
    FIRN_TRY(file_,
             lance::FileWriter::Start(environment_.store, root_ + "/data/" + name, name, schema_, options, deadline_));
    return {};
  }
  Status FinishFile() {
    FIRN_TRY(lance::Fragment fragment, file_->Finish(deadline_));
    fragments_.push_back(std::move(fragment));
    file_.reset();
    return {};
  }

  const Environment& environment_;
  const std::string root_;
  const lance::Schema& schema_;
  const lance::FileVersion version_;
  const WriteOptions& options_;
  const Deadline& deadline_;
  std::optional<lance::FileWriter> file_;
  std::vector<lance::Fragment> fragments_;
  std::uint64_t rows_ = 0;
};

/// Pulls all rows, fits them to the schema, and writes them.
Result<std::vector<lance::Fragment>> WriteRows(arrow::BatchSource& rows, const arrow::SchemaPtr& schema,
                                               RowWriter& writer) {
  for (;;) {
    FIRN_TRY(std::optional<arrow::RecordBatch> batch, rows.Next());
    if (!batch) return writer.Finish();
    if (batch->rows == 0) continue;
    FIRN_TRY(const arrow::RecordBatch fitted, Conform(*batch, schema, writer.rows()));
    FIRN_CHECK(CheckVectorsFinite(fitted, writer.rows()));
    FIRN_CHECK(writer.Append(fitted));
  }
}

}  // namespace

Status CheckTableName(std::string_view name) {
  const auto legal = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.'; };
  if (name.empty() || name.size() > kMaxTableNameBytes || name.front() == '.' || !std::ranges::all_of(name, legal)) {
    return InvalidArgument("\"" + std::string(name.substr(0, 80)) + "\" is not a table name",
                           "Use 1 to 249 letters, digits, '_', '-' and '.', not starting with '.'");
  }
  return {};
}

Database::Database(Environment environment)
    : environment_(environment), group_commit_(std::make_unique<GroupCommit>(environment)) {}
Database::~Database() = default;

Result<TablePage> Database::ListTables(std::string_view after, std::size_t limit, const Deadline& deadline) {
  TablePage page;
  store::ListRequest request;
  request.by_folder = true;
  // '0' follows '/': past all that is inside the folder of the table `after`.
  if (!after.empty()) request.start_after = RootOf(after) + "0";
  for (;;) {
    FIRN_TRY(const store::ListPage listed, environment_.store.List(request, deadline));
    for (std::string_view folder : listed.folders) {
      folder.remove_suffix(1);
      if (!folder.ends_with(kSuffix)) continue;
      folder.remove_suffix(kSuffix.size());
      if (!CheckTableName(folder)) continue;
      if (limit != 0 && page.names.size() == limit) {
        page.next_token = page.names.back();
        return page;
      }
      page.names.emplace_back(folder);
    }
    if (listed.next_start_after.empty()) return page;
    request.start_after = listed.next_start_after;
  }
}

Result<SnapshotPtr> Database::Open(std::string_view name, std::optional<std::uint64_t> version,
                                   const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  const std::string root = RootOf(name);
  Result<lance::Manifest> manifest = version ? lance::ReadManifest(environment_.store, root, *version, deadline)
                                             : lance::ReadLatestManifest(environment_.store, root, deadline);
  if (!manifest) return version ? std::move(manifest).error() : NoSuchTable(name, manifest.error());
  FIRN_CHECK(lance::CheckReadable(*manifest, name));
  return MakeSnapshot(environment_, name, *std::move(manifest));
}

Result<Database::Indexed> Database::OpenNewest(std::string_view name, const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  Result<NewestState> newest = ReadNewest(environment_, RootOf(name), deadline);
  if (!newest) return NoSuchTable(name, newest.error());
  FIRN_CHECK(lance::CheckReadable(newest->manifest, name));
  FIRN_TRY(SnapshotPtr snapshot, MakeSnapshot(environment_, name, std::move(newest->manifest)));
  return Indexed{std::move(snapshot), std::move(newest->indexes.catalog), std::move(newest->indexes.warnings)};
}

Result<std::vector<VersionInfo>> Database::Versions(std::string_view name, const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  const std::string root = RootOf(name);
  Result<std::vector<std::uint64_t>> numbers = lance::ListVersions(environment_.store, root, deadline);
  if (!numbers) return NoSuchTable(name, numbers.error());
  std::vector<VersionInfo> versions;
  for (const std::uint64_t number : *numbers) {
    FIRN_TRY(const lance::Manifest manifest, lance::ReadManifest(environment_.store, root, number, deadline));
    versions.push_back({number, manifest.timestamp, manifest.LiveRows(), manifest.fragments.size(), manifest.writer});
  }
  return versions;
}

Result<AppendResult> Database::Create(std::string_view name, arrow::BatchSource& rows, CreateMode mode,
                                      const WriteOptions& options, const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  const std::string root = RootOf(name);
  Result<lance::Manifest> existing = lance::ReadLatestManifest(environment_.store, root, deadline);
  if (!existing && existing.error().kind != ErrorKind::kNotFound) return std::move(existing).error();
  if (existing && mode == CreateMode::kExistOk) return AppendResult{existing->version, 0};
  if (existing && mode == CreateMode::kCreate) {
    return AlreadyExists("table \"" + std::string(name) + "\" exists already",
                         "Append to it, drop it, or create with overwrite");
  }
  if (existing) {
    FIRN_CHECK(lance::CheckWritable(*existing, name));
  }

  const arrow::SchemaPtr schema = rows.schema();
  FIRN_CHECK(CheckTableSchema(*schema));
  FIRN_TRY(const lance::Schema lance_schema, lance::FromArrow(*schema));
  // All files of a table are of one version, and a table keeps the one that it was made with.
  const lance::FileVersion version = existing ? existing->data_version : lance::FileVersion{};
  RowWriter writer(environment_, root, lance_schema, version, options, deadline);
  FIRN_TRY(std::vector<lance::Fragment> fragments, WriteRows(rows, schema, writer));

  const lance::CommitContext context{environment_.store, environment_.clock, environment_.random, root};
  lance::Operation operation = lance::CreateTable{lance_schema, fragments, version, {}};
  if (existing) operation = lance::ReplaceTable{lance_schema, std::move(fragments)};
  Result<lance::Manifest> committed = lance::Commit(context, existing ? &*existing : nullptr, operation, deadline);
  if (!committed && committed.error().kind == ErrorKind::kAlreadyExists && mode == CreateMode::kExistOk) {
    FIRN_TRY(const lance::Manifest winner, lance::ReadLatestManifest(environment_.store, root, deadline));
    return AppendResult{winner.version, 0};
  }
  if (!committed) return std::move(committed).error();
  return AppendResult{committed->version, writer.rows()};
}

Result<AppendResult> Database::Append(std::string_view name, arrow::BatchSource& rows, const WriteOptions& options,
                                      const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  const std::string root = RootOf(name);
  Result<lance::Manifest> base = lance::ReadLatestManifest(environment_.store, root, deadline);
  if (!base) return NoSuchTable(name, base.error());
  FIRN_CHECK(lance::CheckReadable(*base, name));
  FIRN_CHECK(lance::CheckWritable(*base, name));
  FIRN_TRY(const arrow::SchemaPtr schema, lance::ToArrow(base->schema));
  RowWriter writer(environment_, root, base->schema, base->data_version, options, deadline);
  FIRN_TRY(std::vector<lance::Fragment> fragments, WriteRows(rows, schema, writer));
  if (fragments.empty()) return AppendResult{base->version, 0};
  FIRN_TRY(const std::uint64_t version, group_commit_->Append(root, *base, std::move(fragments), deadline));
  RefreshHead(environment_, root, deadline);
  return AppendResult{version, writer.rows()};
}

Status Database::Drop(std::string_view name, const Deadline& deadline) {
  FIRN_CHECK(CheckTableName(name));
  const std::string root = RootOf(name);
  store::ListRequest request;
  request.prefix = root + "/_versions/";
  FIRN_TRY(const store::ListPage versions, store::ListAll(environment_.store, request, kMaxObjectsPerTable, deadline));
  if (versions.objects.empty()) {
    return NotFound("there is no table \"" + std::string(name) + "\"", "`firn tables` lists those there are");
  }
  // Manifest names count down, so the listing's last is the oldest version.
  for (auto object = versions.objects.rbegin(); object != versions.objects.rend(); ++object) {
    FIRN_CHECK(environment_.store.Delete(object->key, deadline));
  }
  request.prefix = root + "/";
  FIRN_TRY(const store::ListPage rest, store::ListAll(environment_.store, request, kMaxObjectsPerTable, deadline));
  return environment_.pool.ParallelFor(
      rest.objects.size(), [&](std::size_t i) { return environment_.store.Delete(rest.objects[i].key, deadline); });
}

}  // namespace firn::table
