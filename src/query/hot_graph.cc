#include "query/hot_graph.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "simd/distance.h"

namespace firn::query {
namespace {

constexpr std::size_t kNeighbours = 10;
constexpr std::size_t kQueries = 600;
constexpr std::size_t kBeams[] = {10, 12, 14, 16,  18,  20,  24,  28,  32,  40,  48,  56,
                                  64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024};
constexpr float kPromises[] = {0.5F,  0.7F,  0.8F,   0.85F, 0.9F,   0.93F, 0.95F,
                               0.97F, 0.98F, 0.985F, 0.99F, 0.995F, 0.999F};

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

/// Measures recall against the lists, all of them scanned with wide error bounds.
class BeamMeasure {
 public:
  BeamMeasure(const OpenSegment& segment, const Rows& rows, const index::Graph& graph)
      : segment_(segment), rows_(rows), graph_(graph) {
    Random random(17);
    for (std::size_t i = 0; i < std::min(kQueries, rows.count()); i++) own_.push_back(random.Below(rows.count()));
  }

  Status FindTruth() {
    const index::SegmentHeader& header = segment_.segment->header();
    index::SegmentQuery query;
    for (const std::size_t own : own_) {
      std::vector<float> vector(header.dim);
      rows_.Read(own, vector.data());
      index::ScanCounts counts;
      segment_.segment->Prepare(vector, query);
      FIRN_TRY(const auto found, segment_.segment->Scan(
                                     query, *segment_.lists,
                                     {.k = kNeighbours + 1, .slack = 3.0F, .max_candidates = 4 * kNeighbours}, counts));
      std::vector<simd::Hit> exact;
      for (const index::Candidate& candidate : found) {
        if (candidate.row != rows_.NumberOf(own)) exact.push_back({Exact(vector, candidate.row), candidate.row});
      }
      std::ranges::sort(exact);
      bounds_.push_back(exact.size() < kNeighbours ? std::numeric_limits<float>::max()
                                                   : exact[kNeighbours - 1].distance);
      queries_.push_back(std::move(vector));
    }
    return {};
  }

  /// Mean recall less two standard errors.
  double RecallAt(std::size_t beam) const {
    index::GraphScratch scratch;
    std::vector<simd::Hit> hits;
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < queries_.size(); i++) {
      graph_.Search(queries_[i], beam + 1, std::min(beam + 1, HotGraph::CandidatesOf(kNeighbours) + 1), nullptr,
                    scratch, hits);
      std::size_t right = 0;
      for (const simd::Hit& hit : hits) {
        if (hit.row == own_[i]) continue;
        right += Exact(queries_[i], rows_.NumberOf(hit.row)) <= bounds_[i] * (1 + 1e-6F) + 1e-7F ? 1 : 0;
      }
      const double recall = static_cast<double>(std::min(right, kNeighbours)) / static_cast<double>(kNeighbours);
      sum += recall;
      squares += recall * recall;
    }
    const auto count = static_cast<double>(queries_.size());
    const double mean = sum / count;
    return mean - 2 * std::sqrt(std::max(0.0, squares / count - mean * mean) / count);
  }

 private:
  float Exact(std::span<const float> query, std::uint32_t number) const {
    float distance = 0;
    const index::SegmentHeader& header = segment_.segment->header();
    simd::Distances(header.metric, header.element, query, rows_.Raw(number), 1, {&distance, 1});
    return distance;
  }

  const OpenSegment& segment_;
  const Rows& rows_;
  const index::Graph& graph_;
  std::vector<std::size_t> own_;
  std::vector<std::vector<float>> queries_;
  std::vector<float> bounds_;  // the distance of each query's k-th neighbour
};

}  // namespace

std::size_t HotGraph::CandidatesOf(std::size_t k) { return k + std::max<std::size_t>(10, k / 2); }

std::optional<std::size_t> HotGraph::BeamFor(float recall, std::size_t k) const {
  for (const GraphEffort& effort : efforts) {
    if (effort.recall >= recall - 1e-6F) return std::max(effort.beam * std::max(k, kNeighbours) / kNeighbours, k);
  }
  return std::nullopt;
}

Result<std::shared_ptr<const HotGraph>> BuildHotGraph(const OpenSegment& segment, const ResidentVectors& vectors,
                                                      TaskPool& pool, const Deadline& deadline) {
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
  BeamMeasure measure(segment, rows, *hot->graph);
  FIRN_CHECK(measure.FindTruth());
  std::size_t next = 0;
  for (const std::size_t beam : kBeams) {
    FIRN_CHECK(deadline.Check("measuring a graph"));
    const double recall = measure.RecallAt(beam);
    for (; next < std::size(kPromises) && recall >= static_cast<double>(kPromises[next]); next++)
      hot->efforts.push_back({kPromises[next], beam});
    if (next == std::size(kPromises)) break;
  }
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

bool HotGraphs::Claim(const std::string& segment) {
  const std::lock_guard lock(mutex_);
  return claimed_.insert(segment).second;
}

}  // namespace firn::query
