#pragma once
// Exact distances of candidates, from vectors in memory or read for it. Private to the module.

#include <functional>
#include <span>
#include <vector>

#include "query/plan.h"

namespace firn::query {

struct Estimate {
  float distance = 0;
  float error = 0;
  lance::RowAddress row = 0;
};

using EstimatesOfEach = std::vector<std::vector<Estimate>>;  // by vector

/// Rows that were read for their vectors with all columns that the search shows: what is nearest among them need not be
/// read again.
struct RowsInHand {
  std::vector<lance::RowAddress> addresses;  // ascending
  arrow::RecordBatch rows;                   // in the order of addresses
};

/// Rows that can be among the `wanted` nearest, the most promising first.
std::vector<lance::RowAddress> Plausible(std::vector<Estimate> estimates, std::size_t wanted);

/// The rows of all hits: each once, ascending.
std::vector<lance::RowAddress> RowsOfEach(const HitsOfEach& hits);
/// Where `address` stands, or would stand, among `ascending`.
std::size_t PlaceOf(lance::RowAddress address, std::span<const lance::RowAddress> ascending);

/// Exact distances of the few rows that match.
Result<HitsOfEach> ScoreMatches(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                                Explain& explain, const Deadline& deadline);

/// Exact distances of the estimates that can be among the nearest. When vectors must be read for it, the columns to
/// show come with them, in the same round, and stay in `in_hand` (when given).
Result<HitsOfEach> RankEstimates(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                 Vectors vectors, EstimatesOfEach estimates, RowsInHand* in_hand, Explain& explain,
                                 const Deadline& deadline);

/// On the pool when there is more than one to do.
Status ForEach(const OpenTable& table, std::size_t count, const std::function<Status(std::size_t)>& body);

}  // namespace firn::query
