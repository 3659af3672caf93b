#include "query/search.h"

#include <algorithm>

#include "query/exact_scan.h"
#include "query/index_scan.h"
#include "query/plan.h"
#include "query/planned_reads.h"
#include "query/rank.h"

namespace firn::query {
namespace {

using arrow::TypeId;
using table::Snapshot;

/// What leaves found for each vector: exact distances, and estimates that are yet to be made exact.
struct Found {
  HitsOfEach hits;
  EstimatesOfEach estimates;    // empty: none of any
  std::optional<Error> damage;  // the index is not what it should be; the rest is not filled
};

bool IsDamage(const Error& error) {
  return error.kind == ErrorKind::kDataCorruption || error.kind == ErrorKind::kNotFound ||
         error.kind == ErrorKind::kUnsupported;
}

Result<Found> Scatter(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                      Explain& explain, const Deadline& deadline) {
  const Snapshot& snapshot = table.snapshot();
  Found found{.hits = HitsOfEach(vectors.size()), .estimates = {}, .damage = {}};
  if (plan.way == Way::kLists) {
    Result<EstimatesOfEach> estimates = ScanLists(table, plan, request, vectors, explain, deadline);
    if (!estimates && IsDamage(estimates.error())) {
      found.damage = std::move(estimates).error();
      return found;
    }
    if (!estimates) return std::move(estimates).error();
    found.estimates = *std::move(estimates);
  } else if (plan.way == Way::kMatches) {
    FIRN_TRY(found.hits, ScoreMatches(table, plan, request, vectors, explain, deadline));
  }
  const std::vector<const lance::Fragment*> unindexed =
      plan.way == Way::kExact ? std::vector<const lance::Fragment*>() : FragmentsToScan(plan);
  if (plan.way == Way::kExact || !unindexed.empty()) {
    FIRN_TRY(ExactHits exact,
             ScanExactly(snapshot, plan, request, vectors, plan.way == Way::kExact ? nullptr : &unindexed, deadline));
    explain.rows_scanned += exact.scored;
    for (std::size_t v = 0; v < vectors.size(); v++)
      std::ranges::move(exact.hits[v], std::back_inserter(found.hits[v]));
  }
  return found;
}

/// The nearest of all: estimates that may be among them get their exact distance first.
Result<HitsOfEach> Merge(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors,
                         Found found, RowsInHand* in_hand, Explain& explain, const Deadline& deadline) {
  if (!found.estimates.empty()) {
    FIRN_TRY(const HitsOfEach ranked,
             RankEstimates(table, plan, request, vectors, std::move(found.estimates), in_hand, explain, deadline));
    for (std::size_t v = 0; v < vectors.size(); v++)
      found.hits[v].insert(found.hits[v].end(), ranked[v].begin(), ranked[v].end());
  }
  for (std::vector<simd::Hit>& hits : found.hits) {
    std::ranges::sort(hits);
    if (hits.size() > plan.wanted) hits.resize(plan.wanted);
  }
  return std::move(found.hits);
}

/// Of the nearest, those for which the filter holds.
Status Postfilter(const Snapshot& snapshot, const filter::Predicate& predicate, HitsOfEach& nearest,
                  const Deadline& deadline) {
  const std::vector<lance::RowAddress> rows = RowsOfEach(nearest);
  const std::vector<std::string> columns(predicate.columns().begin(), predicate.columns().end());
  FIRN_TRY(const arrow::RecordBatch values, snapshot.Take(rows, columns, false, deadline));
  FIRN_TRY(const std::vector<std::int64_t> kept, predicate.Select(values));
  std::vector<bool> passes(rows.size());
  for (const std::int64_t row : kept) passes[static_cast<std::size_t>(row)] = true;
  for (std::vector<simd::Hit>& hits : nearest)
    std::erase_if(hits, [&](const simd::Hit& hit) { return !passes[PlaceOf(hit.row, rows)]; });
  return {};
}

/// The rows at `addresses` out of those in hand; empty when one of them is not there.
Result<std::optional<arrow::RecordBatch>> PickInHand(const Snapshot& snapshot, const RowsInHand& in_hand,
                                                     std::span<const lance::RowAddress> addresses,
                                                     const SearchRequest& request) {
  // Nothing is in hand, not even a schema: also when no row is wanted.
  if (in_hand.addresses.empty()) return std::optional<arrow::RecordBatch>();
  std::vector<std::int64_t> picked;
  for (const lance::RowAddress address : addresses) {
    const std::size_t place = PlaceOf(address, in_hand.addresses);
    if (place == in_hand.addresses.size() || in_hand.addresses[place] != address)
      return std::optional<arrow::RecordBatch>();
    picked.push_back(static_cast<std::int64_t>(place));
  }
  FIRN_TRY(const arrow::SchemaPtr schema, snapshot.ProjectedSchema(request.columns, request.with_row_address));
  arrow::RecordBatch rows{schema, {}, static_cast<std::int64_t>(addresses.size())};
  for (const arrow::Field& field : schema->fields) {
    if (const arrow::Array* column = in_hand.rows.Column(field.name)) {
      rows.columns.push_back(arrow::Take(*column, picked));
      continue;
    }
    arrow::ArrayData ids;  // the row addresses, which come last
    ids.type = field.type;
    ids.length = rows.rows;
    ids.data = Buffer::OfValues(std::vector<std::uint64_t>(addresses.begin(), addresses.end()));
    rows.columns.emplace_back(std::move(ids));
  }
  return std::optional<arrow::RecordBatch>(std::move(rows));
}

/// The rows of all hits, in one batch.
Result<arrow::RecordBatch> Fetch(const Snapshot& snapshot, std::span<const simd::Hit> hits, const RowsInHand& in_hand,
                                 const SearchRequest& request, const Deadline& deadline) {
  std::vector<lance::RowAddress> addresses;
  std::vector<float> distances;
  for (const simd::Hit& hit : hits) {
    addresses.push_back(hit.row);
    distances.push_back(hit.distance);
  }
  FIRN_TRY(std::optional<arrow::RecordBatch> taken, PickInHand(snapshot, in_hand, addresses, request));
  if (!taken) {
    FIRN_TRY(taken, snapshot.Take(addresses, request.columns, request.with_row_address, deadline));
  }
  arrow::RecordBatch rows = *std::move(taken);
  auto schema = std::make_shared<arrow::Schema>(*rows.schema);
  schema->fields.push_back({std::string(table::kDistanceColumn), arrow::Simple(TypeId::kFloat32), false, {}});
  arrow::ArrayData column;
  column.type = arrow::Simple(TypeId::kFloat32);
  column.length = static_cast<std::int64_t>(distances.size());
  column.data = Buffer::OfValues(std::move(distances));
  rows.schema = std::move(schema);
  rows.columns.emplace_back(std::move(column));
  return rows;
}

double Millis(SteadyTime from, SteadyTime to) { return std::chrono::duration<double, std::milli>(to - from).count(); }

Result<NearestOfMany> FindNearest(OpenTable& table, const SearchRequest& request, Vectors vectors, RowsInHand* in_hand,
                                  const Deadline& deadline) {
  const Clock& clock = table.snapshot().environment().clock;
  const SteadyTime begin = clock.Now();
  NearestOfMany nearest;
  Explain& explain = nearest.explain;
  // 1. Snapshot: the caller pinned it.  2. Plan.
  FIRN_TRY(const Plan plan, MakePlan(table, request, vectors, deadline));
  if (plan.way == Way::kLists && !request.measuring) {
    for (const std::vector<float>& vector : vectors)
      table.CountSearch(plan.column, plan.metric, vector, plan.prefilter ? request.filter : "");
  }
  if (!plan.vectors) explain.planned = PlannedReads(table, plan, request, vectors.size());
  // 3. Scatter and 4. merge: the nearest of every segment and of every piece of what has no index.
  FIRN_TRY(Found found, Scatter(table, plan, request, vectors, explain, deadline));
  if (found.damage) {
    // The index is left alone from now on, and the search begins again without it.
    table.Distrust(plan.column, plan.metric, found.damage->message);
    return FindNearest(table, request, vectors, in_hand, deadline);
  }
  FIRN_TRY(nearest.hits, Merge(table, plan, request, vectors, std::move(found), in_hand, explain, deadline));
  if (plan.predicate && request.postfilter)
    FIRN_CHECK(Postfilter(table.snapshot(), *plan.predicate, nearest.hits, deadline));
  explain.version = table.snapshot().version();
  explain.fragments = table.snapshot().manifest().fragments.size();
  explain.rows_matching = explain.rows_scanned;
  explain.plan = Describe(table, plan, request, vectors);
  explain.way = NameOf(plan.way);
  if (plan.index) explain.warnings = plan.index->warnings;
  explain.search_ms = Millis(begin, clock.Now());
  return nearest;
}

Result<ManyResults> Search(OpenTable& table, const SearchRequest& request, Vectors vectors, const Deadline& deadline) {
  // A column that is not there is found out before any work.
  FIRN_CHECK(table.snapshot().ProjectedSchema(request.columns, request.with_row_address));
  RowsInHand in_hand;
  FIRN_TRY(NearestOfMany nearest, FindNearest(table, request, vectors, &in_hand, deadline));
  const Clock& clock = table.snapshot().environment().clock;
  const SteadyTime searched = clock.Now();
  // 5. Fetch the rows that stay after the offset, for all vectors together, and 6. project.
  std::vector<simd::Hit> staying;
  std::vector<std::int64_t> ends;
  for (const std::vector<simd::Hit>& hits : nearest.hits) {
    const std::size_t skipped = std::min<std::size_t>(request.offset, hits.size());
    staying.insert(staying.end(), hits.begin() + static_cast<std::ptrdiff_t>(skipped), hits.end());
    ends.push_back(static_cast<std::int64_t>(staying.size()));
  }
  FIRN_TRY(const arrow::RecordBatch rows, Fetch(table.snapshot(), staying, in_hand, request, deadline));
  ManyResults results;
  std::int64_t begin = 0;
  for (const std::int64_t end : ends) {
    results.rows.push_back(ends.size() == 1 ? rows : rows.Slice(begin, end - begin));
    begin = end;
  }
  results.explain = std::move(nearest.explain);
  results.explain.fetch_ms = Millis(searched, clock.Now());
  return results;
}

Error NoVectors() { return InvalidArgument("there are no query vectors", "Search for at least one"); }

}  // namespace

Result<Nearest> FindNearest(OpenTable& table, const SearchRequest& request, const Deadline& deadline) {
  FIRN_TRY(NearestOfMany nearest, FindNearest(table, request, Vectors(&request.vector, 1), nullptr, deadline));
  return Nearest{std::move(nearest.hits.front()), std::move(nearest.explain)};
}

Result<NearestOfMany> FindNearestOfMany(OpenTable& table, const SearchRequest& request, Vectors vectors,
                                        const Deadline& deadline) {
  if (vectors.empty()) return NoVectors();
  return FindNearest(table, request, vectors, nullptr, deadline);
}

Result<SearchResult> Search(OpenTable& table, const SearchRequest& request, const Deadline& deadline) {
  FIRN_TRY(ManyResults results, Search(table, request, Vectors(&request.vector, 1), deadline));
  return SearchResult{std::move(results.rows.front()), std::move(results.explain)};
}

Result<ManyResults> SearchMany(OpenTable& table, const SearchRequest& request, Vectors vectors,
                               const Deadline& deadline) {
  if (vectors.empty()) return NoVectors();
  return Search(table, request, vectors, deadline);
}

}  // namespace firn::query
