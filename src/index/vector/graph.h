#pragma once
// A graph over vectors in memory, for the hot path: derived from a table's rows, rebuilt rather than stored.
//
// After SymphonyQG (Gou, Gao et al., SIGMOD 2025): a node holds 1-bit RaBitQ codes (Gao & Long, SIGMOD 2024) of its 32
// neighbours relative to itself, so that one visit estimates the distances to all of them. Unlike there, the vectors
// are turned to their principal axes first and only the leading ones are coded; the energy of the rest is kept exactly.
// A node's own vector is one byte an axis. So a node takes 1.5 KB where theirs takes 6.7 KB (784
// dimensions, 256 axes).

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "index/vector/candidate.h"
#include "index/vector/graph_space.h"
#include "simd/distance.h"

namespace firn::index {

struct GraphOptions {
  /// Neighbours of a node: a multiple of 32, at most 128.
  std::uint32_t degree = 32;
  /// Axes that are coded: multiples of 64, at most 512. More than the least where those say too little of what tells
  /// near rows apart: 256 say .96 of it for texts of 384 values, .84 for images of 784 pixels, .79 for a mixture of
  /// 768.
  std::uint32_t least_axes = 256, most_axes = 512;
  /// Rows nearest to a row among which its neighbours are chosen.
  std::uint32_t candidates = 96;
  /// How often all rows are searched in the graph built so far, for candidates that the partition missed.
  std::uint32_t passes = 1;
  /// The beam of those searches: the larger, the better the graph and the longer its building.
  std::uint32_t search_beam = 256;
  /// Equal seeds and rows give equal graphs on machines with the same instruction set.
  std::uint64_t seed = 1;
};

/// What one thread needs to search; kept from search to search.
struct GraphScratch {
  struct Met {
    float distance;
    std::uint32_t row;  // kVisited is set once it has been looked at
  };
  SpaceQuery query;
  /// A bit a row, all zero between searches. A row that is marked before a search is as if it were not there.
  std::vector<std::uint64_t> visited;
  std::vector<std::uint32_t> visited_rows;
  std::vector<Met> beam;
  std::vector<Met> found;  // of which found_count, nearest first
  std::size_t found_count = 0;
};

class Graph {
 public:
  /// Reads the rows twice, for dot three times, a window after the other. InvalidArgument for options that do not fit,
  /// Unsupported for hamming or 2^31 rows, DeadlineExceeded, and whatever `read` returns. Values must be
  /// finite.
  static Result<std::unique_ptr<Graph>> Build(std::size_t rows, std::size_t dim, simd::Metric metric,
                                              const RowReader& read, const GraphOptions& options, TaskPool& pool,
                                              const Deadline& deadline);

  /// The `count` rows nearest by estimated distance, nearest first; fewer when `beam` did not meet as many. The larger
  /// `beam`, the better and slower. `mask`: bit r % 64 of word r / 64 is set when row r may be returned; null for all.
  /// Thread-safe with a scratch per thread. Distances are those of the metric, by the rows' bytes: meant to choose rows
  /// for an exact comparison.
  void Search(std::span<const float> query, std::size_t beam, std::size_t count, const std::uint64_t* mask,
              GraphScratch& scratch, std::vector<Candidate>& nearest) const;

  std::size_t rows() const { return rows_; }
  /// All memory that the graph holds.
  std::size_t SizeBytes() const;

 private:
  friend class GraphBuilder;
  static constexpr std::size_t kMostStarts = 32;
  Graph() = default;

  const std::uint8_t* NodeOf(std::uint32_t row) const { return nodes_.get() + row * node_bytes_; }
  void Prefetch(std::uint32_t row) const;
  void PrefetchOwn(std::uint32_t row) const;  // without its neighbours
  /// Fills scratch.found, nearest first, with at most `count` rows looked at, for the query in scratch.query.
  void Walk(std::size_t beam, std::size_t count, const std::uint64_t* mask, GraphScratch& scratch) const;
  void FindStarts(const SpaceQuery& query, std::span<simd::Hit> starts) const;
  float DistanceOf(std::uint32_t row, const SpaceQuery& query) const;

  struct FreeNodes {
    void operator()(std::uint8_t* nodes) const;
  };

  // A node: the row's bytes (axes), then degree / 32 times a block of simd/neighbours.h and the rows of its 32
  // neighbours (4 bytes each).
  std::size_t rows_ = 0;
  std::size_t blocks_ = 1;
  std::size_t node_bytes_ = 0;
  std::size_t starts_ = 4;
  Space space_;
  std::unique_ptr<std::uint8_t[], FreeNodes> nodes_;
  std::vector<RowTerms> terms_;
  /// Rows among which a search finds where to start: blocks coded relative to the mean.
  std::vector<std::uint8_t> entry_blocks_;
  std::vector<std::uint32_t> entry_rows_;
};

}  // namespace firn::index
