#pragma once
// Which of the rows near a row become its neighbours in a graph.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "index/vector/byte_rows.h"

namespace firn::index {

/// `degree` per row, those not in use kNoRow at the end.
struct Adjacency {
  std::size_t degree;
  std::vector<Neighbour> edges;

  std::span<Neighbour> Of(std::size_t row) { return {&edges[row * degree], degree}; }
  std::span<const Neighbour> Of(std::size_t row) const { return {&edges[row * degree], degree}; }
};

/// The relative-neighbourhood rule: a candidate is dropped when a chosen neighbour is nearer to it, by a factor, than
/// the row is (Vamana: Subramanya et al., 2019). The factor grows until all places are taken: codes come 32 at a time,
/// so that an empty place saves nothing. One per thread.
class Selection {
 public:
  Selection(const ByteRows& rows, std::size_t degree) : rows_(rows), degree_(degree) {}

  /// Writes those chosen, nearest first, then kNoRow. Repeated rows count once. Leaves in `candidates` what was
  /// dropped.
  void Choose(std::uint32_t row, std::vector<Neighbour>& candidates, std::span<Neighbour> chosen);

 private:
  bool IsNearerToChosen(const Neighbour& candidate, std::span<const Neighbour> chosen, float alpha);

  const ByteRows& rows_;
  std::size_t degree_;
  std::vector<std::int8_t> chosen_bytes_;
};

/// Offers every edge to its other end too, and chooses again.
Status AddReverseEdges(const ByteRows& rows, Adjacency& adjacency, TaskPool& pool, const Deadline& deadline);

/// Fills places left over with the nearest of `nearest` (`per_row` a row) that are not neighbours yet.
void FillUp(std::span<const Neighbour> nearest, std::size_t per_row, Adjacency& adjacency);

/// Makes every row reachable from `root`: a row that is not gets an edge from the nearest row that is and has a place,
/// or takes the last place of one.
void Connect(const ByteRows& rows, std::span<const Neighbour> nearest, std::size_t per_row, std::uint32_t root,
             Adjacency& adjacency);

}  // namespace firn::index
