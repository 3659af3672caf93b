#pragma once
// The largest inner product as the nearest row (Bachrach et al., RecSys 2014, "Speeding Up the Xbox Recommender System
// Using a Euclidean Transformation for Inner-Product Spaces"): each row gets one more value, sqrt(M^2 - |x|^2) with M
// the length of the longest. All rows are then of length M, and of those the nearest to (q, 0) is that with the largest
// <q, x>.

#include <cstddef>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "index/vector/graph_space.h"

namespace firn::index {

/// |x|^2 of each row.
Result<std::vector<float>> SquaresOfRows(std::size_t rows, std::size_t dim, const RowReader& read,
                                         const Deadline& deadline);

/// Rows of dim + 1 values out of those that `read` gives.
RowReader Lifted(const RowReader& read, std::size_t dim, float largest_square);

}  // namespace firn::index
