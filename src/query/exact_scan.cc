#include "query/exact_scan.h"

#include <algorithm>
#include <mutex>

namespace firn::query {
namespace {

using table::Snapshot;

/// Distances of one piece's rows, offered to `top`. Nulls are not candidates.
std::uint64_t ScorePiece(const Snapshot::Piece& piece, const Plan& plan, const SearchRequest& request,
                         simd::TopK& top) {
  const arrow::Array& column = piece.batch.columns.front();
  const auto* values = column.child(0).data().data.data();
  const std::size_t row_bytes = static_cast<std::size_t>(column.type().list_size) * simd::SizeOf(plan.element);
  constexpr std::int64_t kBlock = 1024;
  float distances[kBlock];
  std::uint64_t scored = 0;

  const auto score_run = [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += kBlock) {
      const std::int64_t rows = std::min(kBlock, end - begin);
      simd::Distances(plan.metric, plan.element, request.vector, values + static_cast<std::size_t>(begin) * row_bytes,
                      static_cast<std::size_t>(rows), distances);
      for (std::int64_t i = 0; i < rows; i++) {
        const float distance = distances[i];
        if (distance > top.Bound() || column.IsNull(begin + i)) continue;
        if (request.distance_at_least && distance < *request.distance_at_least) continue;
        if (request.distance_below && distance >= *request.distance_below) continue;
        top.Offer(distance, lance::MakeRowAddress(piece.fragment->id, piece.OffsetOf(begin + i)));
      }
      scored += static_cast<std::uint64_t>(rows);
    }
  };

  if (piece.every_row) {
    score_run(0, piece.batch.rows);
  } else {
    // Neighbouring rows go together.
    for (std::size_t i = 0; i < piece.selected.size();) {
      std::size_t j = i + 1;
      while (j < piece.selected.size() && piece.selected[j] == piece.selected[j - 1] + 1) j++;
      score_run(piece.selected[i], piece.selected[j - 1] + 1);
      i = j;
    }
  }
  return scored;
}

}  // namespace

Result<ExactHits> ScanExactly(const Snapshot& snapshot, const Plan& plan, const SearchRequest& request,
                              const std::vector<const lance::Fragment*>* fragments, const Deadline& deadline) {
  std::mutex mutex;
  simd::TopK best(plan.wanted);
  ExactHits gathered;
  Snapshot::PieceRequest pieces{
      .columns = {plan.column}, .predicate = plan.prefilter ? &*plan.predicate : nullptr, .fragments = {}};
  if (fragments != nullptr) pieces.fragments = *fragments;
  FIRN_CHECK(snapshot.ScanPieces(
      pieces,
      [&](const Snapshot::Piece& piece) -> Status {
        FIRN_CHECK(deadline.Check("the search of " + snapshot.name()));
        simd::TopK top(plan.wanted);
        const std::uint64_t scored = ScorePiece(piece, plan, request, top);
        const std::vector<simd::Hit> hits = top.Take();
        const std::lock_guard lock(mutex);
        for (const simd::Hit& hit : hits) best.Offer(hit.distance, hit.row);
        gathered.scored += scored;
        return {};
      },
      deadline));
  gathered.hits = best.Take();
  return gathered;
}

}  // namespace firn::query
