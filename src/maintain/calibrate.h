#pragma once
// What it takes to keep a promise of recall on one segment, measured with queries whose true neighbours are known.

#include <optional>
#include <span>
#include <vector>

#include "base/task_pool.h"
#include "index/catalog.h"
#include "index/vector/segment.h"

namespace firn::maintain {

/// One thing to search for, and the row it came from: that row does not count among its neighbours.
struct CalibrationQuery {
  std::vector<float> vector;
  std::optional<std::uint32_t> own_row{};
  const index::RowMask* mask = nullptr;         // of its filter
  const index::ListMatches* matches = nullptr;  // the same by lists, with a mask
};

inline constexpr std::size_t kCalibrationQueries = 1000;
/// Fewer real queries than this say too little to go by.
inline constexpr std::size_t kFewestRealQueries = 200;
/// Fills the entry's calibrations, from rows of the table as queries. One scan of all lists for each query, with wide
/// error bounds, finds its true neighbours (k = 10) and the score before each list. From that follows the recall of any
/// stopping score, and of any number of lists; the smallest that reach each promise, with two standard errors to spare,
/// are kept. A promise that no setting reaches is left out.
///
/// Searches with a filter get stops of their own, the highest that four kinds of query ask for: those without a
/// filter, those for a small region and for a half of all rows, both far from the query (correlated filters), and those
/// for a tenth of all rows, chosen by lot (independent ones). The last also tell how much earlier a list may
/// end of which few rows match.
Status Calibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                 std::span<const CalibrationQuery> queries, TaskPool& pool, const Deadline& deadline,
                 index::SegmentEntry& entry);

/// Measures the entry again with queries that were asked: `plain` for stops without a filter, `filtered` for those
/// with one; either is left as it is when there are fewer than kFewestRealQueries. False: nothing was measured.
Result<bool> Recalibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                         std::span<const CalibrationQuery> plain, std::span<const CalibrationQuery> filtered,
                         TaskPool& pool, const Deadline& deadline, index::SegmentEntry& entry);

}  // namespace firn::maintain
