// create, load, drop: the commands that write.

#include <cstdio>

#include "arrow/file_source.h"
#include "arrow/type_text.h"
#include "cli/session.h"
#include "cli/terminal.h"

namespace firn::cli {
namespace {

/// A file's batches, with progress shown while they pass.
class WatchedSource final : public arrow::BatchSource {
 public:
  WatchedSource(std::unique_ptr<arrow::FileSource> inner, std::string what, const Clock& clock, bool quiet)
      : inner_(std::move(inner)), progress_(std::move(what), clock, quiet) {}
  arrow::SchemaPtr schema() const override { return inner_->schema(); }
  Result<std::optional<arrow::RecordBatch>> Next() override {
    FIRN_TRY(std::optional<arrow::RecordBatch> batch, inner_->Next());
    if (batch) rows_ += static_cast<std::uint64_t>(batch->rows);
    const arrow::Progress at = inner_->progress();
    progress_.Show(rows_, at.bytes_read, at.bytes_total);
    return batch;
  }

 private:
  std::unique_ptr<arrow::FileSource> inner_;
  Progress progress_;
  std::uint64_t rows_ = 0;
};

/// At most `limit` rows of a source; what is left of a batch waits for the next portion.
class Portion final : public arrow::BatchSource {
 public:
  Portion(arrow::BatchSource& inner, std::optional<arrow::RecordBatch>& rest, std::uint64_t limit)
      : inner_(inner), rest_(rest), left_(limit) {}
  arrow::SchemaPtr schema() const override { return inner_.schema(); }
  Result<std::optional<arrow::RecordBatch>> Next() override {
    if (left_ == 0) return std::optional<arrow::RecordBatch>();
    if (!rest_) {
      FIRN_TRY(rest_, inner_.Next());
      if (!rest_) return std::optional<arrow::RecordBatch>();
    }
    arrow::RecordBatch batch = *std::exchange(rest_, std::nullopt);
    if (static_cast<std::uint64_t>(batch.rows) > left_) {
      const auto taken = static_cast<std::int64_t>(left_);
      rest_ = batch.Slice(taken, batch.rows - taken);
      batch = batch.Slice(0, taken);
    }
    left_ -= static_cast<std::uint64_t>(batch.rows);
    return std::optional<arrow::RecordBatch>(std::move(batch));
  }

 private:
  arrow::BatchSource& inner_;
  std::optional<arrow::RecordBatch>& rest_;
  std::uint64_t left_;
};

Result<arrow::SchemaPtr> SchemaOf(const InputOptions& input) {
  if (input.schema.empty()) return arrow::SchemaPtr();
  Result<arrow::Schema> parsed = arrow::ParseSchema(input.schema);
  if (!parsed) return std::move(parsed.error()).In("--schema");
  return std::make_shared<const arrow::Schema>(*std::move(parsed));
}

Result<std::unique_ptr<WatchedSource>> OpenInput(Session& session, const std::string& file, const InputOptions& input,
                                                 arrow::SchemaPtr schema, std::int64_t batch_rows,
                                                 const std::string& table) {
  arrow::FileOptions options;
  if (!input.format.empty()) {
    FIRN_TRY(options.format, arrow::ParseFileFormat(input.format));
  }
  options.schema = std::move(schema);
  for (const auto& [name, path] : input.columns) options.columns.push_back({name, path});
  if (batch_rows > 0) options.batch_rows = std::min(options.batch_rows, batch_rows);
  FIRN_TRY(auto source, arrow::OpenFile(file, options));
  return std::make_unique<WatchedSource>(std::move(source), "loading " + table, session.clock(),
                                         session.options().quiet);
}

void Report(Session& session, const std::string& table, std::uint64_t rows, std::uint64_t version, SteadyTime begin) {
  const double seconds = std::max(1e-6, std::chrono::duration<double>(session.clock().Now() - begin).count());
  if (session.options().json) {
    std::printf("{\"table\":\"%s\",\"rows\":%llu,\"version\":%llu,\"seconds\":%.3f}\n", table.c_str(),
                static_cast<unsigned long long>(rows), static_cast<unsigned long long>(version), seconds);
    std::fflush(stdout);
  } else if (!session.options().quiet) {
    std::printf("%s rows in table %s, version %llu (%s, %s rows/s)\n", WithCommas(rows).c_str(), table.c_str(),
                static_cast<unsigned long long>(version), HumanMillis(seconds * 1000).c_str(),
                WithCommas(static_cast<std::uint64_t>(static_cast<double>(rows) / seconds)).c_str());
  }
}

/// Appends in commits of so many rows, and says after each how many rows are safe.
Status LoadInCommits(Session& session, engine::Engine& engine, const std::string& table, arrow::BatchSource& source,
                     std::uint64_t rows_per_commit) {
  const SteadyTime begin = session.clock().Now();
  std::optional<arrow::RecordBatch> rest;
  std::uint64_t rows = 0;
  for (;;) {
    Portion portion(source, rest, rows_per_commit);
    FIRN_TRY(const table::AppendResult appended, engine.Append(table, portion, session.deadline()));
    if (appended.rows == 0) break;
    rows += appended.rows;
    if (session.options().json) Report(session, table, rows, appended.version, begin);
  }
  if (!session.options().json) {
    FIRN_TRY(const table::SnapshotPtr snapshot, engine.Snapshot(table, std::nullopt, session.deadline()));
    Report(session, table, rows, snapshot->version(), begin);
  }
  return {};
}

}  // namespace

Status RunCreate(Session& session, const CreateCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_CHECK(table::CheckTableName(name));
  if (command.overwrite && command.exist_ok) return InvalidArgument("--overwrite and --exist-ok exclude each other");
  FIRN_TRY(arrow::SchemaPtr schema, SchemaOf(command.input));
  const auto mode = command.overwrite  ? table::CreateMode::kOverwrite
                    : command.exist_ok ? table::CreateMode::kExistOk
                                       : table::CreateMode::kCreate;
  FIRN_TRY(engine::Engine * engine, session.Engine());
  const SteadyTime begin = session.clock().Now();
  std::unique_ptr<arrow::BatchSource> source;
  if (command.file.empty()) {
    if (!schema)
      return InvalidArgument("create wants a file or --schema", "For example --schema 'id int64, vector vector(384)'");
    source = arrow::FromBatches(schema, {});
  } else {
    FIRN_TRY(source, OpenInput(session, command.file, command.input, schema, 0, name));
  }
  FIRN_TRY(const table::AppendResult created, engine->Create(name, *source, mode, session.deadline()));
  source.reset();  // clears the progress line
  Report(session, name, created.rows, created.version, begin);
  return {};
}

Status RunLoad(Session& session, const LoadCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_CHECK(table::CheckTableName(name));
  FIRN_TRY(arrow::SchemaPtr schema, SchemaOf(command.input));
  FIRN_TRY(engine::Engine * engine, session.Engine());
  const SteadyTime begin = session.clock().Now();
  const Result<table::SnapshotPtr> existing = engine->Snapshot(name, std::nullopt, session.deadline());
  if (!existing && existing.error().kind != ErrorKind::kNotFound) return existing.error();
  // The table's own types decide how text is read.
  if (existing && !schema && !command.overwrite) schema = (*existing)->schema();
  FIRN_TRY(auto source, OpenInput(session, command.file, command.input, schema,
                                  static_cast<std::int64_t>(command.commit_every), name));

  const bool fresh = !existing || command.overwrite;
  if (command.commit_every > 0) {
    if (fresh) {
      const auto empty = arrow::FromBatches(source->schema(), {});
      FIRN_CHECK(engine->Create(name, *empty, existing ? table::CreateMode::kOverwrite : table::CreateMode::kCreate,
                                session.deadline()));
    }
    return LoadInCommits(session, *engine, name, *source, command.commit_every);
  }
  Result<table::AppendResult> loaded =
      fresh ? engine->Create(name, *source, existing ? table::CreateMode::kOverwrite : table::CreateMode::kCreate,
                             session.deadline())
            : engine->Append(name, *source, session.deadline());
  source.reset();  // clears the progress line
  if (!loaded) return std::move(loaded).error();
  Report(session, name, loaded->rows, loaded->version, begin);
  return {};
}

Status RunDrop(Session& session, const DropCommand& command) {
  FIRN_TRY(const std::string name, session.ResolveTable(command.table));
  FIRN_TRY(engine::Engine * engine, session.Engine());
  const Status dropped = engine->Drop(name, session.deadline());
  if (!dropped && !(command.if_exists && dropped.error().kind == ErrorKind::kNotFound)) return dropped.error();
  if (session.options().json) {
    std::printf("{\"table\":\"%s\",\"dropped\":%s}\n", name.c_str(), dropped ? "true" : "false");
  } else if (!session.options().quiet) {
    std::printf(dropped ? "dropped %s\n" : "there was no table %s\n", name.c_str());
  }
  return {};
}

}  // namespace firn::cli
