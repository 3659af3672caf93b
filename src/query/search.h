#pragma once
// A vector search over one snapshot, for one vector or for many at once. search.cc shows its six steps: snapshot, plan,
// scatter, merge, fetch, project.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "query/explain.h"
#include "query/open_table.h"
#include "simd/distance.h"

namespace firn::query {

inline constexpr std::uint64_t kMaxK = 1'000'000;         // k + offset
inline constexpr std::uint32_t kMaxEffort = 1'000'000;    // nprobes, refine
inline constexpr std::size_t kMaxVectors = 1'000;         // of one SearchMany
inline constexpr std::uint64_t kMaxRowsOfMany = 100'000;  // and k + offset for all of them together

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

  // Effort, where an index is used. The default is a promise, kept by what was measured when the index was built.
  float recall = 0.95F;                    // of the true nearest rows, the share that is found on average; 1 = exact
  bool exact = false;                      // without the index
  std::optional<std::uint32_t> nprobes{};  // lists of each segment instead, whatever recall that gives
  std::optional<std::uint32_t> refine{};   // exact distances for at most this many times k candidates
  bool measuring = false;                  // not a question of a user's: it heats nothing, and teaches nothing
};

/// What a column's vectors are made of; empty when it holds no vectors.
std::optional<simd::Element> ElementOf(const arrow::Type& type);

/// The column that `asked` names, or the only one with vectors when it is "". InvalidArgument names the choices.
Result<std::string> VectorColumn(const table::Snapshot& snapshot, const std::string& asked);

/// Steps 1 to 4 of a search: which rows, and how far; nearest first, ties by row address. `offset` of them are still
/// there.
struct Nearest {
  std::vector<simd::Hit> hits;
  Explain explain;
};

struct SearchResult {
  arrow::RecordBatch rows;  // columns, [_rowid], _distance (float32); nearest first, ties by row address
  Explain explain;
};

struct NearestOfMany {
  std::vector<std::vector<simd::Hit>> hits;  // of each vector
  Explain explain;
};

struct ManyResults {
  std::vector<arrow::RecordBatch> rows;  // of each vector, as in SearchResult; slices of one batch
  Explain explain;
};

/// Errors are those of Search.
Result<Nearest> FindNearest(OpenTable& table, const SearchRequest& request, const Deadline& deadline);
/// Errors are those of SearchMany.
Result<NearestOfMany> FindNearestOfMany(OpenTable& table, const SearchRequest& request,
                                        std::span<const std::vector<float>> vectors, const Deadline& deadline);

/// InvalidArgument: unknown column, wrong dimension, k = 0 or beyond kMaxK, recall not in (0, 1], nprobes or refine 0
/// or beyond kMaxEffort, non-finite query, filter errors. An index that is corrupt or missing costs time and gives a
/// warning, never an error or a wrong row.
Result<SearchResult> Search(OpenTable& table, const SearchRequest& request, const Deadline& deadline);

/// The same for each of `vectors`; request.vector is not looked at. One plan, and what several of them want is read
/// once: they take as many rounds as one search. InvalidArgument, besides: no vectors or more than kMaxVectors, k +
/// offset beyond kMaxRowsOfMany for all together; of a vector that is wrong, it says which.
Result<ManyResults> SearchMany(OpenTable& table, const SearchRequest& request,
                               std::span<const std::vector<float>> vectors, const Deadline& deadline);

}  // namespace firn::query
