#include "query/index_scan.h"

#include "query/hot_graph.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>

namespace firn::query {
namespace {

/// Supplements are worth their bytes while they are few; else the vectors of more candidates are read instead.
constexpr std::uint64_t kMostSupplementBytes = 2ULL << 20;

bool WorthSupplements(const Plan& plan, const std::vector<std::vector<std::uint32_t>>& lists) {
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < lists.size(); i++) {
    const index::SegmentHeader& header = plan.index->segments[i].segment->header();
    for (const std::uint32_t list : lists[i]) bytes += header.SupplementBytes(header.lists[list]);
  }
  return bytes <= kMostSupplementBytes;
}

/// The graph that answers for a segment, and how wide to search in it. With a filter, or many deleted rows, lists lose
/// no recall where a graph would.
struct Walk {
  std::shared_ptr<const HotGraph> graph;
  std::size_t beam = 0;
};

std::optional<Walk> WalkFor(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                            const OpenSegment& segment) {
  constexpr double kMostlyLive = 0.9;
  if (table.graphs() == nullptr || plan.mask || request.nprobes || !plan.vectors) return std::nullopt;
  if (static_cast<double>(segment.live_rows) < kMostlyLive * static_cast<double>(segment.first_rows.back()))
    return std::nullopt;
  auto graph = table.graphs()->Find(segment.segment->key());
  if (!graph) return std::nullopt;
  const auto beam = graph->BeamFor(request.recall, plan.wanted);
  if (!beam) return std::nullopt;
  return Walk{std::move(graph), *beam};
}

void WalkGraph(const Walk& walk, const OpenSegment& segment, const Plan& plan, const SearchRequest& request,
               index::GraphScratch& scratch, std::vector<Estimate>& estimates) {
  std::size_t count = HotGraph::CandidatesOf(plan.wanted);
  if (segment.live) count += count / 8 + 5;
  std::vector<simd::Hit> hits;
  walk.graph->graph->Search(request.vector, std::max(walk.beam, plan.wanted),
                            std::min(count, std::max(walk.beam, plan.wanted)), nullptr, scratch, hits);
  for (const simd::Hit& hit : hits) {
    const std::uint32_t row =
        walk.graph->rows.empty() ? static_cast<std::uint32_t>(hit.row) : walk.graph->rows[hit.row];
    if (segment.live && ((*segment.live)[row / 64] >> (row % 64) & 1) == 0) continue;
    estimates.push_back({hit.distance, std::numeric_limits<float>::infinity(), segment.AddressOf(row)});
  }
}

/// Lists that are not in memory, of all segments, in one round: `widen` times as many as are usually enough.
Result<std::vector<std::shared_ptr<const index::LoadedLists>>> LoadLists(const OpenTable& table, const Plan& plan,
                                                                         const SearchRequest& request,
                                                                         std::vector<OpenTable::Scratch>& scratch,
                                                                         std::size_t widen, const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  std::vector<std::shared_ptr<const index::LoadedLists>> loaded(segments.size());
  std::vector<std::vector<std::uint32_t>> lists(segments.size());
  std::vector<store::ReadRequest> requests;
  for (std::size_t i = 0; i < segments.size(); i++) {
    loaded[i] = segments[i].lists;
    if (loaded[i] || (plan.mask && plan.mask->matches[i] == 0)) continue;
    lists[i] = segments[i].segment->Probes(scratch[i]->query, ListsFor(segments[i], request, plan, i) * widen);
  }
  const bool supplements = WorthSupplements(plan, lists);
  for (std::size_t i = 0; i < segments.size(); i++)
    std::ranges::move(segments[i].segment->Requests(lists[i], supplements), std::back_inserter(requests));
  if (requests.empty()) return loaded;
  auto answers = table.snapshot().environment().store.ReadMany(requests, deadline);
  if (answers.size() != requests.size()) return Internal("a store gave another number of answers than requests");
  std::span rest(answers);
  for (std::size_t i = 0; i < segments.size(); i++) {
    if (loaded[i] || lists[i].empty()) continue;
    const std::size_t mine = (supplements ? 2 : 1) * lists[i].size();
    FIRN_TRY(index::LoadedLists accepted, segments[i].segment->Accept(lists[i], supplements, rest.first(mine)));
    loaded[i] = std::make_shared<const index::LoadedLists>(std::move(accepted));
    rest = rest.subspan(mine);
  }
  return loaded;
}

/// Candidates from indexes that LanceDB built. What their codes say is made exact like every estimate; as nothing is
/// known of the error, more of them are looked at.
Status SearchLanceIndexes(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                          std::vector<Estimate>& estimates, const Deadline& deadline) {
  constexpr std::size_t kRefine = 10;
  constexpr std::size_t kProbes = 20;
  const table::Snapshot& snapshot = table.snapshot();
  FIRN_TRY(const auto* deletions, snapshot.Deletions(deadline));
  for (const OpenLanceIndex& theirs : plan.index->lance) {
    std::map<std::uint64_t, const lance::DeletionVector*> mine;
    for (const lance::Fragment* fragment : theirs.fragments) {
      const auto deleted = deletions->find(fragment->id);
      mine.emplace(fragment->id, deleted == deletions->end() ? nullptr : &deleted->second);
    }
    const std::function<bool(lance::RowAddress)> accept = [&](lance::RowAddress row) {
      const auto fragment = mine.find(row >> 32);
      return fragment != mine.end() &&
             (fragment->second == nullptr || !fragment->second->Contains(static_cast<std::uint32_t>(row)));
    };
    const std::size_t probes = request.nprobes ? *request.nprobes : std::max(kProbes, theirs.index->partitions() / 10);
    const std::size_t wanted =
        theirs.index->approximate() ? plan.wanted * request.refine.value_or(kRefine) : plan.wanted;
    FIRN_TRY(const std::vector<simd::Hit> hits,
             theirs.index->Search(request.vector, probes, wanted, &accept, deadline, &snapshot.environment().pool));
    for (const simd::Hit& hit : hits)
      estimates.push_back(
          {hit.distance * theirs.index->scale_to_metric(), std::numeric_limits<float>::infinity(), hit.row});
  }
  return {};
}

class ExactDistance {
 public:
  ExactDistance(const Plan& plan, const SearchRequest& request)
      : distance_(plan.metric, plan.element, request.vector), below_(request.distance_below) {}
  float operator()(const std::uint8_t* row) const { return distance_(row); }
  bool Wanted(float distance) const { return !below_ || distance < *below_; }

 private:
  const simd::DistanceFrom distance_;
  const std::optional<float> below_;
};

/// Offers the exact distance of every row, from vectors in memory.
void ScoreResident(const Plan& plan, const SearchRequest& request, std::span<const lance::RowAddress> rows,
                   simd::TopK& top) {
  const ExactDistance exact(plan, request);
  constexpr std::size_t kAhead = 8;
  std::vector<const std::uint8_t*> places(rows.size());
  for (std::size_t i = 0; i < rows.size(); i++) places[i] = plan.vectors->At(rows[i]);
  const std::size_t lines = std::min<std::size_t>((plan.vectors->row_bytes() + 63) / 64, 16);
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (i + kAhead < rows.size() && places[i + kAhead] != nullptr) {
      for (std::size_t line = 0; line < lines; line++) __builtin_prefetch(places[i + kAhead] + 64 * line);
    }
    if (places[i] == nullptr) continue;
    const float distance = exact(places[i]);
    if (exact.Wanted(distance)) top.Offer(distance, rows[i]);
  }
}

/// The columns to show, and the vectors at the end when they are not among them.
std::vector<std::string> ColumnsToRead(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                       bool all) {
  std::vector<std::string> columns;
  if (all && request.columns) columns = *request.columns;
  if (all && !request.columns) {
    for (const arrow::Field& field : table.snapshot().schema()->fields) columns.push_back(field.name);
  }
  if (std::ranges::find(columns, plan.column) == columns.end()) columns.push_back(plan.column);
  return columns;
}

/// The same, from vectors that are read for it: one round.
Status ScoreFetched(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                    std::span<const lance::RowAddress> rows, RowsInHand* in_hand, simd::TopK& top,
                    const Deadline& deadline) {
  FIRN_TRY(arrow::RecordBatch batch,
           table.snapshot().Take(rows, ColumnsToRead(table, plan, request, in_hand != nullptr), false, deadline));
  const arrow::Array& vectors = *batch.Column(plan.column);
  const auto* values = vectors.child(0).data().data.data();
  const std::size_t row_bytes = static_cast<std::size_t>(vectors.type().list_size) * simd::SizeOf(plan.element);
  const ExactDistance exact(plan, request);
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (vectors.IsNull(static_cast<std::int64_t>(i))) continue;
    const float distance = exact(values + i * row_bytes);
    if (exact.Wanted(distance)) top.Offer(distance, rows[i]);
  }
  if (in_hand != nullptr) *in_hand = {{rows.begin(), rows.end()}, std::move(batch)};
  return {};
}

Result<std::vector<simd::Hit>> Score(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                     std::span<const lance::RowAddress> rows, RowsInHand* in_hand, Explain& explain,
                                     const Deadline& deadline) {
  simd::TopK top(plan.wanted);
  if (plan.vectors) {
    ScoreResident(plan, request, rows, top);
  } else if (!rows.empty()) {
    FIRN_CHECK(ScoreFetched(table, plan, request, rows, in_hand, top, deadline));
  }
  explain.rows_scanned += rows.size();
  return top.Take();
}

struct ListScan {
  std::vector<Estimate> estimates;
  std::uint64_t lists = 0;    // scanned
  std::uint64_t missing = 0;  // that a scan came to, and that were not loaded
};

Result<ListScan> ScanSegments(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                              const std::vector<std::optional<Walk>>& walks, std::vector<OpenTable::Scratch>& scratch,
                              std::size_t widen, Explain& explain, const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  FIRN_TRY(const auto loaded, LoadLists(table, plan, request, scratch, widen, deadline));
  ListScan result;
  std::mutex mutex;
  const auto scan = [&](std::size_t i) -> Status {
    if (!loaded[i]) return {};
    FIRN_CHECK(deadline.Check("the search of " + table.snapshot().name()));
    if (walks[i]) {
      std::vector<Estimate> found;
      WalkGraph(*walks[i], segments[i], plan, request, scratch[i]->graph, found);
      const std::lock_guard lock(mutex);
      result.estimates.insert(result.estimates.end(), found.begin(), found.end());
      explain.graphs++;
      return {};
    }
    index::ScanCounts counts;
    FIRN_TRY(
        const std::span<const index::Candidate> found,
        segments[i].segment->Scan(scratch[i]->query, *loaded[i], EffortFor(segments[i], request, plan, i), counts));
    const std::lock_guard lock(mutex);
    for (const index::Candidate& candidate : found)
      result.estimates.push_back({candidate.distance, candidate.error, segments[i].AddressOf(candidate.row)});
    result.lists += counts.lists;
    result.missing += counts.missing;
    explain.lists += counts.lists;
    explain.rows_estimated += counts.estimated;
    explain.rows_refined += counts.refined;
    return {};
  };
  if (segments.size() == 1) {
    FIRN_CHECK(scan(0));
  } else {
    FIRN_CHECK(table.snapshot().environment().pool.ParallelFor(segments.size(), scan));
  }
  return result;
}

}  // namespace

Result<std::vector<Estimate>> ScanLists(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                        Explain& explain, const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  std::vector<OpenTable::Scratch> scratch;
  std::vector<std::optional<Walk>> walks(segments.size());
  for (std::size_t i = 0; i < segments.size(); i++) {
    scratch.push_back(table.BorrowScratch());
    walks[i] = WalkFor(table, plan, request, segments[i]);
    if (!walks[i]) segments[i].segment->Prepare(request.vector, scratch[i]->query);
  }
  std::vector<Estimate> estimates;
  // How many lists it takes was measured without a filter. Rows that match may lie far from the query: then what was
  // loaded leaves the scan far from its end, and more is.
  for (std::size_t widen = 1;; widen *= 4) {
    FIRN_TRY(ListScan scan, ScanSegments(table, plan, request, walks, scratch, widen, explain, deadline));
    const bool near_end = scan.estimates.size() >= plan.wanted && scan.missing <= scan.lists;
    estimates = std::move(scan.estimates);
    if (scan.missing == 0 || near_end || !plan.mask) break;
  }
  if (!plan.prefilter && !plan.index->lance.empty()) {
    FIRN_CHECK(SearchLanceIndexes(table, plan, request, estimates, deadline));
  }
  return estimates;
}

Result<std::vector<simd::Hit>> ScoreMatches(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                            Explain& explain, const Deadline& deadline) {
  return Score(table, plan, request, plan.mask->few, nullptr, explain, deadline);
}

Result<std::vector<simd::Hit>> RankEstimates(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                             std::vector<Estimate> estimates, RowsInHand* in_hand, Explain& explain,
                                             const Deadline& deadline) {
  std::ranges::sort(estimates, [](const Estimate& a, const Estimate& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
  });
  if (estimates.size() > plan.wanted) {
    // The k smallest upper bounds bound what can still be among the k nearest.
    std::vector<float> upper;
    for (const Estimate& estimate : estimates) upper.push_back(estimate.distance + estimate.error);
    std::ranges::nth_element(upper, upper.begin() + static_cast<std::ptrdiff_t>(plan.wanted - 1));
    const float bound = upper[plan.wanted - 1];
    std::erase_if(estimates, [&](const Estimate& estimate) { return estimate.distance - estimate.error > bound; });
  }
  std::vector<lance::RowAddress> rows;
  for (const Estimate& estimate : estimates) rows.push_back(estimate.row);
  explain.candidates += rows.size();
  return Score(table, plan, request, rows, in_hand, explain, deadline);
}

}  // namespace firn::query
