#pragma once
// Candidates from the indexes of a column: lists of segments or their graphs, and LanceDB's. Private to the module.

#include "query/rank.h"

namespace firn::query {

/// Supplements are worth their bytes while they are few; else the vectors of more candidates are read instead. Of one
/// vector.
inline constexpr std::uint64_t kMostSupplementBytes = 2ULL << 20;

/// Candidates of every segment; adds to explain what it took. DataCorruption that names an index object: fall back.
Result<EstimatesOfEach> ScanLists(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                  Vectors vectors, Explain& explain, const Deadline& deadline);

}  // namespace firn::query
