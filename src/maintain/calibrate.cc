#include "maintain/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace firn::maintain {
namespace {

constexpr std::size_t kNeighbours = 10;
constexpr float kWideSlack = 4.0F;  // what this excludes is not among the nearest, for all that can be measured
constexpr float kSlack = 1.9F;

/// What one query taught: where its neighbours lie in the order of lists, and the scores before each list.
struct Trace {
  std::vector<std::uint32_t> ranks;  // of the lists of the true neighbours, ascending
  std::vector<float> scores;         // running maximum of the score before each list
  std::size_t lost = 0;              // neighbours that the usual error bound excludes
};

std::vector<std::uint32_t> ListOfRows(const index::VectorSegment& segment, const index::LoadedLists& lists) {
  const index::SegmentHeader& header = segment.header();
  std::uint64_t rows = 0;
  for (const index::SegmentFragment& fragment : header.fragments) rows += fragment.rows;
  std::vector<std::uint32_t> list_of(rows, std::numeric_limits<std::uint32_t>::max());
  for (std::uint32_t list = 0; list < header.lists.size(); list++) {
    for (std::size_t i = 0; i < header.lists[list].rows; i++) {
      const std::uint32_t row = segment.RowAt(list, lists.lists[list].codes, i);
      if (row < rows) list_of[row] = list;
    }
  }
  return list_of;
}

class Tracer {
 public:
  Tracer(const index::VectorSegment& segment, const index::LoadedLists& lists)
      : segment_(segment), lists_(lists), list_of_(ListOfRows(segment, lists)) {}

  Result<Trace> Of(const CalibrationQuery& query, index::SegmentQuery& scratch) const {
    index::ScanCounts counts;
    segment_.Prepare(query.vector, scratch);
    index::ScanOptions wide{.k = kNeighbours + 1, .slack = kWideSlack, .max_candidates = kNeighbours + 1};
    FIRN_TRY(const std::span<const index::Candidate> all, segment_.Scan(scratch, lists_, wide, counts));
    std::vector<std::uint32_t> neighbours;
    for (const index::Candidate& candidate : all) {
      if (candidate.row != query.own_row && neighbours.size() < kNeighbours) neighbours.push_back(candidate.row);
    }

    Trace trace;
    const std::vector<std::uint32_t> order = segment_.Probes(scratch, segment_.header().lists.size());
    std::vector<std::uint32_t> rank_of(order.size());
    for (std::uint32_t i = 0; i < order.size(); i++) rank_of[order[i]] = i;
    for (const std::uint32_t row : neighbours) trace.ranks.push_back(rank_of[list_of_[row]]);
    std::ranges::sort(trace.ranks);

    // The query's own row takes a place that a stranger's query would have for a neighbour.
    const std::size_t k = kNeighbours + (query.own_row ? 1 : 0);
    index::ScanOptions usual{.k = k, .slack = kSlack, .max_candidates = 10 * kNeighbours, .scores = &trace.scores};
    FIRN_TRY(const std::span<const index::Candidate> found, segment_.Scan(scratch, lists_, usual, counts));
    for (const std::uint32_t row : neighbours)
      trace.lost +=
          std::ranges::none_of(found, [&](const index::Candidate& candidate) { return candidate.row == row; }) ? 1 : 0;
    for (std::size_t i = 1; i < trace.scores.size(); i++)
      trace.scores[i] = std::max(trace.scores[i], trace.scores[i - 1]);
    return trace;
  }

 private:
  const index::VectorSegment& segment_;
  const index::LoadedLists& lists_;
  const std::vector<std::uint32_t> list_of_;
};

/// Mean recall over the queries, less two standard errors, when query i scans `lists_of(trace)` lists.
template <class ListsOf>
double SafeRecall(std::span<const Trace> traces, const ListsOf& lists_of) {
  double sum = 0, squares = 0;
  for (const Trace& trace : traces) {
    if (trace.ranks.empty()) {
      sum += 1;
      squares += 1;
      continue;
    }
    const std::size_t lists = lists_of(trace);
    const auto reached = static_cast<double>(std::ranges::lower_bound(trace.ranks, lists) - trace.ranks.begin());
    const double recall =
        std::max(0.0, reached - static_cast<double>(trace.lost)) / static_cast<double>(trace.ranks.size());
    sum += recall;
    squares += recall * recall;
  }
  const auto count = static_cast<double>(traces.size());
  const double mean = sum / count;
  const double variance = std::max(0.0, squares / count - mean * mean);
  return mean - 2 * std::sqrt(variance / count);
}

std::size_t ListsBefore(const Trace& trace, float stop) {
  return static_cast<std::size_t>(std::ranges::upper_bound(trace.scores, stop) - trace.scores.begin());
}

}  // namespace

Result<std::vector<index::Calibration>> Calibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                                                  std::span<const CalibrationQuery> queries, TaskPool& pool,
                                                  const Deadline& deadline) {
  std::vector<index::Calibration> calibrations;
  if (queries.empty()) return calibrations;
  const Tracer tracer(segment, lists);
  std::vector<Trace> traces(queries.size());
  constexpr std::size_t kAtOnce = 16;
  FIRN_CHECK(pool.ParallelFor((queries.size() + kAtOnce - 1) / kAtOnce, [&](std::size_t chunk) -> Status {
    FIRN_CHECK(deadline.Check("calibrating an index"));
    index::SegmentQuery scratch;
    for (std::size_t i = chunk * kAtOnce; i < std::min(queries.size(), (chunk + 1) * kAtOnce); i++) {
      FIRN_TRY(traces[i], tracer.Of(queries[i], scratch));
    }
    return {};
  }));

  // Candidate settings: every score and every rank that matters.
  std::vector<float> stops;
  for (const Trace& trace : traces) {
    for (const std::uint32_t rank : trace.ranks) stops.push_back(trace.scores[rank]);
  }
  std::ranges::sort(stops);
  stops.erase(std::ranges::unique(stops).begin(), stops.end());
  const std::size_t all = segment.header().lists.size();
  for (const float promise : kPromises) {
    const auto stop = std::ranges::partition_point(stops, [&](float candidate) {
      return SafeRecall(traces, [&](const Trace& trace) { return ListsBefore(trace, candidate); }) <
             static_cast<double>(promise);
    });
    if (stop == stops.end()) break;
    std::size_t low = 1, high = all;
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      if (SafeRecall(traces, [&](const Trace&) { return middle; }) < static_cast<double>(promise)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    calibrations.push_back({promise, *stop, kSlack, static_cast<std::uint32_t>(low)});
  }
  return calibrations;
}

}  // namespace firn::maintain
