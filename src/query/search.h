#pragma once
// A vector search over one snapshot. search.cc shows its six steps: snapshot, plan, scatter, merge, fetch, project.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "simd/distance.h"
#include "table/table.h"

namespace firn::query {

inline constexpr std::uint64_t kMaxK = 1'000'000;  // k + offset

struct SearchRequest {
  std::string vector_column;  // "" = the only vector column (InvalidArgument names the choices otherwise)
  std::vector<float> vector;
  std::optional<simd::Metric> metric;  // unset = l2, or hamming for u8... as the column's metadata says
  std::uint64_t k = 10;
  std::uint64_t offset = 0;
  std::string filter;                               // applied before the search (prefilter)
  bool postfilter = false;                          // apply it to the k nearest instead; fewer than k may remain
  std::optional<float> distance_at_least;           // lower bound, inclusive
  std::optional<float> distance_below;              // upper bound, exclusive
  std::optional<std::vector<std::string>> columns;  // unset = all; "_distance" is always added, last
  bool with_row_address = false;                    // adds "_rowid" before "_distance"
};

/// What a query cost, planned against spent.
struct Explain {
  std::uint64_t version = 0;
  std::uint64_t fragments = 0;
  std::uint64_t rows_scanned = 0;   // rows whose distance was computed
  std::uint64_t rows_matching = 0;  // rows that passed the filter
  std::string plan;                 // one line: "exact l2 over 100000 rows in 1 fragment, prefilter (...)"
  double open_ms = 0, search_ms = 0, fetch_ms = 0;
  // Filled by the engine from its counting store:
  std::uint64_t rounds = 0, requests = 0, bytes_read = 0;
  double total_ms = 0;
};

struct SearchResult {
  arrow::RecordBatch rows;  // columns, [_rowid], _distance (float32); nearest first, ties by row address
  Explain explain;
};

/// InvalidArgument: unknown column, wrong dimension, k = 0 or beyond kMaxK, non-finite query, filter errors.
Result<SearchResult> Search(const table::Snapshot& snapshot, const SearchRequest& request, const Deadline& deadline);

}  // namespace firn::query
