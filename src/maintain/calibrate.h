#pragma once
// What it takes to keep a promise of recall on one segment, measured with queries whose true neighbours are known.

#include <vector>

#include "index/catalog.h"
#include "index/vector/segment.h"
#include "query/resident_vectors.h"

namespace firn::maintain {

/// One thing to search for, and the row it came from: that row does not count among its neighbours.
struct CalibrationQuery {
  std::vector<float> vector;
  std::optional<std::uint32_t> own_row;
};

inline constexpr std::size_t kCalibrationQueries = 1000;
/// The promises that are measured; a request takes the next one above.
inline constexpr float kPromises[] = {0.5F,  0.7F,  0.8F,   0.85F, 0.9F,   0.93F, 0.95F,
                                      0.97F, 0.98F, 0.985F, 0.99F, 0.995F, 0.999F};

/// One scan of all lists for each query, with wide error bounds, finds its true neighbours (k = 10) and the order in
/// which lists would have been scanned. From that follows the recall of any stopping score, and of any number of lists;
/// the smallest that reach each promise, with two standard errors to spare, are kept. A promise that no setting reaches
/// is left out.
Result<std::vector<index::Calibration>> Calibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                                                  std::span<const CalibrationQuery> queries, TaskPool& pool,
                                                  const Deadline& deadline);

}  // namespace firn::maintain
