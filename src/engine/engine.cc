#include "engine/engine.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include "maintain/refresh_promise.h"
#include "query/hot_graph.h"
#include "query/seen_queries.h"
#include "store/primed.h"
#include "table/head.h"
#include "table/index_catalog.h"

namespace firn::engine {
namespace {

/// What was asked lately says what a promise takes. A server that may not write keeps it as it was.
void MeasureAgain(query::OpenTable& table, const std::string& column, simd::Metric metric, const Deadline& deadline) {
  const auto refreshed = maintain::RefreshPromise(table, column, metric, table.SeenQueriesOf(column, metric), deadline);
  if (!refreshed)
    table.snapshot().environment().log.Info("promise not measured again",
                                            {{"table", table.snapshot().name()}, {"why", refreshed.error().message}});
}

}  // namespace

struct Engine::Parts {
  Config config;
  World world;
  store::StoreCounter counter;
  std::unique_ptr<store::ObjectStore> store;
  store::PrimedStore* primed = nullptr;  // the store, where reads are far
  lance::FileMetadataCache metadata_cache;
  std::optional<table::Database> database;

  struct KeptTable {
    std::shared_ptr<query::OpenTable> table;
    std::uint64_t used = 0;
    SteadyTime used_at{};
  };
  std::mutex tables_mutex;
  std::map<std::string, KeptTable, std::less<>> tables;
  std::uint64_t uses = 0;
  std::shared_ptr<std::atomic<bool>> stopping = std::make_shared<std::atomic<bool>>(false);
  query::Shared shared{.graphs = std::make_shared<query::HotGraphs>(config.graph_bytes, world.memory),
                       .seen = std::make_shared<query::SeenQueries>(config.measure_after),
                       .measure = MeasureAgain,
                       .stopping = stopping};
  TaskPool pool;  // last: its tasks in the background use all the rest

  ~Parts() { stopping->store(true); }  // before the pool waits for its tasks

  bool mapped() const { return !config.database.starts_with("s3://"); }
  query::Residency Residency() const {
    return {.mapped = mapped(),
            .bytes = config.resident_bytes,
            .warm_after = config.warm_after,
            .graph_after = config.graph_after};
  }
  table::Environment Tables() { return {*store, world.clock, world.random, world.log, pool, metadata_cache, primed}; }

  Parts(Config c, World w)
      : config(std::move(c)), world(std::move(w)), metadata_cache(config.metadata_cache_bytes), pool(config.threads) {}
};

Result<std::unique_ptr<Engine>> Engine::Open(Config config, World world) {
  auto parts = std::make_unique<Parts>(std::move(config), std::move(world));
  const store::StoreContext context{parts->world.clock, parts->world.random, parts->world.log, parts->world.environment,
                                    &parts->counter};
  FIRN_TRY(parts->store, store::OpenStore(parts->config.database, parts->config.store, context));
  if (!parts->mapped()) {
    auto primed = std::make_unique<store::PrimedStore>(std::move(parts->store), parts->config.hint_bytes);
    parts->primed = primed.get();
    parts->store = std::move(primed);
  }
  parts->database.emplace(parts->Tables());
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

template <class Find>
auto Engine::Explained(std::string_view name, std::optional<std::uint64_t> version, const Find& find,
                       const Deadline& deadline) -> decltype(find(std::declval<query::OpenTable&>())) {
  const Clock& clock = parts_->world.clock;
  const store::StoreCounts before = Counts();
  const SteadyTime begin = clock.Now();
  FIRN_TRY(const std::shared_ptr<query::OpenTable> table, OpenTable(name, version, deadline));
  const SteadyTime opened = clock.Now();
  const store::StoreCounts for_open = Counts() - before;
  FIRN_TRY(auto result, find(*table));
  const SteadyTime end = clock.Now();
  const store::StoreCounts spent = Counts() - before;
  using Millis = std::chrono::duration<double, std::milli>;
  result.explain.open_ms = Millis(opened - begin).count();
  result.explain.total_ms = Millis(end - begin).count();
  result.explain.rounds = spent.rounds();
  result.explain.requests = spent.requests();
  result.explain.bytes_read = spent.bytes_read();
  result.explain.opened = {for_open.rounds(), for_open.requests(), for_open.bytes_read()};
  if (!parts_->mapped()) result.explain.price_usd = store::PriceAtS3(spent);
  return result;
}

Result<query::SearchResult> Engine::Search(std::string_view name, std::optional<std::uint64_t> version,
                                           const query::SearchRequest& request, const Deadline& deadline) {
  return Explained(
      name, version, [&](query::OpenTable& table) { return query::Search(table, request, deadline); }, deadline);
}

Result<query::ManyResults> Engine::SearchMany(std::string_view name, std::optional<std::uint64_t> version,
                                              const query::SearchRequest& request,
                                              std::span<const std::vector<float>> vectors, const Deadline& deadline) {
  return Explained(
      name, version, [&](query::OpenTable& table) { return query::SearchMany(table, request, vectors, deadline); },
      deadline);
}

Result<std::shared_ptr<query::OpenTable>> Engine::OpenTable(std::string_view name, std::optional<std::uint64_t> version,
                                                            const Deadline& deadline) {
  table::Database::Indexed indexed;
  if (version) {
    FIRN_TRY(indexed.snapshot, Snapshot(name, version, deadline));
    FIRN_TRY(table::UsableCatalog indexes,
             table::ReadUsableCatalog(indexed.snapshot->environment(), indexed.snapshot->root(), deadline));
    indexed.catalog = std::move(indexes.catalog);
    indexed.warnings = std::move(indexes.warnings);
  } else {
    FIRN_TRY(indexed, parts_->database->OpenNewest(name, deadline));
  }
  const auto same = [&](const query::OpenTable& kept) {
    return kept.catalog().number == indexed.catalog.number &&
           kept.snapshot().version() == indexed.snapshot->version() &&
           kept.snapshot().manifest().object.chars() == indexed.snapshot->manifest().object.chars();
  };
  const std::lock_guard lock(parts_->tables_mutex);
  const auto found = parts_->tables.find(name);
  if (found != parts_->tables.end() && same(*found->second.table)) {
    found->second.used = ++parts_->uses;
    found->second.used_at = parts_->world.clock.Now();
    return found->second.table;
  }
  auto table = std::make_shared<query::OpenTable>(indexed.snapshot, std::move(indexed.catalog), parts_->Residency(),
                                                  parts_->shared, std::move(indexed.warnings));
  if (version) return table;
  parts_->tables.insert_or_assign(std::string(name),
                                  Parts::KeptTable{table, ++parts_->uses, parts_->world.clock.Now()});
  if (parts_->tables.size() > parts_->config.open_tables) {
    parts_->tables.erase(
        std::ranges::min_element(parts_->tables, {}, [](const auto& each) { return each.second.used; }));
  }
  return table;
}

std::size_t Engine::CloseIdleTables() {
  if (parts_->config.idle_after == Duration::zero()) return 0;
  std::vector<std::shared_ptr<query::OpenTable>> idle;
  {
    const std::lock_guard lock(parts_->tables_mutex);
    const SteadyTime before = parts_->world.clock.Now() - parts_->config.idle_after;
    std::erase_if(parts_->tables, [&](auto& each) {
      if (each.second.used_at > before) return false;
      idle.push_back(std::move(each.second.table));
      return true;
    });
  }
  for (const auto& table : idle) {
    table->DropGraphs();
    if (parts_->primed != nullptr) parts_->primed->Forget(table->snapshot().root() + "/");
  }
  return idle.size();
}

Result<maintain::BuildPlan> Engine::PlanIndex(std::string_view name, const maintain::BuildOptions& options,
                                              const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, std::nullopt, deadline));
  return maintain::PlanBuild(snapshot, options, deadline);
}

Result<index::SegmentEntry> Engine::BuildIndex(std::string_view name, const maintain::BuildOptions& options,
                                               const maintain::BuildProgress& progress, const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, std::nullopt, deadline));
  return maintain::BuildVectorIndex(snapshot, options, progress, deadline);
}

Result<std::vector<IndexDescription>> Engine::Indexes(std::string_view name, const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, std::nullopt, deadline));
  FIRN_TRY(const table::UsableCatalog indexes,
           table::ReadUsableCatalog(snapshot->environment(), snapshot->root(), deadline));
  std::map<std::string, IndexDescription> described;
  std::map<std::string, std::uint64_t> covered;
  for (const index::SegmentEntry& entry : indexes.catalog.segments) {
    IndexDescription& each = described[entry.name];
    each.name = entry.name;
    each.column = entry.column;
    each.metric = entry.metric;
    each.dim = entry.dim;
    each.segments++;
    each.lists += entry.lists;
    each.bytes += entry.object_bytes;
    each.build_s += entry.build_s;
    each.created = std::max(each.created, entry.created);
    if (!entry.calibrations.empty()) each.promises = std::max(each.promises, entry.calibrations.back().recall);
    for (const index::SegmentFragment& fragment : entry.fragments) {
      if (table::StillCovers(fragment, snapshot->manifest(), entry.field_id))
        covered[entry.name] += snapshot->manifest().FindFragment(fragment.id)->LiveRows();
    }
  }
  std::vector<IndexDescription> all;
  for (auto& [key, each] : described) {
    each.rows = covered[key];
    each.rows_missing = snapshot->LiveRows() - std::min(each.rows, snapshot->LiveRows());
    all.push_back(std::move(each));
  }
  return all;
}

Status Engine::DropIndex(std::string_view name, std::string_view index, const Deadline& deadline) {
  FIRN_TRY(const table::SnapshotPtr snapshot, Snapshot(name, std::nullopt, deadline));
  FIRN_CHECK(table::EditCatalog(
      *parts_->store, snapshot->root(),
      [&](index::Catalog& catalog) -> Status {
        std::string names;
        for (const index::SegmentEntry& entry : catalog.segments) {
          if (!names.contains(entry.name)) names += (names.empty() ? "" : ", ") + entry.name;
        }
        const std::size_t removed =
            std::erase_if(catalog.segments, [&](const index::SegmentEntry& entry) { return entry.name == index; });
        if (removed > 0) return {};
        return NotFound("table " + std::string(name) + " has no index \"" + std::string(index) + "\"",
                        names.empty() ? "It has none; `firn index TABLE` builds one" : "Its indexes are: " + names);
      },
      deadline));
  if (parts_->primed == nullptr) return {};
  return table::WriteHead(parts_->Tables(), snapshot->root(), deadline);
}

Result<maintain::RecallReport> Engine::MeasureRecall(std::string_view name, const maintain::RecallOptions& options,
                                                     const Deadline& deadline) {
  FIRN_TRY(const std::shared_ptr<query::OpenTable> table, OpenTable(name, std::nullopt, deadline));
  return maintain::MeasureRecall(*table, options, deadline);
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
