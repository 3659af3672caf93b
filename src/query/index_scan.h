#pragma once
// The ways of a search that use an index. Private to the module.

#include <vector>

#include "query/plan.h"

namespace firn::query {

struct Estimate {
  float distance = 0;
  float error = 0;
  lance::RowAddress row = 0;
};

/// Rows that were read for their vectors with all columns that the search shows: what is nearest among them need not be
/// read again.
struct RowsInHand {
  std::vector<lance::RowAddress> addresses;
  arrow::RecordBatch rows;  // in the order of addresses
};

/// Candidates of every segment; adds to explain what it took. DataCorruption that names an index object: fall back.
Result<std::vector<Estimate>> ScanLists(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                        Explain& explain, const Deadline& deadline);

/// Exact distances of the few rows that match.
Result<std::vector<simd::Hit>> ScoreMatches(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                            Explain& explain, const Deadline& deadline);

/// Exact distances of the estimates that can be among the nearest. When vectors must be read for it, the columns to
/// show come with them, in the same round, and stay in `in_hand` (when given).
Result<std::vector<simd::Hit>> RankEstimates(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                             std::vector<Estimate> estimates, RowsInHand* in_hand, Explain& explain,
                                             const Deadline& deadline);

}  // namespace firn::query
