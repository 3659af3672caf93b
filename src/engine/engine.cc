#include "engine/engine.h"

#include <algorithm>
#include <atomic>

namespace firn::engine {

struct Engine::Parts {
  Config config;
  World world;
  store::StoreCounter counter;
  std::unique_ptr<store::ObjectStore> store;
  TaskPool pool;
  lance::FileMetadataCache metadata_cache;
  std::optional<table::Database> database;

  Parts(Config c, World w)
      : config(std::move(c)), world(std::move(w)), pool(config.threads), metadata_cache(config.metadata_cache_bytes) {}
};

Result<std::unique_ptr<Engine>> Engine::Open(Config config, World world) {
  auto parts = std::make_unique<Parts>(std::move(config), std::move(world));
  const store::StoreContext context{parts->world.clock, parts->world.random, parts->world.log, parts->world.environment,
                                    &parts->counter};
  FIRN_TRY(parts->store, store::OpenStore(parts->config.database, parts->config.store, context));
  parts->database.emplace(table::Environment{*parts->store, parts->world.clock, parts->world.random, parts->world.log,
                                             parts->pool, parts->metadata_cache});
  return std::unique_ptr<Engine>(new Engine(std::move(parts)));
}

Engine::Engine(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Engine::~Engine() = default;

const Config& Engine::config() const { return parts_->config; }

Result<table::TablePage> Engine::ListTables(std::string_view after, std::size_t limit, const Deadline& deadline) {
  return parts_->database->ListTables(after, limit, deadline);
}

Result<table::SnapshotPtr> Engine::Snapshot(std::string_view name, std::optional<std::uint64_t> version,
                                            const Deadline& deadline) {
  return parts_->database->Open(name, version, deadline);
}

Result<TableDescription> Engine::Describe(std::string_view name, std::optional<std::uint64_t> version,
                                          const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, version, deadline));
  const lance::Manifest& manifest = snapshot->manifest();
  TableDescription description;
  description.name = snapshot->name();
  description.version = manifest.version;
  description.rows = manifest.LiveRows();
  description.fragments = manifest.fragments.size();
  for (const lance::Fragment& fragment : manifest.fragments) {
    for (const lance::DataFile& file : fragment.files) description.data_bytes += file.size_bytes;
  }
  description.data_version =
      std::to_string(manifest.data_version.major) + "." + std::to_string(manifest.data_version.minor);
  description.writer = manifest.writer;
  description.modified = manifest.timestamp;
  description.schema = snapshot->schema();
  description.location = DescribeStore() + "/" + snapshot->name() + ".lance";
  return description;
}

Result<std::vector<table::VersionInfo>> Engine::Versions(std::string_view name, const Deadline& deadline) {
  return parts_->database->Versions(name, deadline);
}

Result<table::AppendResult> Engine::Create(std::string_view name, arrow::BatchSource& rows, table::CreateMode mode,
                                           const Deadline& deadline) {
  return parts_->database->Create(name, rows, mode, parts_->config.write, deadline);
}

Result<table::AppendResult> Engine::Append(std::string_view name, arrow::BatchSource& rows, const Deadline& deadline) {
  return parts_->database->Append(name, rows, parts_->config.write, deadline);
}

Status Engine::Drop(std::string_view name, const Deadline& deadline) { return parts_->database->Drop(name, deadline); }

Result<std::uint64_t> Engine::Count(std::string_view name, std::string_view filter,
                                    std::optional<std::uint64_t> version, const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, version, deadline));
  return snapshot->CountRows(filter, deadline);
}

Status Engine::Scan(std::string_view name, std::optional<std::uint64_t> version, const table::ScanRequest& request,
                    const table::BatchSink& sink, const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, version, deadline));
  return snapshot->Scan(request, sink, deadline);
}

Result<arrow::RecordBatch> Engine::Take(std::string_view name, std::optional<std::uint64_t> version,
                                        std::span<const lance::RowAddress> addresses,
                                        const std::optional<std::vector<std::string>>& columns, bool with_row_address,
                                        const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, version, deadline));
  return snapshot->Take(addresses, columns, with_row_address, deadline);
}

Result<query::SearchResult> Engine::Search(std::string_view name, std::optional<std::uint64_t> version,
                                           const query::SearchRequest& request, const Deadline& deadline) {
  const Clock& clock = parts_->world.clock;
  const store::StoreCounts before = Counts();
  const SteadyTime begin = clock.Now();
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, version, deadline));
  const SteadyTime opened = clock.Now();
  FIRN_TRY(query::SearchResult result, query::Search(*snapshot, request, deadline));
  const SteadyTime end = clock.Now();
  const store::StoreCounts spent = Counts() - before;
  using Millis = std::chrono::duration<double, std::milli>;
  result.explain.open_ms = Millis(opened - begin).count();
  result.explain.total_ms = Millis(end - begin).count();
  result.explain.rounds = spent.rounds();
  result.explain.requests = spent.requests();
  result.explain.bytes_read = spent.bytes_read();
  return result;
}

Result<store::DoctorReport> Engine::Doctor(const Deadline& deadline) {
  // A store of its own, without caches: what a cache answers says nothing about the bucket.
  store::StoreOptions options = parts_->config.store;
  options.memory_cache_bytes = 0;
  options.disk_cache_folder.clear();
  const World& world = parts_->world;
  const store::StoreContext context{world.clock, world.random, world.log, world.environment, &parts_->counter};
  FIRN_TRY(const auto bare, store::OpenStore(parts_->config.database, options, context));
  return store::Examine(*bare, world.clock, world.random, deadline);
}

Status Engine::Ping(const Deadline& deadline) {
  FIRN_CHECK(parts_->database->ListTables("", 1, deadline));
  return {};
}

store::StoreCounts Engine::Counts() const { return parts_->counter.Counts(); }

std::string Engine::DescribeStore() const { return parts_->store->Describe(); }

}  // namespace firn::engine
