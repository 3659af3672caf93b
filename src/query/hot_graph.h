#pragma once
// Graphs over segments of tables that are searched often: in memory, built in the background, dropped when memory is
// short. A graph is derived from immutable objects, so it outlives the version of the table that it was built for.

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/memory.h"
#include "index/vector/graph.h"
#include "query/open_table.h"
#include "query/seen_queries.h"

namespace firn::query {

/// How wide a search must be for a promise, measured when the graph was built.
struct GraphEffort {
  float recall = 0;
  std::size_t beam = 0;
};

/// Immutable and thread-safe.
struct HotGraph {
  std::unique_ptr<index::Graph> graph;
  std::vector<std::uint32_t> rows;   // the segment's row number of each of the graph's rows; empty: the same
  std::vector<GraphEffort> efforts;  // by rising recall

  /// How many of the nearest by estimate get an exact distance: a node's own byte a value is not exact.
  static std::size_t CandidatesOf(std::size_t k);
  std::size_t SizeBytes() const { return graph->SizeBytes() + rows.size() * sizeof(std::uint32_t); }
  /// For a promise and k; empty when it was not reached. Between two measured promises the beam lies on the line
  /// between theirs, which is enough: the wider a beam, the less each further row of it adds to the recall.
  std::optional<std::size_t> BeamFor(float recall, std::size_t k) const;
};

/// From vectors in memory: 10 to 30 s for 60,000 rows of 784 values on two threads. How wide to search is measured with
/// what was `asked`, or with rows when that is little. Null when no width that is tried finds 0.9 of the nearest: such
/// a graph is not worth its memory. Unsupported: a metric without a graph.
Result<std::shared_ptr<const HotGraph>> BuildHotGraph(const OpenSegment& segment, const ResidentVectors& vectors,
                                                      std::span<const SeenQuery> asked, TaskPool& pool,
                                                      const Deadline& deadline);

/// All graphs of a process, by the key of their segment's object. Thread-safe.
class HotGraphs {
 public:
  /// `memory` may be empty: then only the capacity counts.
  explicit HotGraphs(std::uint64_t capacity_bytes, MemoryGauge memory = {})
      : capacity_bytes_(capacity_bytes), memory_(std::move(memory)) {}

  std::uint64_t capacity_bytes() const { return capacity_bytes_; }
  std::shared_ptr<const HotGraph> Find(const std::string& segment);
  /// The least recently used go when there is no room; one that is larger alone is not taken.
  void Put(const std::string& segment, std::shared_ptr<const HotGraph> graph);
  /// It may be built again.
  void Drop(const std::string& segment);
  /// False when somebody builds it, or tried to: then nobody need try.
  bool Claim(const std::string& segment);
  /// Whether so much more may be taken, and a tenth of all memory stays free.
  bool HasRoomFor(std::uint64_t bytes) const;
  /// When less than a twentieth of all memory is left: lets the least recently used graph go, and tells so.
  bool Relieve();

 private:
  struct Kept {
    std::string segment;
    std::shared_ptr<const HotGraph> graph;
  };
  const std::uint64_t capacity_bytes_;
  const MemoryGauge memory_;
  std::mutex mutex_;
  std::list<Kept> graphs_;  // least recently used last
  std::uint64_t bytes_ = 0;
  std::set<std::string> claimed_;
};

}  // namespace firn::query
