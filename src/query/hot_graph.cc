#include "query/hot_graph.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/random.h"
#include "query/rank.h"
#include "simd/distance.h"

namespace firn::query {
namespace {

constexpr std::size_t kNeighbours = 10;
constexpr std::size_t kQueries = 1000;
constexpr std::size_t kFewestAsked = 200;
constexpr std::size_t kWidestBeam = 1024;
// Where lengths vary, lists find the largest inner products sooner than a graph that must search wider than this.
constexpr std::size_t kWidestBeamForDot = 128;
constexpr float kLeastPromise = 0.9F;  // what is kept with less would be used for hardly any search

/// The segment's vectors as floats, by the graph's row numbers.
class Rows {
 public:
  Rows(const OpenSegment& segment, const ResidentVectors& vectors)
      : segment_(segment),
        vectors_(vectors),
        element_(segment.segment->header().element),
        dim_(segment.segment->header().dim) {
    const auto all = static_cast<std::uint32_t>(segment.first_rows.back());
    for (std::uint32_t row = 0; row < all; row++) {
      if (vectors.At(segment.AddressOf(row)) != nullptr) numbers_.push_back(row);
    }
    if (numbers_.size() == all) numbers_ = {};
    count_ = numbers_.empty() ? all : numbers_.size();
  }

  std::size_t count() const { return count_; }
  std::vector<std::uint32_t> TakeNumbers() { return std::move(numbers_); }
  std::uint32_t NumberOf(std::size_t row) const {
    return numbers_.empty() ? static_cast<std::uint32_t>(row) : numbers_[row];
  }
  const std::uint8_t* Raw(std::uint32_t number) const { return vectors_.At(segment_.AddressOf(number)); }

  void Read(std::size_t row, float* out) const {
    const std::uint8_t* raw = Raw(NumberOf(row));
    for (std::size_t i = 0; i < dim_; i++) {
      switch (element_) {
        case simd::Element::kF32:
          out[i] = LoadLe<float>(raw + 4 * i);
          break;
        case simd::Element::kF16:
          out[i] = arrow::HalfToFloat(LoadLe<std::uint16_t>(raw + 2 * i));
          break;
        case simd::Element::kF64:
          out[i] = static_cast<float>(LoadLe<double>(raw + 8 * i));
          break;
        case simd::Element::kU8:
          out[i] = raw[i];
          break;
        case simd::Element::kI8:
          out[i] = static_cast<std::int8_t>(raw[i]);
      }
    }
    if (segment_.segment->header().metric != simd::Metric::kCosine) return;
    double norm2 = 0;
    for (std::size_t i = 0; i < dim_; i++) norm2 += static_cast<double>(out[i]) * static_cast<double>(out[i]);
    const auto scale = norm2 > 0 ? static_cast<float>(1 / std::sqrt(norm2)) : 0.0F;
    for (std::size_t i = 0; i < dim_; i++) out[i] *= scale;
  }

 private:
  const OpenSegment& segment_;
  const ResidentVectors& vectors_;
  const simd::Element element_;
  const std::size_t dim_;
  std::vector<std::uint32_t> numbers_;
  std::size_t count_ = 0;
};

/// Measures recall against the lists, all of them scanned with wide error bounds. With what was asked, where that is
/// enough; else with rows, each of which is not there while it is the query: the graph would lead a search from the
/// query's own node straight to its neighbours, as it does for no stranger.
class BeamMeasure {
 public:
  BeamMeasure(const OpenSegment& segment, const Rows& rows, const index::Graph& graph, TaskPool& pool)
      : segment_(segment), rows_(rows), graph_(graph), pool_(pool) {}

  Status FindTruth(std::span<const SeenQuery> asked, const Deadline& deadline) {
    const std::size_t dim = segment_.segment->header().dim;
    for (const SeenQuery& query : asked) {
      if (query.filter.empty() && query.vector.size() == dim) queries_.push_back({.vector = query.vector});
    }
    if (queries_.size() < kFewestAsked) {
      queries_.clear();
      Random random(17);
      for (std::size_t i = 0; i < std::min(kQueries, rows_.count()); i++) {
        queries_.push_back({.vector = std::vector<float>(dim), .own_row = random.Below(rows_.count())});
        rows_.Read(*queries_.back().own_row, queries_.back().vector.data());
      }
    }
    return ForEach([&](Query& query, Memory& memory) -> Status {
      FIRN_CHECK(deadline.Check("measuring a graph"));
      index::ScanCounts counts;
      segment_.segment->Prepare(query.vector, memory.scan);
      FIRN_TRY(const auto found, segment_.segment->Scan(
                                     memory.scan, *segment_.lists,
                                     {.k = kNeighbours + 1, .slack = 3.0F, .max_candidates = 4 * kNeighbours}, counts));
      std::vector<simd::Hit> exact;
      for (const index::Candidate& candidate : found) {
        if (!query.own_row || candidate.row != rows_.NumberOf(*query.own_row))
          exact.push_back({Exact(query.vector, candidate.row), candidate.row});
      }
      std::ranges::sort(exact);
      if (exact.size() >= kNeighbours) query.bound = exact[kNeighbours - 1].distance;
      return {};
    });
  }

  /// Mean recall less two standard errors. Measured once.
  Result<double> RecallAt(std::size_t beam, const Deadline& deadline) {
    if (const auto known = known_.find(beam); known != known_.end()) return known->second;
    FIRN_CHECK(deadline.Check("measuring a graph"));
    FIRN_CHECK(ForEach([&](Query& query, Memory& memory) -> Status {
      std::vector<std::uint64_t>& visited = memory.graph.visited;
      visited.resize((graph_.rows() + 63) / 64);
      if (query.own_row) visited[*query.own_row / 64] |= std::uint64_t{1} << (*query.own_row % 64);
      graph_.Search(query.vector, beam, std::min(beam, HotGraph::CandidatesOf(kNeighbours)), nullptr, memory.graph,
                    memory.nearest);
      if (query.own_row) visited[*query.own_row / 64] = 0;
      std::vector<Estimate> estimates;
      for (const auto& [distance, error, row] : memory.nearest) estimates.push_back({distance, error, row});
      const auto right = std::ranges::count_if(Plausible(std::move(estimates), kNeighbours), [&](std::uint64_t row) {
        return Exact(query.vector, rows_.NumberOf(row)) <= query.bound + std::abs(query.bound) * 1e-6F + 1e-7F;
      });
      query.recall = std::min(1.0, static_cast<double>(right) / static_cast<double>(kNeighbours));
      return {};
    }));
    double sum = 0, squares = 0;
    for (const Query& query : queries_) {
      sum += query.recall;
      squares += query.recall * query.recall;
    }
    const auto count = static_cast<double>(queries_.size());
    const double mean = sum / count;
    return known_[beam] = mean - 2 * std::sqrt(std::max(0.0, squares / count - mean * mean) / count);
  }

 private:
  struct Query {
    std::vector<float> vector;
    std::optional<std::size_t> own_row{};                 // of the graph
    float bound = std::numeric_limits<float>::max() / 2;  // the distance of its k-th neighbour
    double recall = 0;
  };
  struct Memory {
    index::SegmentQuery scan;
    index::GraphScratch graph;
    std::vector<index::Candidate> nearest;
  };

  Status ForEach(const std::function<Status(Query&, Memory&)>& work) {
    constexpr std::size_t kAtOnce = 50;
    return pool_.ParallelFor((queries_.size() + kAtOnce - 1) / kAtOnce, [&](std::size_t chunk) -> Status {
      Memory memory;
      for (std::size_t i = chunk * kAtOnce; i < std::min(queries_.size(), (chunk + 1) * kAtOnce); i++)
        FIRN_CHECK(work(queries_[i], memory));
      return {};
    });
  }

  float Exact(std::span<const float> query, std::uint32_t number) const {
    float distance = 0;
    const index::SegmentHeader& header = segment_.segment->header();
    simd::Distances(header.metric, header.element, query, rows_.Raw(number), 1, {&distance, 1});
    return distance;
  }

  const OpenSegment& segment_;
  const Rows& rows_;
  const index::Graph& graph_;
  TaskPool& pool_;
  std::vector<Query> queries_;
  std::map<std::size_t, double> known_;  // recall by beam
};

/// Beams that are tried: each about a sixteenth wider than the one before.
std::vector<std::size_t> Beams(simd::Metric metric) {
  const std::size_t widest = metric == simd::Metric::kDot ? kWidestBeamForDot : kWidestBeam;
  std::vector<std::size_t> beams;
  for (std::size_t beam = kNeighbours; beam <= widest; beam += std::max<std::size_t>(1, beam / 16))
    beams.push_back(beam);
  return beams;
}

}  // namespace

std::size_t HotGraph::CandidatesOf(std::size_t k) { return k + std::max<std::size_t>(10, k / 2); }

std::optional<std::size_t> HotGraph::BeamFor(float recall, std::size_t k) const {
  const auto above = std::ranges::find_if(efforts, [&](const auto& effort) { return effort.recall >= recall - 1e-6F; });
  if (above == efforts.end()) return std::nullopt;
  auto beam = static_cast<double>(above->beam);
  if (above != efforts.begin()) {
    const GraphEffort& below = *(above - 1);
    const double share = std::max(0.0F, above->recall - recall) / (above->recall - below.recall);
    beam -= share * static_cast<double>(above->beam - below.beam);
  }
  return std::max(static_cast<std::size_t>(std::ceil(beam - 1e-3)) * std::max(k, kNeighbours) / kNeighbours, k);
}

Result<std::shared_ptr<const HotGraph>> BuildHotGraph(const OpenSegment& segment, const ResidentVectors& vectors,
                                                      std::span<const SeenQuery> asked, TaskPool& pool,
                                                      const Deadline& deadline) {
  const index::SegmentHeader& header = segment.segment->header();
  if (!segment.lists) return Internal("a graph is built only where the segment is in memory");
  Rows rows(segment, vectors);
  if (rows.count() == 0) return InvalidArgument("there are no vectors");
  auto hot = std::make_shared<HotGraph>();
  const index::RowReader read = [&](std::size_t first, std::size_t count, float* out) -> Status {
    for (std::size_t i = 0; i < count; i++) rows.Read(first + i, out + i * header.dim);
    return deadline.Check("building a graph");
  };
  FIRN_TRY(hot->graph, index::Graph::Build(rows.count(), header.dim, header.metric, read, {}, pool, deadline));
  BeamMeasure measure(segment, rows, *hot->graph, pool);
  FIRN_CHECK(measure.FindTruth(asked, deadline));
  const std::vector<std::size_t> beams = Beams(header.metric);
  std::size_t low = 0;
  for (const float promise : index::kPromises) {
    std::size_t high = beams.size();
    while (low < high) {
      const std::size_t middle = low + (high - low) / 4;  // wide beams take long: they are tried last
      FIRN_TRY(const double recall, measure.RecallAt(beams[middle], deadline));
      if (recall < static_cast<double>(promise)) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (low == beams.size()) break;
    hot->efforts.push_back({promise, beams[low]});
  }
  if (hot->efforts.empty() || hot->efforts.back().recall < kLeastPromise) return nullptr;
  hot->rows = rows.TakeNumbers();
  return std::shared_ptr<const HotGraph>(std::move(hot));
}

std::shared_ptr<const HotGraph> HotGraphs::Find(const std::string& segment) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(graphs_, segment, &Kept::segment);
  if (found == graphs_.end()) return nullptr;
  graphs_.splice(graphs_.begin(), graphs_, found);
  return found->graph;
}

void HotGraphs::Put(const std::string& segment, std::shared_ptr<const HotGraph> graph) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t bytes = graph->SizeBytes();
  if (bytes > capacity_bytes_ || std::ranges::find(graphs_, segment, &Kept::segment) != graphs_.end()) return;
  graphs_.push_front({segment, std::move(graph)});
  bytes_ += bytes;
  while (bytes_ > capacity_bytes_) {
    bytes_ -= graphs_.back().graph->SizeBytes();
    claimed_.erase(graphs_.back().segment);
    graphs_.pop_back();
  }
}

void HotGraphs::Drop(const std::string& segment) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(graphs_, segment, &Kept::segment);
  if (found == graphs_.end()) return;
  bytes_ -= found->graph->SizeBytes();
  graphs_.erase(found);
  claimed_.erase(segment);
}

bool HotGraphs::Claim(const std::string& segment) {
  const std::lock_guard lock(mutex_);
  return claimed_.insert(segment).second;
}

bool HotGraphs::HasRoomFor(std::uint64_t bytes) const {
  const auto memory = memory_ ? memory_() : std::nullopt;
  return !memory || memory->available >= bytes + memory->limit / 10;
}

bool HotGraphs::Relieve() {
  const auto memory = memory_ ? memory_() : std::nullopt;
  if (!memory || memory->available >= memory->limit / 20) return false;
  const std::lock_guard lock(mutex_);
  if (graphs_.empty()) return true;
  bytes_ -= graphs_.back().graph->SizeBytes();
  claimed_.erase(graphs_.back().segment);
  graphs_.pop_back();
  return true;
}

}  // namespace firn::query
