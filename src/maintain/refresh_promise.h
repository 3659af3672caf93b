#pragma once
// An index is calibrated with rows of the table when it is built; people ask other things. Once enough of their
// queries are known, its segments are measured again with those, and what it takes is published in the catalog: every
// process keeps the promise for the queries that come.

#include <span>
#include <string>

#include "query/open_table.h"
#include "query/seen_queries.h"

namespace firn::maintain {

/// Segments of the column's index whose calibrations were replaced: 0 when there are too few queries, lists are not in
/// memory, or what was measured is what was known. Filters that cannot be evaluated any more are left out, as are all
/// beyond the first 64 different ones. Takes some full scans of the index for each query.
Result<std::size_t> RefreshPromise(query::OpenTable& table, const std::string& column, simd::Metric metric,
                                   std::span<const query::SeenQuery> queries, const Deadline& deadline);

}  // namespace firn::maintain
