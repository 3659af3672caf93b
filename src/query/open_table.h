#pragma once
// What searches of one version of a table share: the snapshot, its indexes, and what of it stays in memory.

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "index/catalog.h"
#include "index/lance_ivf/lance_index.h"
#include "index/vector/graph.h"
#include "index/vector/segment.h"
#include "query/resident_vectors.h"
#include "table/table.h"

namespace firn::query {

class HotGraphs;
class SeenQueries;
struct SeenQuery;

/// How much of a table may stay in memory between searches, and from when on.
struct Residency {
  /// Reads of whole objects are mappings that cost nothing until they are touched: index and vectors are always
  /// "resident".
  bool mapped = false;
  /// Else: bytes that index and vectors together may take, once the table is hot.
  std::uint64_t bytes = 0;
  /// Searches of this version after which it is hot, and lists and vectors are read into memory (where they are not
  /// mapped); and after which graphs are built. Both happen in the background.
  std::uint64_t warm_after = 16;
  std::uint64_t graph_after = 1000;
  /// Masks of filters that are kept for the next search with the same filter.
  std::uint64_t mask_bytes = 64ULL << 20;
};

/// What tables of one process share; each may be null. Outlives the tables that have it.
struct Shared {
  std::shared_ptr<HotGraphs> graphs;
  std::shared_ptr<SeenQueries> seen;
  /// Called, in the background, when enough queries of an index were seen that it should be measured with them.
  std::function<void(class OpenTable&, const std::string& column, simd::Metric, const Deadline&)> measure;
  /// Work in the background ends early when it becomes true; the pool's owner waits for it.
  std::shared_ptr<const std::atomic<bool>> stopping;
};

/// A segment that says something of this version.
struct OpenSegment {
  const index::SegmentEntry* entry = nullptr;
  std::shared_ptr<const index::VectorSegment> segment;
  std::shared_ptr<const index::LoadedLists> lists;  // null: lists are read for each query
  std::vector<std::uint64_t> first_rows;            // row number at which each of its fragments begins, and the end
  std::optional<index::RowMask> live;               // rows that this version has; unset = all
  std::uint64_t live_rows = 0;

  lance::RowAddress AddressOf(std::uint32_t row) const;
};

/// An index that LanceDB built, for fragments that no segment covers. Its recall is not promised.
struct OpenLanceIndex {
  std::string name;
  std::shared_ptr<const index::LanceIndex> index;
  std::vector<const lance::Fragment*> fragments;
};

/// The indexes of one column for one metric.
struct ColumnIndex {
  std::vector<OpenSegment> segments;
  std::vector<OpenLanceIndex> lance;
  std::vector<const lance::Fragment*> uncovered;  // fragments that are scanned exactly
  std::vector<std::string> warnings;              // why a segment is not used
};

/// The rows for which a filter is TRUE.
struct FilterMask {
  std::vector<index::RowMask> masks;   // for each segment of the ColumnIndex; without rows that are not live
  std::vector<std::uint64_t> matches;  // for each segment
  /// For each segment whose lists are in memory, the same by lists.
  std::vector<std::optional<index::ListMatches>> list_matches;
  std::vector<lance::RowAddress> few;  // all matching rows of segments, when they are at most kFewRows, in order
  /// Where the few rows' vectors are, when those were in memory: `vectors` keeps them there. Null for null vectors.
  std::vector<const std::uint8_t*> few_places;
  std::shared_ptr<const ResidentVectors> vectors;
  std::uint64_t total = 0;  // in segments
  static constexpr std::uint64_t kFewRows = 1U << 16;
};

/// Memory of one segment's part of a search, used again by the next.
struct SegmentScratch {
  index::SegmentQuery query;
  index::GraphScratch graph;
};

/// Thread-safe. What it holds is derived from immutable objects, and goes with it; only what is Shared lives on.
class OpenTable : public std::enable_shared_from_this<OpenTable> {
 public:
  /// `warnings` say why the catalog is empty where there is one.
  OpenTable(table::SnapshotPtr snapshot, index::Catalog catalog, Residency residency, Shared shared = {},
            std::vector<std::string> warnings = {});

  const table::Snapshot& snapshot() const { return *snapshot_; }
  const table::SnapshotPtr& snapshot_ptr() const { return snapshot_; }
  const index::Catalog& catalog() const { return catalog_; }

  /// The metric of the column's index, when it has one that says something of this version: Firn's, else LanceDB's.
  std::optional<simd::Metric> IndexedMetric(const std::string& column, const Deadline& deadline);

  /// One round the first time (two when rows were deleted); then from memory. A segment that cannot be used is a
  /// warning.
  Result<std::shared_ptr<const ColumnIndex>> IndexOf(const std::string& column, simd::Metric metric,
                                                     const Deadline& deadline);
  /// From now on the column's segments are not used: their bytes are not what they should be.
  void Distrust(const std::string& column, simd::Metric metric, const std::string& why);
  /// One more search of this index: begins to heat it, or to measure it, when the time has come.
  void CountSearch(const std::string& column, simd::Metric metric, std::span<const float> query,
                   std::string_view filter);
  /// What was asked of it lately; empty where nobody keeps that.
  std::vector<SeenQuery> SeenQueriesOf(const std::string& column, simd::Metric metric) const;
  /// Reads lists and vectors into memory, as far as they may stay there: some seconds.
  Status Warm(const std::string& column, simd::Metric metric, const Deadline& deadline);
  /// Forgets what Warm has read; searches under way keep it until they end.
  void Cool();
  /// Builds the graphs of the index's segments that have none, and measures them. The index must be warm.
  Status BuildGraphs(const std::string& column, simd::Metric metric, const Deadline& deadline);
  /// Those of all its indexes; this OpenTable builds none again by itself.
  void DropGraphs();
  HotGraphs* graphs() const { return shared_.graphs.get(); }

  /// Lends memory for a search; it comes back when the pointer goes.
  using Scratch = std::unique_ptr<SegmentScratch, std::function<void(SegmentScratch*)>>;
  Scratch BorrowScratch() const;

  /// The filter of a search; remembered by its text.
  Result<std::shared_ptr<const filter::Predicate>> Bind(const std::string& text);
  /// Null when they are not in memory.
  Result<std::shared_ptr<const ResidentVectors>> Vectors(const std::string& column, const Deadline& deadline);
  /// Evaluates the predicate over the fragments that the segments of `index`, the column's, cover; remembered by `text`
  /// for as long as it is the index.
  Result<std::shared_ptr<const FilterMask>> MaskOf(const std::shared_ptr<const ColumnIndex>& index,
                                                   const std::string& column, const std::string& text,
                                                   const filter::Predicate& predicate, const Deadline& deadline);

 private:
  using ColumnKey = std::pair<std::string, simd::Metric>;
  Result<std::shared_ptr<const ColumnIndex>> OpenIndex(const std::string& column, simd::Metric metric,
                                                       const Deadline& deadline);
  Status OpenSegments(ColumnIndex& index, std::span<const index::SegmentEntry* const> entries,
                      const Deadline& deadline);
  Status FindLive(OpenSegment& segment, const Deadline& deadline) const;
  void OpenLanceIndexes(ColumnIndex& index, std::int32_t field_id, simd::Metric metric, const Deadline& deadline);
  /// LanceDB's indexes of a field that this program can use. Opened once.
  struct NamedLanceIndex {
    std::string name;
    std::shared_ptr<const index::LanceIndex> index;
  };
  const std::vector<NamedLanceIndex>& LanceIndexesOf(std::int32_t field_id, const Deadline& deadline);
  Result<std::shared_ptr<const FilterMask>> Evaluate(const ColumnIndex& index, const filter::Predicate& predicate,
                                                     std::shared_ptr<const ResidentVectors> vectors,
                                                     const Deadline& deadline) const;
  std::uint64_t BytesOfVectors(const std::string& column) const;
  std::string KeyOf(const std::string& column, simd::Metric metric) const;
  void InBackground(std::function<Status(OpenTable&, const Deadline&)> work);

  const table::SnapshotPtr snapshot_;
  const index::Catalog catalog_;
  const Residency residency_;
  const Shared shared_;
  const std::vector<std::string> catalog_warnings_;

  std::atomic<std::uint64_t> searches_{0};
  mutable std::mutex scratch_mutex_;
  mutable std::vector<std::unique_ptr<SegmentScratch>> idle_scratch_;
  std::mutex warming_;  // one thread at a time reads what is to stay
  std::mutex mutex_;
  std::uint64_t resident_bytes_ = 0;
  std::map<ColumnKey, std::shared_ptr<const ColumnIndex>> indexes_;
  std::map<std::string, std::shared_ptr<const ResidentVectors>> vectors_;
  std::map<std::int32_t, std::vector<NamedLanceIndex>> lance_indexes_;  // by field
  struct KeptMask {
    std::shared_ptr<const ColumnIndex> index;
    std::string text;
    std::shared_ptr<const FilterMask> mask;
    std::uint64_t bytes;
  };
  std::list<KeptMask> masks_;  // least recently used last
  std::uint64_t mask_bytes_ = 0;
  struct KeptPredicate {
    std::string text;
    std::shared_ptr<const filter::Predicate> predicate;
  };
  std::list<KeptPredicate> predicates_;  // least recently used last
};

}  // namespace firn::query
