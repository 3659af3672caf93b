#pragma once
// What a program embeds: one object that wires stores, caches, tables and search from one Config. The `firn` command
// and the server are its two users in this repository.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/task_pool.h"
#include "maintain/build_index.h"
#include "maintain/measure_recall.h"
#include "query/search.h"
#include "store/counting.h"
#include "store/doctor.h"
#include "store/open.h"
#include "table/table.h"

namespace firn::engine {

struct Config {
  std::string database = "./firn-data";  // folder or s3://bucket/prefix
  store::StoreOptions store;
  table::WriteOptions write;
  std::size_t threads = 0;  // 0 = one per core
  std::size_t metadata_cache_bytes = 64U << 20;
  std::size_t open_tables = 64;  // kept between searches, with their indexes
  /// Without a search: then what a table holds in memory goes. 0 = never.
  Duration idle_after = std::chrono::minutes(15);
  std::uint64_t hint_bytes = 64ULL << 20;  // of hint objects, where the store is far
  std::uint64_t graph_bytes = 1ULL << 30;  // of graphs of hot tables; 0 = build none
  std::uint64_t warm_after = 16;           // searches of one version: then its index and vectors are read into memory
  std::uint64_t graph_after = 1000;        // and then graphs are built, in the background
  std::uint64_t resident_bytes = 1ULL << 30;  // of index and vectors per table, where the store is far
  std::uint64_t measure_after = 0;            // searches of an index: then its promise is measured with them; 0 = never
};

/// The outside world; all of it outlives the engine.
struct World {
  Clock& clock;
  Random& random;
  Log& log;
  store::Environment environment;
  MemoryGauge memory = ReadMemoryState;
};

struct TableDescription {
  std::string name;
  std::uint64_t version = 0;
  std::uint64_t rows = 0;
  std::uint64_t fragments = 0;
  std::uint64_t data_bytes = 0;  // of the data files this version names (0 where a file's size is not recorded)
  std::string data_version;      // "2.1"
  std::string writer;
  WallTime modified{};
  arrow::SchemaPtr schema;
  std::string location;  // "s3://bucket/prefix/docs.lance"
};

struct IndexDescription {
  std::string name;
  std::string column;
  simd::Metric metric = simd::Metric::kL2;
  std::uint32_t dim = 0;
  std::size_t segments = 0;
  std::uint64_t lists = 0;
  std::uint64_t rows = 0;          // indexed and still there
  std::uint64_t rows_missing = 0;  // of the table, in fragments without it: searched exactly
  std::uint64_t bytes = 0;         // of its objects
  double build_s = 0;
  WallTime created{};  // of the newest segment
  float promises = 0;  // the highest recall that was measured
};

/// Thread-safe. Error kinds are those of table.h, search.h and object_store.h.
class Engine {
 public:
  /// Touches neither disk nor network.
  static Result<std::unique_ptr<Engine>> Open(Config config, World world);
  ~Engine();

  const Config& config() const;

  Result<table::TablePage> ListTables(std::string_view after, std::size_t limit, const Deadline& deadline);
  Result<TableDescription> Describe(std::string_view name, std::optional<std::uint64_t> version,
                                    const Deadline& deadline);
  Result<std::vector<table::VersionInfo>> Versions(std::string_view name, const Deadline& deadline);
  Result<table::SnapshotPtr> Snapshot(std::string_view name, std::optional<std::uint64_t> version,
                                      const Deadline& deadline);

  Result<table::AppendResult> Create(std::string_view name, arrow::BatchSource& rows, table::CreateMode mode,
                                     const Deadline& deadline);
  Result<table::AppendResult> Append(std::string_view name, arrow::BatchSource& rows, const Deadline& deadline);
  Status Drop(std::string_view name, const Deadline& deadline);

  Result<std::uint64_t> Count(std::string_view name, std::string_view filter, std::optional<std::uint64_t> version,
                              const Deadline& deadline);
  Status Scan(std::string_view name, std::optional<std::uint64_t> version, const table::ScanRequest& request,
              const table::BatchSink& sink, const Deadline& deadline);
  Result<arrow::RecordBatch> Take(std::string_view name, std::optional<std::uint64_t> version,
                                  std::span<const lance::RowAddress> addresses,
                                  const std::optional<std::vector<std::string>>& columns, bool with_row_address,
                                  const Deadline& deadline);
  Result<query::SearchResult> Search(std::string_view name, std::optional<std::uint64_t> version,
                                     const query::SearchRequest& request, const Deadline& deadline);
  Result<query::ManyResults> SearchMany(std::string_view name, std::optional<std::uint64_t> version,
                                        const query::SearchRequest& request,
                                        std::span<const std::vector<float>> vectors, const Deadline& deadline);

  /// Whether such a build can begin, and what it would make.
  Result<maintain::BuildPlan> PlanIndex(std::string_view name, const maintain::BuildOptions& options,
                                        const Deadline& deadline);
  Result<index::SegmentEntry> BuildIndex(std::string_view name, const maintain::BuildOptions& options,
                                         const maintain::BuildProgress& progress, const Deadline& deadline);
  Result<std::vector<IndexDescription>> Indexes(std::string_view name, const Deadline& deadline);
  /// NotFound names the indexes that there are. Objects stay for readers under way, until maintenance.
  Status DropIndex(std::string_view name, std::string_view index, const Deadline& deadline);
  Result<maintain::RecallReport> MeasureRecall(std::string_view name, const maintain::RecallOptions& options,
                                               const Deadline& deadline);
  /// The newest version (or a pinned one) with its indexes; kept between calls while it is the newest.
  Result<std::shared_ptr<query::OpenTable>> OpenTable(std::string_view name, std::optional<std::uint64_t> version,
                                                      const Deadline& deadline);

  /// Lets go what tables hold in memory that nobody searched for a while (Config::idle_after): snapshot, index, hint,
  /// copies of lists and vectors, graphs. Their next search is a cold one. Returns how many; to be called now and then.
  std::size_t CloseIdleTables();

  /// What `firn doctor` shows.
  Result<store::DoctorReport> Doctor(const Deadline& deadline);
  /// Can this process reach its database: one cheap listing. For readiness.
  Status Ping(const Deadline& deadline);
  /// Store requests since the engine was opened, retries included.
  store::StoreCounts Counts() const;
  std::string DescribeStore() const;

 private:
  /// What `find` finds in the table, and what it cost: explain's times, rounds, requests and bytes.
  template <class Find>
  auto Explained(std::string_view name, std::optional<std::uint64_t> version, const Find& find,
                 const Deadline& deadline) -> decltype(find(std::declval<query::OpenTable&>()));

  struct Parts;
  explicit Engine(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn::engine
