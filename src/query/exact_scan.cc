#include "query/exact_scan.h"

#include <algorithm>
#include <mutex>

namespace firn::query {
namespace {

using table::Snapshot;

constexpr std::size_t kMostAtOnce = 1024;  // rows
constexpr std::size_t kCacheBytes =
    128U << 10;  // of rows that stay near while vector after vector is compared with them

/// Distances of one piece's rows from every vector, offered to its collector. Nulls are not candidates.
std::uint64_t ScorePiece(const Snapshot::Piece& piece, const Plan& plan, const SearchRequest& request, Vectors vectors,
                         std::span<simd::TopK> tops) {
  const arrow::Array& column = piece.batch.columns.front();
  const auto* values = column.child(0).data().data.data();
  const std::size_t row_bytes = static_cast<std::size_t>(column.type().list_size) * simd::SizeOf(plan.element);
  const auto block = static_cast<std::int64_t>(
      vectors.size() == 1 ? kMostAtOnce : std::clamp(kCacheBytes / row_bytes, std::size_t{16}, kMostAtOnce));
  float distances[kMostAtOnce];
  std::uint64_t scored = 0;
  std::vector<simd::DistanceFrom> distance_from;
  for (const std::vector<float>& vector : vectors) distance_from.emplace_back(plan.metric, plan.element, vector);

  const auto score_block = [&](std::int64_t begin, std::int64_t rows, std::size_t v) {
    distance_from[v](values + static_cast<std::size_t>(begin) * row_bytes, static_cast<std::size_t>(rows), distances);
    for (std::int64_t i = 0; i < rows; i++) {
      const float distance = distances[i];
      if (distance > tops[v].Bound() || column.IsNull(begin + i)) continue;
      if (request.distance_at_least && distance < *request.distance_at_least) continue;
      if (request.distance_below && distance >= *request.distance_below) continue;
      tops[v].Offer(distance, lance::MakeRowAddress(piece.fragment->id, piece.OffsetOf(begin + i)));
    }
    scored += static_cast<std::uint64_t>(rows);
  };
  const auto score_run = [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += block) {
      for (std::size_t v = 0; v < vectors.size(); v++) score_block(begin, std::min(block, end - begin), v);
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

Result<ExactHits> ScanExactly(const Snapshot& snapshot, const Plan& plan, const SearchRequest& request, Vectors vectors,
                              const std::vector<const lance::Fragment*>* fragments, const Deadline& deadline) {
  std::mutex mutex;
  std::vector<simd::TopK> best(vectors.size(), simd::TopK(plan.wanted));
  ExactHits gathered;
  Snapshot::PieceRequest pieces{
      .columns = {plan.column}, .predicate = plan.prefilter ? plan.predicate.get() : nullptr, .fragments = {}};
  if (fragments != nullptr) pieces.fragments = *fragments;
  FIRN_CHECK(snapshot.ScanPieces(
      pieces,
      [&](const Snapshot::Piece& piece) -> Status {
        FIRN_CHECK(deadline.Check("the search of " + snapshot.name()));
        std::vector<simd::TopK> tops(vectors.size(), simd::TopK(plan.wanted));
        const std::uint64_t scored = ScorePiece(piece, plan, request, vectors, tops);
        const std::lock_guard lock(mutex);
        for (std::size_t v = 0; v < vectors.size(); v++) {
          for (const simd::Hit& hit : tops[v].Take()) best[v].Offer(hit.distance, hit.row);
        }
        gathered.scored += scored;
        return {};
      },
      deadline));
  for (simd::TopK& top : best) gathered.hits.push_back(top.Take());
  return gathered;
}

}  // namespace firn::query
