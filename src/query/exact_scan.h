#pragma once
// Exact distances of rows that match, straight from the table. Private to the module.

#include <vector>

#include "query/plan.h"

namespace firn::query {

struct ExactHits {
  HitsOfEach hits;           // at most plan.wanted for each vector, nearest first
  std::uint64_t scored = 0;  // rows, once for each vector
};

/// Of all fragments, or of some, which are read once. On this process's pool; each piece keeps its own best, merged
/// under one lock.
Result<ExactHits> ScanExactly(const table::Snapshot& snapshot, const Plan& plan, const SearchRequest& request,
                              Vectors vectors, const std::vector<const lance::Fragment*>* fragments,
                              const Deadline& deadline);

}  // namespace firn::query
