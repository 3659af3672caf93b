#include "query/index_scan.h"

#include "query/hot_graph.h"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <numeric>

namespace firn::query {
namespace {

constexpr std::uint64_t kMostListBytes = 512ULL << 20;  // that are read for many vectors at once
constexpr std::size_t kTogether = 16;                   // vectors that a thread takes at a time, at most

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

void WalkGraph(const Walk& walk, const OpenSegment& segment, const Plan& plan, const std::vector<float>& vector,
               index::GraphScratch& scratch, std::vector<Estimate>& estimates) {
  std::size_t count = HotGraph::CandidatesOf(plan.wanted);
  if (segment.live) count += count / 8 + 5;
  std::vector<index::Candidate> nearest;
  walk.graph->graph->Search(vector, std::max(walk.beam, plan.wanted), std::min(count, std::max(walk.beam, plan.wanted)),
                            nullptr, scratch, nearest);
  for (const index::Candidate& candidate : nearest) {
    const std::uint32_t row = walk.graph->rows.empty() ? candidate.row : walk.graph->rows[candidate.row];
    if (segment.live && ((*segment.live)[row / 64] >> (row % 64) & 1) == 0) continue;
    estimates.push_back({candidate.distance, candidate.error, segment.AddressOf(row)});
  }
}

/// Vectors that go through the segments together.
struct Group {
  Vectors vectors;
  std::span<std::vector<Estimate>> estimates;  // of each
  std::vector<std::size_t> left;               // vectors that are yet to be scanned, or scanned again
};

/// Runs `body(segment, begin, end)` for places begin to end of group.left, as many as one thread takes at a time.
Status ForEachPart(const OpenTable& table, const Plan& plan, const Group& group,
                   const std::function<Status(std::size_t, std::size_t, std::size_t)>& body, const Deadline& deadline) {
  const std::size_t threads = table.snapshot().environment().pool.size();
  const std::size_t together = std::min((group.left.size() + threads - 1) / threads, kTogether);
  const std::size_t parts = (group.left.size() + together - 1) / together;
  return ForEach(table, plan.index->segments.size() * parts, [&](std::size_t task) -> Status {
    FIRN_CHECK(deadline.Check("the search of " + table.snapshot().name()));
    const std::size_t begin = task % parts * together;
    return body(task / parts, begin, std::min(begin + together, group.left.size()));
  });
}

/// Lists of each segment that are to be read.
struct ListsToRead {
  std::vector<std::vector<std::uint32_t>> lists;  // ascending, each once
  std::uint64_t code_bytes = 0, supplement_bytes = 0;
};

/// `widen` times as many for each vector as are usually enough.
Result<ListsToRead> ChooseLists(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                const Group& group, std::size_t widen, const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  ListsToRead chosen;
  chosen.lists.resize(segments.size());
  const auto to_read = [&](std::size_t s) { return !segments[s].lists && !(plan.mask && plan.mask->matches[s] == 0); };
  bool any = false;
  for (std::size_t s = 0; s < segments.size(); s++) any = any || to_read(s);
  if (!any) return chosen;
  std::mutex mutex;
  std::vector<std::vector<bool>> wanted(segments.size());
  for (std::size_t s = 0; s < segments.size(); s++) wanted[s].resize(segments[s].segment->header().lists.size());
  const auto probe = [&](std::size_t s, std::size_t begin, std::size_t end) -> Status {
    if (!to_read(s)) return {};
    const std::size_t count = ListsFor(segments[s], request, plan, s) * widen;
    const OpenTable::Scratch scratch = table.BorrowScratch();
    for (std::size_t i = begin; i < end; i++) {
      segments[s].segment->Prepare(group.vectors[group.left[i]], scratch->query);
      const std::vector<std::uint32_t> lists = segments[s].segment->Probes(scratch->query, count);
      const std::lock_guard lock(mutex);
      for (const std::uint32_t list : lists) wanted[s][list] = true;
    }
    return {};
  };
  FIRN_CHECK(ForEachPart(table, plan, group, probe, deadline));
  for (std::size_t s = 0; s < segments.size(); s++) {
    const index::SegmentHeader& header = segments[s].segment->header();
    for (std::uint32_t list = 0; list < header.lists.size(); list++) {
      if (!wanted[s][list]) continue;
      chosen.lists[s].push_back(list);
      chosen.code_bytes += header.CodesBytes(header.lists[list]);
      chosen.supplement_bytes += header.SupplementBytes(header.lists[list]);
    }
  }
  return chosen;
}

using LoadedOfEach = std::vector<std::shared_ptr<const index::LoadedLists>>;  // by segment

/// Those that are in memory, and those to read: of all segments, in one round.
Result<LoadedOfEach> LoadLists(const OpenTable& table, const Plan& plan, const ListsToRead& chosen, bool supplements,
                               const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  LoadedOfEach loaded(segments.size());
  std::vector<store::ReadRequest> requests;
  for (std::size_t s = 0; s < segments.size(); s++) {
    loaded[s] = segments[s].lists;
    std::ranges::move(segments[s].segment->Requests(chosen.lists[s], supplements), std::back_inserter(requests));
  }
  if (requests.empty()) return loaded;
  auto answers = table.snapshot().environment().store.ReadMany(requests, deadline);
  if (answers.size() != requests.size()) return Internal("a store gave another number of answers than requests");
  std::span rest(answers);
  for (std::size_t s = 0; s < segments.size(); s++) {
    if (chosen.lists[s].empty()) continue;
    const std::size_t mine = (supplements ? 2 : 1) * chosen.lists[s].size();
    FIRN_TRY(index::LoadedLists accepted, segments[s].segment->Accept(chosen.lists[s], supplements, rest.first(mine)));
    loaded[s] = std::make_shared<const index::LoadedLists>(std::move(accepted));
    rest = rest.subspan(mine);
  }
  return loaded;
}

/// Candidates from indexes that LanceDB built. What their codes say is made exact like every estimate; as nothing is
/// known of the error, more of them are looked at.
Status SearchLanceIndexes(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                          const std::vector<float>& vector, std::vector<Estimate>& estimates,
                          const Deadline& deadline) {
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
             theirs.index->Search(vector, probes, wanted, &accept, deadline, &snapshot.environment().pool));
    for (const simd::Hit& hit : hits)
      estimates.push_back(
          {hit.distance * theirs.index->scale_to_metric(), std::numeric_limits<float>::infinity(), hit.row});
  }
  return {};
}

/// Scans segments for the vectors that are left. Vectors go one by one through all lists of a segment: list by list
/// through all vectors was measured to be no faster where lists are in memory, since codes stay in the cache anyway.
class SegmentScan {
 public:
  SegmentScan(const OpenTable& table, const Plan& plan, const SearchRequest& request,
              std::span<const std::optional<Walk>> walks, Group& group, const LoadedOfEach& loaded, Explain& explain)
      : table_(table),
        plan_(plan),
        request_(request),
        walks_(walks),
        group_(group),
        loaded_(loaded),
        explain_(explain),
        missing_(group.left.size()) {
    for (const std::size_t v : group.left) group.estimates[v].clear();
  }

  /// One segment, for places begin to end of group.left.
  Status Run(std::size_t s, std::size_t begin, std::size_t end) {
    if (!loaded_[s]) return {};
    const OpenTable::Scratch scratch = table_.BorrowScratch();
    for (std::size_t i = begin; i < end; i++) {
      if (walks_[s]) {
        WalkOne(s, i, scratch->graph);
      } else {
        FIRN_CHECK(ScanOne(s, i, scratch->query));
      }
    }
    return {};
  }

  /// Leaves those of the vectors whose scan came to a list that was not loaded.
  void KeepUnfinished() {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < group_.left.size(); i++) {
      if (missing_[i] > 0) group_.left[kept++] = group_.left[i];
    }
    group_.left.resize(kept);
  }

 private:
  void WalkOne(std::size_t s, std::size_t i, index::GraphScratch& scratch) {
    const std::size_t v = group_.left[i];
    std::vector<Estimate> found;
    WalkGraph(*walks_[s], plan_.index->segments[s], plan_, group_.vectors[v], scratch, found);
    const std::lock_guard lock(mutex_);
    group_.estimates[v].insert(group_.estimates[v].end(), found.begin(), found.end());
    explain_.graphs++;
  }

  Status ScanOne(std::size_t s, std::size_t i, index::SegmentQuery& query) {
    const std::size_t v = group_.left[i];
    const OpenSegment& segment = plan_.index->segments[s];
    index::ScanCounts counts;
    segment.segment->Prepare(group_.vectors[v], query);
    FIRN_TRY(const std::span<const index::Candidate> found,
             segment.segment->Scan(query, *loaded_[s], EffortFor(segment, request_, plan_, s), counts));
    const std::lock_guard lock(mutex_);
    for (const index::Candidate& candidate : found)
      group_.estimates[v].push_back({candidate.distance, candidate.error, segment.AddressOf(candidate.row)});
    missing_[i] += counts.missing;
    explain_.lists += counts.lists;
    explain_.rows_estimated += counts.estimated;
    explain_.rows_refined += counts.refined;
    return {};
  }

  const OpenTable& table_;
  const Plan& plan_;
  const SearchRequest& request_;
  const std::span<const std::optional<Walk>> walks_;
  Group& group_;
  const LoadedOfEach& loaded_;
  Explain& explain_;
  std::mutex mutex_;
  std::vector<std::uint64_t> missing_;  // lists that the scan for each vector came to, and that were not loaded
};

/// Every segment for some vectors. Those whose lists do not fit into memory together go by halves.
Status ScanGroup(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                 std::span<const std::optional<Walk>> walks, Vectors vectors,
                 std::span<std::vector<Estimate>> estimates, Explain& explain, const Deadline& deadline) {
  Group group{vectors, estimates, std::vector<std::size_t>(vectors.size())};
  std::iota(group.left.begin(), group.left.end(), std::size_t{0});
  // How many lists it takes was measured without a filter. Rows that match may lie far from the query: then what was
  // loaded leaves the scan before its end, and more is, until the promise is kept.
  for (std::size_t widen = 1; !group.left.empty(); widen *= 4) {
    FIRN_TRY(const ListsToRead chosen, ChooseLists(table, plan, request, group, widen, deadline));
    const bool supplements = chosen.supplement_bytes <= group.left.size() * kMostSupplementBytes;
    if (vectors.size() > 1 && chosen.code_bytes + (supplements ? chosen.supplement_bytes : 0) > kMostListBytes) {
      const std::size_t half = vectors.size() / 2;
      FIRN_CHECK(ScanGroup(table, plan, request, walks, vectors.first(half), estimates.first(half), explain, deadline));
      return ScanGroup(table, plan, request, walks, vectors.subspan(half), estimates.subspan(half), explain, deadline);
    }
    FIRN_TRY(const LoadedOfEach loaded, LoadLists(table, plan, chosen, supplements, deadline));
    SegmentScan scan(table, plan, request, walks, group, loaded, explain);
    FIRN_CHECK(ForEachPart(
        table, plan, group, [&](std::size_t s, std::size_t begin, std::size_t end) { return scan.Run(s, begin, end); },
        deadline));
    if (!plan.mask) break;
    scan.KeepUnfinished();
  }
  return {};
}

}  // namespace

Result<EstimatesOfEach> ScanLists(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                  Vectors vectors, Explain& explain, const Deadline& deadline) {
  const std::vector<OpenSegment>& segments = plan.index->segments;
  std::vector<std::optional<Walk>> walks(segments.size());
  for (std::size_t s = 0; s < segments.size(); s++) walks[s] = WalkFor(table, plan, request, segments[s]);
  EstimatesOfEach estimates(vectors.size());
  FIRN_CHECK(ScanGroup(table, plan, request, walks, vectors, estimates, explain, deadline));
  if (!plan.prefilter && !plan.index->lance.empty()) {
    for (std::size_t v = 0; v < vectors.size(); v++)
      FIRN_CHECK(SearchLanceIndexes(table, plan, request, vectors[v], estimates[v], deadline));
  }
  return estimates;
}

}  // namespace firn::query
