#include "query/search.h"

#include <algorithm>

#include "query/exact_scan.h"
#include "query/index_scan.h"
#include "query/plan.h"

namespace firn::query {
namespace {

using arrow::TypeId;
using table::Snapshot;

/// What leaves found: exact distances, and estimates that are yet to be made exact.
struct Found {
  std::vector<simd::Hit> hits;
  std::vector<Estimate> estimates;
  std::optional<Error> damage;  // the index is not what it should be; the rest is not filled
};

bool IsDamage(const Error& error) {
  return error.kind == ErrorKind::kDataCorruption || error.kind == ErrorKind::kNotFound ||
         error.kind == ErrorKind::kUnsupported;
}

Result<Found> Scatter(const OpenTable& table, const Plan& plan, const SearchRequest& request, Explain& explain,
                      const Deadline& deadline) {
  const Snapshot& snapshot = table.snapshot();
  Found found;
  if (plan.way == Way::kLists) {
    Result<std::vector<Estimate>> estimates = ScanLists(table, plan, request, explain, deadline);
    if (!estimates && IsDamage(estimates.error())) {
      found.damage = std::move(estimates).error();
      return found;
    }
    if (!estimates) return std::move(estimates).error();
    found.estimates = *std::move(estimates);
  } else if (plan.way == Way::kMatches) {
    FIRN_TRY(found.hits, ScoreMatches(table, plan, request, explain, deadline));
  }
  const std::vector<const lance::Fragment*> unindexed =
      plan.way == Way::kExact ? std::vector<const lance::Fragment*>() : FragmentsToScan(plan);
  if (plan.way == Way::kExact || !unindexed.empty()) {
    FIRN_TRY(ExactHits exact,
             ScanExactly(snapshot, plan, request, plan.way == Way::kExact ? nullptr : &unindexed, deadline));
    explain.rows_scanned += exact.scored;
    std::ranges::move(exact.hits, std::back_inserter(found.hits));
  }
  return found;
}

/// The nearest of all: estimates that may be among them get their exact distance first.
Result<std::vector<simd::Hit>> Merge(const OpenTable& table, const Plan& plan, const SearchRequest& request,
                                     Found found, RowsInHand* in_hand, Explain& explain, const Deadline& deadline) {
  if (!found.estimates.empty()) {
    FIRN_TRY(const std::vector<simd::Hit> ranked,
             RankEstimates(table, plan, request, std::move(found.estimates), in_hand, explain, deadline));
    found.hits.insert(found.hits.end(), ranked.begin(), ranked.end());
  }
  std::ranges::sort(found.hits);
  if (found.hits.size() > plan.wanted) found.hits.resize(plan.wanted);
  return std::move(found.hits);
}

/// Of the nearest, those for which the filter holds.
Result<std::vector<simd::Hit>> Postfilter(const Snapshot& snapshot, const filter::Predicate& predicate,
                                          std::vector<simd::Hit> hits, const Deadline& deadline) {
  std::vector<lance::RowAddress> addresses;
  for (const simd::Hit& hit : hits) addresses.push_back(hit.row);
  const std::vector<std::string> columns(predicate.columns().begin(), predicate.columns().end());
  FIRN_TRY(const arrow::RecordBatch rows, snapshot.Take(addresses, columns, false, deadline));
  FIRN_TRY(const std::vector<std::int64_t> kept, predicate.Select(rows));
  std::vector<simd::Hit> passed;
  for (const std::int64_t row : kept) passed.push_back(hits[static_cast<std::size_t>(row)]);
  return passed;
}

/// The rows at `addresses` out of those in hand; empty when one of them is not there.
Result<std::optional<arrow::RecordBatch>> PickInHand(const Snapshot& snapshot, const RowsInHand& in_hand,
                                                     std::span<const lance::RowAddress> addresses,
                                                     const SearchRequest& request) {
  // Nothing is in hand, not even a schema: also when no row is wanted.
  if (in_hand.addresses.empty()) return std::optional<arrow::RecordBatch>();
  std::vector<std::int64_t> picked;
  for (const lance::RowAddress address : addresses) {
    const auto found = std::ranges::find(in_hand.addresses, address);
    if (found == in_hand.addresses.end()) return std::optional<arrow::RecordBatch>();
    picked.push_back(found - in_hand.addresses.begin());
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

Result<Nearest> FindNearest(OpenTable& table, const SearchRequest& request, RowsInHand* in_hand,
                            const Deadline& deadline) {
  const Clock& clock = table.snapshot().environment().clock;
  const SteadyTime begin = clock.Now();
  Nearest nearest;
  Explain& explain = nearest.explain;
  // 1. Snapshot: the caller pinned it.  2. Plan.
  FIRN_TRY(const Plan plan, MakePlan(table, request, deadline));
  if (plan.way == Way::kLists && !request.measuring)
    table.CountSearch(plan.column, plan.metric, request.vector, plan.prefilter ? request.filter : "");
  // 3. Scatter and 4. merge: the nearest of every segment and of every piece of what has no index.
  FIRN_TRY(Found found, Scatter(table, plan, request, explain, deadline));
  if (found.damage) {
    // The index is left alone from now on, and the search begins again without it.
    table.Distrust(plan.column, plan.metric, found.damage->message);
    return FindNearest(table, request, in_hand, deadline);
  }
  FIRN_TRY(nearest.hits, Merge(table, plan, request, std::move(found), in_hand, explain, deadline));
  if (plan.predicate && request.postfilter) {
    FIRN_TRY(nearest.hits, Postfilter(table.snapshot(), *plan.predicate, std::move(nearest.hits), deadline));
  }
  explain.version = table.snapshot().version();
  explain.fragments = table.snapshot().manifest().fragments.size();
  explain.rows_matching = explain.rows_scanned;
  explain.plan = Describe(table, plan, request);
  explain.way = NameOf(plan.way);
  if (plan.index) explain.warnings = plan.index->warnings;
  explain.search_ms = Millis(begin, clock.Now());
  return nearest;
}

}  // namespace

Result<Nearest> FindNearest(OpenTable& table, const SearchRequest& request, const Deadline& deadline) {
  return FindNearest(table, request, nullptr, deadline);
}

Result<SearchResult> Search(OpenTable& table, const SearchRequest& request, const Deadline& deadline) {
  // A column that is not there is found out before any work.
  FIRN_CHECK(table.snapshot().ProjectedSchema(request.columns, request.with_row_address));
  RowsInHand in_hand;
  FIRN_TRY(Nearest nearest, FindNearest(table, request, &in_hand, deadline));
  const Clock& clock = table.snapshot().environment().clock;
  const SteadyTime searched = clock.Now();
  // 5. Fetch the rows that stay after the offset, and 6. project.
  const std::size_t skipped = std::min<std::size_t>(request.offset, nearest.hits.size());
  SearchResult result;
  FIRN_TRY(result.rows, Fetch(table.snapshot(), std::span(nearest.hits).subspan(skipped), in_hand, request, deadline));
  result.explain = std::move(nearest.explain);
  result.explain.fetch_ms = Millis(searched, clock.Now());
  return result;
}

}  // namespace firn::query
