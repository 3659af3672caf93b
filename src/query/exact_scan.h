#pragma once
// Exact distances of rows that match, straight from the table. Private to the module.

#include <vector>

#include "query/plan.h"

namespace firn::query {

struct ExactHits {
  std::vector<simd::Hit> hits;  // nearest first, at most plan.wanted
  std::uint64_t scored = 0;
};

/// Of all fragments, or of some. On this process's pool; each piece keeps its own best, merged under one lock.
Result<ExactHits> ScanExactly(const table::Snapshot& snapshot, const Plan& plan, const SearchRequest& request,
                              const std::vector<const lance::Fragment*>* fragments, const Deadline& deadline);

}  // namespace firn::query
