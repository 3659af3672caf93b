#include "maintain/calibrate.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace firn::maintain {
namespace {

constexpr std::size_t kNeighbours = 10;
constexpr float kWideSlack = 4.0F;  // what this excludes is not among the nearest, for all that can be measured
constexpr float kSlack = 1.9F;
constexpr float kNever = 1e30F;
constexpr float kUsualPromise = 0.95F;
/// Queries with a made filter, of each kind.
constexpr std::size_t kFilteredQueries = 300;
/// Queries that ask for the same region, which takes a pass over all rows to find.
constexpr std::size_t kQueriesOfRegion = 5;
/// Rows of a region, as a share of all: one topic, and one of two halves.
constexpr double kRegionShares[] = {0.05, 0.5};

/// Where one of a query's true neighbours was found.
struct Neighbour {
  float score = 0;          // before its list; without a filter, the highest so far
  float sparseness = 0;     // log10 of 1 / the share of its list that matches
  std::uint32_t lists = 0;  // of the query's order that must be scanned to reach it
  float Score(float sparse_shift) const { return score + sparse_shift * sparseness; }
};

/// What one query taught.
struct Trace {
  std::vector<Neighbour> neighbours;
  std::size_t lost = 0;  // of them, that the usual error bound excludes
};
using Traces = std::vector<Trace>;

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

bool Holds(const index::RowMask& mask, std::uint32_t row) { return (mask[row / 64] >> (row % 64) & 1) != 0; }

class Tracer {
 public:
  Tracer(const index::VectorSegment& segment, const index::LoadedLists& lists)
      : segment_(segment), lists_(lists), list_of_(ListOfRows(segment, lists)) {}

  std::size_t physical_rows() const { return list_of_.size(); }

  Result<Trace> Of(const CalibrationQuery& query, index::SegmentQuery& scratch) const {
    index::ScanCounts counts;
    segment_.Prepare(query.vector, scratch);
    index::ScanOptions wide{.k = kNeighbours + 1,
                            .slack = kWideSlack,
                            .max_candidates = kNeighbours + 1,
                            .mask = query.mask,
                            .matches = query.matches};
    FIRN_TRY(const std::span<const index::Candidate> all, segment_.Scan(scratch, lists_, wide, counts));
    std::vector<std::uint32_t> neighbours;
    for (const index::Candidate& candidate : all) {
      if (candidate.row != query.own_row && neighbours.size() < kNeighbours) neighbours.push_back(candidate.row);
    }

    // The query's own row takes a place that a stranger's query would have for a neighbour.
    const bool own = query.own_row && (query.mask == nullptr || Holds(*query.mask, *query.own_row));
    std::vector<float> scores;
    index::ScanOptions usual{.k = kNeighbours + (own ? 1 : 0),
                             .slack = kSlack,
                             .max_candidates = 10 * kNeighbours,
                             .mask = query.mask,
                             .matches = query.matches,
                             .scores = &scores};
    FIRN_TRY(const std::span<const index::Candidate> found, segment_.Scan(scratch, lists_, usual, counts));
    const std::vector<std::uint32_t> order = segment_.Probes(scratch, segment_.header().lists.size());
    std::vector<std::uint32_t> rank_of(order.size());
    for (std::uint32_t i = 0; i < order.size(); i++) rank_of[order[i]] = i;
    // Without a filter a scan ends at the first list beyond the stop; with one it passes over that list.
    if (query.matches == nullptr) {
      for (std::size_t i = 1; i < order.size(); i++)
        scores[order[i]] = std::max(scores[order[i]], scores[order[i - 1]]);
    }
    Trace trace;
    for (const std::uint32_t row : neighbours) {
      const std::uint32_t list = list_of_[row];
      Neighbour neighbour{.score = scores[list], .lists = rank_of[list] + 1};
      if (query.matches != nullptr)
        neighbour.sparseness = std::log10(static_cast<float>(segment_.header().lists[list].rows) /
                                          static_cast<float>(std::max(1U, query.matches->counts[list])));
      trace.neighbours.push_back(neighbour);
      trace.lost +=
          std::ranges::none_of(found, [&](const index::Candidate& candidate) { return candidate.row == row; }) ? 1 : 0;
    }
    return trace;
  }

  /// A `share` of all rows: those of the lists nearest to `elsewhere`.
  struct Region {
    index::RowMask mask;
    index::ListMatches matches;
  };
  Result<Region> RegionAround(const CalibrationQuery& elsewhere, double share, index::SegmentQuery& scratch) const {
    const index::SegmentHeader& header = segment_.header();
    Region region{index::RowMask((list_of_.size() + 63) / 64), {}};
    const auto wanted = static_cast<std::size_t>(share * static_cast<double>(header.rows)) + kNeighbours;
    segment_.Prepare(elsewhere.vector, scratch);
    std::size_t held = 0;
    for (const std::uint32_t list : segment_.Probes(scratch, header.lists.size())) {
      if (held >= wanted) break;
      held += header.lists[list].rows;
      for (std::size_t i = 0; i < header.lists[list].rows; i++) {
        const std::uint32_t row = segment_.RowAt(list, lists_.lists[list].codes, i);
        if (row < list_of_.size()) region.mask[row / 64] |= std::uint64_t{1} << (row % 64);
      }
    }
    FIRN_TRY(region.matches, segment_.MatchLists(lists_, region.mask));
    return region;
  }

 private:
  const index::VectorSegment& segment_;
  const index::LoadedLists& lists_;
  const std::vector<std::uint32_t> list_of_;
};

/// Mean recall over the queries, less two standard errors, when `reached` tells which neighbours a search comes to.
template <class Reached>
double SafeRecall(const Traces& traces, const Reached& reached) {
  double sum = 0, squares = 0;
  for (const Trace& trace : traces) {
    double recall = 1;
    if (!trace.neighbours.empty()) {
      const auto found = static_cast<double>(std::ranges::count_if(trace.neighbours, reached));
      recall = std::max(0.0, found - static_cast<double>(trace.lost)) / static_cast<double>(trace.neighbours.size());
    }
    sum += recall;
    squares += recall * recall;
  }
  const auto count = static_cast<double>(traces.size());
  const double mean = sum / count;
  const double variance = std::max(0.0, squares / count - mean * mean);
  return mean - 2 * std::sqrt(variance / count);
}

/// The lowest stop that keeps the promise; kNever when none does.
float StopFor(const Traces& traces, float promise, float sparse_shift) {
  if (traces.empty()) return std::numeric_limits<float>::lowest();
  std::vector<float> stops;
  for (const Trace& trace : traces) {
    for (const Neighbour& neighbour : trace.neighbours) stops.push_back(neighbour.Score(sparse_shift));
  }
  std::ranges::sort(stops);
  stops.erase(std::ranges::unique(stops).begin(), stops.end());
  const auto stop = std::ranges::partition_point(stops, [&](float candidate) {
    return SafeRecall(traces, [&](const Neighbour& each) { return each.Score(sparse_shift) <= candidate; }) <
           static_cast<double>(promise);
  });
  return stop == stops.end() ? kNever : *stop;
}

/// The fewest lists that keep the promise; `all` when none do.
std::uint32_t ListsFor(const Traces& traces, float promise, std::uint32_t all) {
  std::uint32_t low = 1, high = all;
  while (low < high) {
    const std::uint32_t middle = (low + high) / 2;
    if (SafeRecall(traces, [&](const Neighbour& each) { return each.lists <= middle; }) <
        static_cast<double>(promise)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

/// Calls `trace(i, scratch)` for each number below `count`, on all threads.
template <class TraceOne>
Result<Traces> TraceAll(std::size_t count, TaskPool& pool, const Deadline& deadline, const TraceOne& trace) {
  Traces traces(count);
  constexpr std::size_t kAtOnce = 16;
  FIRN_CHECK(pool.ParallelFor((count + kAtOnce - 1) / kAtOnce, [&](std::size_t chunk) -> Status {
    FIRN_CHECK(deadline.Check("calibrating an index"));
    index::SegmentQuery scratch;
    for (std::size_t i = chunk * kAtOnce; i < std::min(count, (chunk + 1) * kAtOnce); i++) {
      FIRN_TRY(traces[i], trace(i, scratch));
    }
    return {};
  }));
  return traces;
}

/// Of the quarter of the queries that is farthest from `place`, some, evenly.
std::vector<std::size_t> FarFrom(const CalibrationQuery& place, std::span<const CalibrationQuery> queries,
                                 simd::Metric metric) {
  const simd::DistanceFrom distance(metric, simd::Element::kF32, place.vector);
  std::vector<std::pair<float, std::size_t>> by_distance;
  for (std::size_t i = 0; i < queries.size(); i++) by_distance.emplace_back(distance(queries[i].vector.data()), i);
  std::ranges::sort(by_distance, std::greater());
  const std::size_t step = std::max<std::size_t>(1, queries.size() / 4 / kQueriesOfRegion);
  std::vector<std::size_t> far;
  for (std::size_t i = 0; i < by_distance.size() && far.size() < kQueriesOfRegion; i += step)
    far.push_back(by_distance[i].second);
  return far;
}

/// Queries ask for regions far from them.
Result<Traces> TraceRegions(const Tracer& tracer, simd::Metric metric, double share,
                            std::span<const CalibrationQuery> queries, TaskPool& pool, const Deadline& deadline) {
  const std::size_t regions = std::min(kFilteredQueries, queries.size()) / kQueriesOfRegion;
  std::vector<Traces> traces(regions);
  FIRN_CHECK(pool.ParallelFor(regions, [&](std::size_t r) -> Status {
    FIRN_CHECK(deadline.Check("calibrating an index"));
    index::SegmentQuery scratch;
    const CalibrationQuery& centre = queries[r * queries.size() / regions];
    FIRN_TRY(const Tracer::Region region, tracer.RegionAround(centre, share, scratch));
    for (const std::size_t i : FarFrom(centre, queries, metric)) {
      CalibrationQuery query = queries[i];
      query.mask = &region.mask;
      query.matches = &region.matches;
      FIRN_TRY(Trace trace, tracer.Of(query, scratch));
      traces[r].push_back(std::move(trace));
    }
    return {};
  }));
  Traces all;
  for (Traces& each : traces) std::ranges::move(each, std::back_inserter(all));
  return all;
}

/// The queries ask for a tenth of the rows.
Result<Traces> TraceTenths(const Tracer& tracer, const index::VectorSegment& segment, const index::LoadedLists& lists,
                           std::span<const CalibrationQuery> queries, TaskPool& pool, const Deadline& deadline) {
  index::RowMask tenth((tracer.physical_rows() + 63) / 64);
  for (std::uint64_t row = 0; row < tracer.physical_rows(); row++) {
    if ((row * 0x9E3779B97F4A7C15ULL >> 32) % 10 == 0) tenth[row / 64] |= std::uint64_t{1} << (row % 64);
  }
  FIRN_TRY(const index::ListMatches matches, segment.MatchLists(lists, tenth));
  const std::size_t count = std::min(kFilteredQueries, queries.size());
  return TraceAll(count, pool, deadline, [&](std::size_t i, index::SegmentQuery& scratch) -> Result<Trace> {
    CalibrationQuery query = queries[queries.size() - count + i];
    query.mask = &tenth;
    query.matches = &matches;
    return tracer.Of(query, scratch);
  });
}

}  // namespace

Status Calibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                 std::span<const CalibrationQuery> queries, TaskPool& pool, const Deadline& deadline,
                 index::SegmentEntry& entry) {
  entry.calibrations.clear();
  entry.measured_queries = static_cast<std::uint32_t>(queries.size());
  entry.real_queries = 0;
  if (queries.empty()) return {};
  const Tracer tracer(segment, lists);
  FIRN_TRY(const Traces plain,
           TraceAll(queries.size(), pool, deadline,
                    [&](std::size_t i, index::SegmentQuery& scratch) { return tracer.Of(queries[i], scratch); }));
  std::vector<Traces> regions;
  for (const double share : kRegionShares) {
    FIRN_TRY(regions.emplace_back(), TraceRegions(tracer, entry.metric, share, queries, pool, deadline));
  }
  FIRN_TRY(const Traces tenths, TraceTenths(tracer, segment, lists, queries, pool, deadline));
  const float shift = StopFor(plain, kUsualPromise, 0) - StopFor(tenths, kUsualPromise, 0);
  entry.sparse_shift = shift > 0 && shift < 100 ? shift : 0;
  for (const float promise : index::kPromises) {
    const float stop = StopFor(plain, promise, 0);
    if (stop == kNever) break;
    float filtered = std::max(stop, StopFor(tenths, promise, entry.sparse_shift));
    for (const Traces& each : regions) filtered = std::max(filtered, StopFor(each, promise, entry.sparse_shift));
    entry.calibrations.push_back(
        {promise, stop, filtered, kSlack, ListsFor(plain, promise, static_cast<std::uint32_t>(entry.lists))});
  }
  return {};
}

Result<bool> Recalibrate(const index::VectorSegment& segment, const index::LoadedLists& lists,
                         std::span<const CalibrationQuery> plain, std::span<const CalibrationQuery> filtered,
                         TaskPool& pool, const Deadline& deadline, index::SegmentEntry& entry) {
  if (plain.size() < kFewestRealQueries) plain = {};
  if (filtered.size() < kFewestRealQueries) filtered = {};
  if (plain.empty() && filtered.empty()) return false;
  const Tracer tracer(segment, lists);
  const auto trace = [&](std::span<const CalibrationQuery> queries) {
    return TraceAll(queries.size(), pool, deadline,
                    [&](std::size_t i, index::SegmentQuery& scratch) { return tracer.Of(queries[i], scratch); });
  };
  FIRN_TRY(const Traces plain_traces, trace(plain));
  FIRN_TRY(const Traces filtered_traces, trace(filtered));
  for (index::Calibration& calibration : entry.calibrations) {
    if (!plain.empty()) {
      calibration.stop = StopFor(plain_traces, calibration.recall, 0);
      calibration.lists = ListsFor(plain_traces, calibration.recall, entry.lists);
    }
    if (!filtered.empty()) calibration.filtered_stop = StopFor(filtered_traces, calibration.recall, entry.sparse_shift);
  }
  entry.real_queries = static_cast<std::uint32_t>(plain.size() + filtered.size());
  return true;
}

}  // namespace firn::maintain
