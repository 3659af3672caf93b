#include "maintain/measure_recall.h"

#include <algorithm>
#include <cstdio>
#include <mutex>

#include "maintain/vector_rows.h"

namespace firn::maintain {
namespace {

using table::Snapshot;

struct Query {
  std::vector<float> vector;
  std::optional<std::uint64_t> own_row;  // its address
};

Status Check(const RecallOptions& options) {
  for (const float promise : options.promises) {
    if (promise > 0 && promise <= 1) continue;
    char text[48];
    std::snprintf(text, sizeof text, "recall is %.6g", static_cast<double>(promise));
    return InvalidArgument(text, "A promise is a share of the true nearest rows above 0 and up to 1, such as 0.95");
  }
  const auto within = [](std::string_view what, std::size_t count, std::size_t most) -> Status {
    if (count > 0 && count <= most) return {};
    return InvalidArgument("the number of " + std::string(what) + " is " + std::to_string(count) + ", not from 1 to " +
                           std::to_string(most));
  };
  FIRN_CHECK(within("promises", options.promises.size(), kMaxPromises));
  FIRN_CHECK(within("queries", options.vectors.empty() ? options.queries : options.vectors.size(), kMaxRecallQueries));
  return within("neighbours, k,", options.k, kMaxRecallK);
}

/// Rows at random places.
Result<std::vector<Query>> DrawQueries(const Snapshot& snapshot, const std::string& column,
                                       const RecallOptions& options, const Deadline& deadline) {
  std::vector<Query> queries;
  for (const std::vector<float>& vector : options.vectors) queries.push_back({vector, std::nullopt});
  if (!queries.empty()) return queries;
  const double share = std::min(1.0, 1.2 * static_cast<double>(options.queries) /
                                         static_cast<double>(std::max<std::uint64_t>(1, snapshot.LiveRows())));
  std::mutex mutex;
  std::map<std::uint64_t, Query> drawn;
  FIRN_CHECK(snapshot.ScanPieces(
      {.columns = {column}},
      [&](const Snapshot::Piece& piece) -> Status {
        Random random(options.seed ^
                      lance::MakeRowAddress(piece.fragment->id, piece.OffsetOf(0)) * 0x9E3779B97F4A7C15ULL);
        std::vector<std::int64_t> chosen;
        for (const std::int64_t row : PositionsOf(piece)) {
          if (random.Unit() < share) chosen.push_back(row);
        }
        const FloatRows rows = ToFloats(piece, chosen);
        const std::lock_guard lock(mutex);
        for (std::size_t i = 0; i < rows.offsets.size(); i++) {
          const auto vector = rows.matrix().Row(i);
          const std::uint64_t address = lance::MakeRowAddress(piece.fragment->id, rows.offsets[i]);
          drawn.emplace(address, Query{{vector.begin(), vector.end()}, address});
        }
        return {};
      },
      deadline));
  const std::size_t step = std::max<std::size_t>(1, drawn.size() / std::max<std::size_t>(1, options.queries));
  std::size_t i = 0;
  for (auto& [address, query] : drawn) {
    if (i++ % step == 0 && queries.size() < options.queries) queries.push_back(std::move(query));
  }
  if (queries.empty()) return InvalidArgument("table " + snapshot.name() + " has no rows to measure with");
  return queries;
}

/// Distances of the k nearest, nearest first, without the query's own row.
std::vector<float> Distances(std::span<const simd::Hit> found, const Query& query, std::size_t k) {
  std::vector<float> distances;
  for (const simd::Hit& hit : found) {
    if (hit.row != query.own_row && distances.size() < k) distances.push_back(hit.distance);
  }
  return distances;
}

double RecallOf(std::span<const float> found, std::span<const float> truth) {
  if (truth.empty()) return 1;
  const float bound = truth.back() + 1e-5F * std::abs(truth.back()) + 1e-7F;
  const auto hits = std::ranges::count_if(found, [&](float distance) { return distance <= bound; });
  return static_cast<double>(std::min<std::ptrdiff_t>(hits, static_cast<std::ptrdiff_t>(truth.size()))) /
         static_cast<double>(truth.size());
}

double Median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// The distances of each query's true neighbours: many queries share a scan, since it may read the whole table from a
/// bucket.
Result<std::vector<std::vector<float>>> FindTruth(query::OpenTable& table, query::SearchRequest request,
                                                  const std::vector<Query>& queries, std::size_t k,
                                                  const Deadline& deadline) {
  request.exact = true;
  const std::size_t at_once = std::min<std::size_t>(query::kMaxVectors, query::kMaxRowsOfMany / request.k);
  std::vector<std::vector<float>> truth;
  while (truth.size() < queries.size()) {
    const std::size_t first = truth.size();
    std::vector<std::vector<float>> vectors;
    for (std::size_t i = first; i < std::min(first + at_once, queries.size()); i++)
      vectors.push_back(queries[i].vector);
    FIRN_TRY(const query::NearestOfMany nearest, query::FindNearestOfMany(table, request, vectors, deadline));
    for (const std::vector<simd::Hit>& hits : nearest.hits) truth.push_back(Distances(hits, queries[truth.size()], k));
  }
  return truth;
}

/// Of one exact search; a few of them tell.
Result<double> ExactMillis(query::OpenTable& table, query::SearchRequest request, const std::vector<Query>& queries,
                           const Deadline& deadline) {
  constexpr std::size_t kTimed = 5;
  request.exact = true;
  std::vector<double> milliseconds;
  for (std::size_t i = 0; i < std::min(kTimed, queries.size()); i++) {
    request.vector = queries[i].vector;
    FIRN_TRY(const query::Nearest nearest, query::FindNearest(table, request, deadline));
    milliseconds.push_back(nearest.explain.search_ms);
  }
  return Median(std::move(milliseconds));
}

}  // namespace

Result<RecallReport> MeasureRecall(query::OpenTable& table, const RecallOptions& options, const Deadline& deadline) {
  const Snapshot& snapshot = table.snapshot();
  FIRN_CHECK(Check(options));
  RecallReport report;
  FIRN_TRY(report.column, query::VectorColumn(snapshot, options.column));
  FIRN_TRY(const std::vector<Query> queries, DrawQueries(snapshot, report.column, options, deadline));
  report.queries = queries.size();
  report.k = options.k;

  query::SearchRequest request;
  request.vector_column = report.column;
  request.metric = options.metric ? options.metric : table.IndexedMetric(report.column, deadline);
  request.filter = options.filter;
  request.k = options.k + 1;
  request.measuring = true;
  FIRN_TRY(const auto truth, FindTruth(table, request, queries, options.k, deadline));
  FIRN_TRY(const double exact_ms, ExactMillis(table, request, queries, deadline));
  for (const float promise : options.promises) {
    RecallRow row{.promise = promise, .worst = 1, .exact_ms = exact_ms};
    request.recall = promise;
    std::vector<double> milliseconds;
    for (std::size_t i = 0; i < queries.size(); i++) {
      request.vector = queries[i].vector;
      FIRN_TRY(const query::Nearest found, query::FindNearest(table, request, deadline));
      const double recall = RecallOf(Distances(found.hits, queries[i], options.k), truth[i]);
      row.truth += recall / static_cast<double>(queries.size());
      row.worst = std::min(row.worst, recall);
      row.lists += static_cast<double>(found.explain.lists) / static_cast<double>(queries.size());
      row.candidates += static_cast<double>(found.explain.rows_scanned) / static_cast<double>(queries.size());
      milliseconds.push_back(found.explain.search_ms);
      report.plan = found.explain.plan;
    }
    row.median_ms = Median(milliseconds);
    report.rows.push_back(row);
  }
  return report;
}

}  // namespace firn::maintain
