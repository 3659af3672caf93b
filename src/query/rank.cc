#include "query/rank.h"

#include <algorithm>

namespace firn::query {
namespace {

/// Of rows' vectors that are read at once; more of them are read in turns.
constexpr std::uint64_t kMostFetchedBytes = 256ULL << 20;

class ExactDistance {
 public:
  ExactDistance(const Plan& plan, const SearchRequest& request, const std::vector<float>& vector)
      : distance_(plan.metric, plan.element, vector), below_(request.distance_below) {}
  float operator()(const std::uint8_t* row) const { return distance_(row); }
  bool Wanted(float distance) const { return !below_ || distance < *below_; }

 private:
  const simd::DistanceFrom distance_;
  const std::optional<float> below_;
};

using RowsToScore = std::vector<std::span<const lance::RowAddress>>;  // by vector

/// Offers the exact distance of every row, from vectors in memory, where `places` says.
void ScoreResident(const Plan& plan, const ExactDistance& exact, std::span<const lance::RowAddress> rows,
                   std::span<const std::uint8_t* const> places, simd::TopK& top) {
  constexpr std::size_t kAhead = 6;
  const std::size_t lines = std::min<std::size_t>((plan.vectors->row_bytes() + 63) / 64, 16);
  const auto prefetch = [&](std::size_t i) {
    if (i >= rows.size() || places[i] == nullptr) return;
    for (std::size_t line = 0; line < lines; line++) __builtin_prefetch(places[i] + 64 * line);
  };
  for (std::size_t i = 0; i < kAhead; i++) prefetch(i);
  for (std::size_t i = 0; i < rows.size(); i++) {
    prefetch(i + kAhead);
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

std::vector<lance::RowAddress> Ascending(std::vector<lance::RowAddress> rows) {
  std::ranges::sort(rows);
  rows.erase(std::ranges::unique(rows).begin(), rows.end());
  return rows;
}

/// Offers the exact distances of those of a vector's rows that are among the fetched ones.
void ScoreInHand(const Plan& plan, const ExactDistance& exact, std::span<const lance::RowAddress> rows,
                 std::span<const lance::RowAddress> fetched, const arrow::Array& vectors, simd::TopK& top) {
  const auto* values = vectors.child(0).data().data.data();
  const std::size_t row_bytes = static_cast<std::size_t>(vectors.type().list_size) * simd::SizeOf(plan.element);
  for (const lance::RowAddress row : rows) {
    const std::size_t place = PlaceOf(row, fetched);
    if (place == fetched.size() || fetched[place] != row || vectors.IsNull(static_cast<std::int64_t>(place))) continue;
    const float distance = exact(values + place * row_bytes);
    if (exact.Wanted(distance)) top.Offer(distance, row);
  }
}

/// The same as ScoreResident for all vectors, from rows that are read for it: one round, unless they are very many.
Status ScoreFetched(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                    const RowsToScore& rows, RowsInHand* in_hand, std::span<simd::TopK> tops,
                    const Deadline& deadline) {
  std::vector<lance::RowAddress> wanted;
  for (const auto each : rows) wanted.insert(wanted.end(), each.begin(), each.end());
  wanted = Ascending(std::move(wanted));
  const std::size_t row_bytes = vectors.front().size() * simd::SizeOf(plan.element);
  const std::size_t at_once = std::max<std::size_t>(kMostFetchedBytes / row_bytes, 1);
  if (wanted.size() > at_once) in_hand = nullptr;
  const std::vector<std::string> columns = ColumnsToRead(table, plan, request, in_hand != nullptr);
  for (std::size_t begin = 0; begin < wanted.size(); begin += at_once) {
    const auto some =
        std::span<const lance::RowAddress>(wanted).subspan(begin, std::min(at_once, wanted.size() - begin));
    FIRN_TRY(arrow::RecordBatch batch, table.snapshot().Take(some, columns, false, deadline));
    for (std::size_t v = 0; v < vectors.size(); v++) {
      ScoreInHand(plan, ExactDistance(plan, request, vectors[v]), rows[v], some, *batch.Column(plan.column), tops[v]);
    }
    if (in_hand != nullptr) in_hand->rows = std::move(batch);
  }
  if (in_hand != nullptr) in_hand->addresses = std::move(wanted);
  return {};
}

Result<HitsOfEach> Score(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                         const RowsToScore& rows, RowsInHand* in_hand, Explain& explain, const Deadline& deadline) {
  for (const auto each : rows) explain.rows_scanned += each.size();
  HitsOfEach hits(vectors.size());
  if (plan.vectors) {
    FIRN_CHECK(ForEach(table, vectors.size(), [&](std::size_t v) -> Status {
      simd::TopK top(plan.wanted);
      std::vector<const std::uint8_t*> found;
      std::span<const std::uint8_t* const> places;
      if (plan.way == Way::kMatches && plan.mask->vectors == plan.vectors) {
        places = plan.mask->few_places;
      } else {
        for (const lance::RowAddress row : rows[v]) found.push_back(plan.vectors->At(row));
        places = found;
      }
      ScoreResident(plan, ExactDistance(plan, request, vectors[v]), rows[v], places, top);
      hits[v] = top.Take();
      return {};
    }));
    return hits;
  }
  std::vector<simd::TopK> tops(vectors.size(), simd::TopK(plan.wanted));
  FIRN_CHECK(ScoreFetched(table, plan, request, vectors, rows, in_hand, tops, deadline));
  for (std::size_t v = 0; v < vectors.size(); v++) hits[v] = tops[v].Take();
  return hits;
}

}  // namespace

std::vector<lance::RowAddress> Plausible(std::vector<Estimate> estimates, std::size_t wanted) {
  std::ranges::sort(estimates, [](const Estimate& a, const Estimate& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.row < b.row);
  });
  if (estimates.size() > wanted) {
    // The k smallest upper bounds bound what can still be among the k nearest.
    std::vector<float> upper;
    for (const Estimate& estimate : estimates) upper.push_back(estimate.distance + estimate.error);
    std::ranges::nth_element(upper, upper.begin() + static_cast<std::ptrdiff_t>(wanted - 1));
    const float bound = upper[wanted - 1];
    std::erase_if(estimates, [&](const Estimate& estimate) { return estimate.distance - estimate.error > bound; });
  }
  std::vector<lance::RowAddress> rows;
  for (const Estimate& estimate : estimates) rows.push_back(estimate.row);
  return rows;
}

Status ForEach(const OpenTable& table, std::size_t count, const std::function<Status(std::size_t)>& body) {
  if (count == 1) return body(0);
  return table.snapshot().environment().pool.ParallelFor(count, body);
}

std::vector<lance::RowAddress> RowsOfEach(const HitsOfEach& hits) {
  std::vector<lance::RowAddress> rows;
  for (const std::vector<simd::Hit>& each : hits) {
    for (const simd::Hit& hit : each) rows.push_back(hit.row);
  }
  return Ascending(std::move(rows));
}

std::size_t PlaceOf(lance::RowAddress address, std::span<const lance::RowAddress> ascending) {
  return static_cast<std::size_t>(std::ranges::lower_bound(ascending, address) - ascending.begin());
}

Result<HitsOfEach> ScoreMatches(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                                Explain& explain, const Deadline& deadline) {
  return Score(table, plan, request, vectors, RowsToScore(vectors.size(), plan.mask->few), nullptr, explain, deadline);
}

Result<HitsOfEach> RankEstimates(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                 Vectors vectors, EstimatesOfEach estimates, RowsInHand* in_hand, Explain& explain,
                                 const Deadline& deadline) {
  std::vector<std::vector<lance::RowAddress>> rows(vectors.size());
  FIRN_CHECK(ForEach(table, vectors.size(), [&](std::size_t v) -> Status {
    rows[v] = Plausible(std::move(estimates[v]), plan.wanted);
    return {};
  }));
  for (const auto& each : rows) explain.candidates += each.size();
  return Score(table, plan, request, vectors, RowsToScore(rows.begin(), rows.end()), in_hand, explain, deadline);
}

}  // namespace firn::query
