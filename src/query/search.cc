#include "query/search.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <mutex>

namespace firn::query {
namespace {

using arrow::TypeId;
using table::Snapshot;

struct Plan {
  std::string column;
  simd::Element element = simd::Element::kF32;
  simd::Metric metric = simd::Metric::kL2;
  std::optional<filter::Predicate> predicate;
  std::size_t wanted = 0;  // k + offset, at most the rows there are
};

std::optional<simd::Element> ElementOf(const arrow::Type& type) {
  if (!arrow::IsVector(type)) return std::nullopt;
  switch (type.children[0].type->id) {
    case TypeId::kFloat32:
      return simd::Element::kF32;
    case TypeId::kFloat16:
      return simd::Element::kF16;
    case TypeId::kFloat64:
      return simd::Element::kF64;
    case TypeId::kUInt8:
      return simd::Element::kU8;
    case TypeId::kInt8:
      return simd::Element::kI8;
    default:
      return std::nullopt;
  }
}

Result<std::string> ChooseColumn(const Snapshot& snapshot, const std::string& asked) {
  std::vector<std::string> candidates;
  for (const arrow::Field& field : snapshot.schema()->fields) {
    if (ElementOf(*field.type)) candidates.push_back(field.name);
  }
  std::string listed;
  for (const std::string& name : candidates) listed += (listed.empty() ? "" : ", ") + name;
  if (asked.empty()) {
    if (candidates.size() == 1) return candidates.front();
    if (candidates.empty())
      return InvalidArgument("table " + snapshot.name() + " has no vector column",
                             "A vector column is a list of equally many numbers in every row");
    return InvalidArgument("table " + snapshot.name() + " has several vector columns", "Name one of: " + listed);
  }
  const auto index = snapshot.schema()->IndexOf(asked);
  if (!index)
    return InvalidArgument("table " + snapshot.name() + " has no column \"" + asked + "\"",
                           listed.empty() ? "" : "Its vector columns are: " + listed);
  const arrow::Type& type = *snapshot.schema()->fields[*index].type;
  if (!ElementOf(type)) {
    return InvalidArgument("column \"" + asked + "\" is " + type.ToString() + ", not a vector",
                           listed.empty() ? "" : "Vector columns are: " + listed);
  }
  return asked;
}

Status CheckVector(const SearchRequest& request, const Plan& plan, std::int32_t dimension) {
  if (static_cast<std::int64_t>(request.vector.size()) != dimension) {
    return InvalidArgument("the query vector has " + std::to_string(request.vector.size()) + " values, column \"" +
                               plan.column + "\" has " + std::to_string(dimension),
                           "Embed the query with the model that made the column");
  }
  for (std::size_t i = 0; i < request.vector.size(); i++) {
    const float value = request.vector[i];
    if (!std::isfinite(value))
      return InvalidArgument("value " + std::to_string(i) + " of the query vector is not a finite number");
    if (plan.metric == simd::Metric::kHamming && (value < 0 || value > 255 || value != std::floor(value))) {
      return InvalidArgument("value " + std::to_string(i) +
                             " of the query vector is not a byte (0..255), which hamming distance needs");
    }
  }
  return {};
}

Result<Plan> MakePlan(const Snapshot& snapshot, const SearchRequest& request) {
  if (request.k == 0) return InvalidArgument("k is 0", "Ask for at least one row");
  if (request.k > kMaxK || request.offset > kMaxK - request.k) {
    return InvalidArgument("k + offset is beyond " + std::to_string(kMaxK), "Use a scan to read that many rows");
  }
  Plan plan;
  FIRN_TRY(plan.column, ChooseColumn(snapshot, request.vector_column));
  const arrow::Type& type = *snapshot.schema()->fields[*snapshot.schema()->IndexOf(plan.column)].type;
  plan.element = *ElementOf(type);
  plan.metric =
      request.metric.value_or(plan.element == simd::Element::kU8 ? simd::Metric::kHamming : simd::Metric::kL2);
  if (plan.metric == simd::Metric::kHamming && plan.element != simd::Element::kU8) {
    return InvalidArgument("hamming distance needs a column of uint8 vectors, \"" + plan.column + "\" is " +
                           type.ToString());
  }
  FIRN_CHECK(CheckVector(request, plan, type.list_size));
  if (!request.filter.empty()) {
    FIRN_TRY(plan.predicate, snapshot.Bind(request.filter));
  }
  FIRN_CHECK(snapshot.ProjectedSchema(request.columns, request.with_row_address));
  plan.wanted = static_cast<std::size_t>(std::min(request.k + request.offset, snapshot.LiveRows()));
  return plan;
}

/// Distances of one piece's rows, offered to `top`. Nulls are not candidates.
std::uint64_t ScorePiece(const Snapshot::Piece& piece, const Plan& plan, const SearchRequest& request,
                         simd::TopK& top) {
  const arrow::Array& column = piece.batch.columns.front();
  const auto* values = column.child(0).data().data.data();
  const std::size_t row_bytes = static_cast<std::size_t>(column.type().list_size) * simd::SizeOf(plan.element);
  constexpr std::int64_t kBlock = 1024;
  float distances[kBlock];
  std::uint64_t scored = 0;

  const auto score_run = [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; begin += kBlock) {
      const std::int64_t rows = std::min(kBlock, end - begin);
      simd::Distances(plan.metric, plan.element, request.vector, values + static_cast<std::size_t>(begin) * row_bytes,
                      static_cast<std::size_t>(rows), distances);
      for (std::int64_t i = 0; i < rows; i++) {
        const float distance = distances[i];
        if (distance > top.Bound() || column.IsNull(begin + i)) continue;
        if (request.distance_at_least && distance < *request.distance_at_least) continue;
        if (request.distance_below && distance >= *request.distance_below) continue;
        top.Offer(distance, lance::MakeRowAddress(piece.fragment->id, piece.OffsetOf(begin + i)));
      }
      scored += static_cast<std::uint64_t>(rows);
    }
  };

  if (piece.every_row) {
    score_run(0, piece.batch.rows);
  } else {
    // Neighbouring rows go together.
    for (std::size_t i = 0; i < piece.selected.size();) {
      std::size_t j = i + 1;
      while (j < piece.selected.size() && piece.selected[j] == piece.selected[j - 1] + 1) j++;
      score_run(piece.selected[i], piece.selected[j - 1] + 1);
      i = j;
    }
  }
  return scored;
}

struct Scattered {
  std::vector<simd::Hit> hits;  // nearest first
  std::uint64_t scored = 0;
};

/// Every piece of the table on this process's pool; each keeps its own best, merged under one lock.
Result<Scattered> Scatter(const Snapshot& snapshot, const Plan& plan, const SearchRequest& request,
                          const Deadline& deadline) {
  std::mutex mutex;
  simd::TopK best(plan.wanted);
  Scattered gathered;
  const std::vector<std::string> columns = {plan.column};
  const filter::Predicate* prefilter = plan.predicate && !request.postfilter ? &*plan.predicate : nullptr;
  FIRN_CHECK(snapshot.ScanPieces(
      prefilter, columns,
      [&](const Snapshot::Piece& piece) -> Status {
        FIRN_CHECK(deadline.Check("the search of " + snapshot.name()));
        simd::TopK top(plan.wanted);
        const std::uint64_t scored = ScorePiece(piece, plan, request, top);
        const std::vector<simd::Hit> hits = top.Take();
        const std::lock_guard lock(mutex);
        for (const simd::Hit& hit : hits) best.Offer(hit.distance, hit.row);
        gathered.scored += scored;
        return {};
      },
      deadline));
  gathered.hits = best.Take();
  return gathered;
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

Result<arrow::RecordBatch> Fetch(const Snapshot& snapshot, std::span<const simd::Hit> hits,
                                 const SearchRequest& request, const Deadline& deadline) {
  std::vector<lance::RowAddress> addresses;
  std::vector<float> distances;
  for (const simd::Hit& hit : hits) {
    addresses.push_back(hit.row);
    distances.push_back(hit.distance);
  }
  FIRN_TRY(arrow::RecordBatch rows, snapshot.Take(addresses, request.columns, request.with_row_address, deadline));
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

std::string Describe(const Snapshot& snapshot, const Plan& plan, const SearchRequest& request) {
  std::string text = "exact ";
  text.append(simd::NameOf(plan.metric)).append(" over column ").append(plan.column);
  const std::size_t fragments = snapshot.manifest().fragments.size();
  text += ", " + std::to_string(snapshot.LiveRows()) + " rows in " + std::to_string(fragments) +
          (fragments == 1 ? " fragment" : " fragments");
  if (plan.predicate)
    text.append(request.postfilter ? ", then filter " : ", where ").append(plan.predicate->ToString());
  return text;
}

double Millis(SteadyTime from, SteadyTime to) { return std::chrono::duration<double, std::milli>(to - from).count(); }

}  // namespace

Result<SearchResult> Search(const Snapshot& snapshot, const SearchRequest& request, const Deadline& deadline) {
  const Clock& clock = snapshot.environment().clock;
  const SteadyTime begin = clock.Now();

  // 1. Snapshot: the caller pinned it.  2. Plan.
  FIRN_TRY(const Plan plan, MakePlan(snapshot, request));
  // 3. Scatter and 4. merge: the nearest of every piece.
  FIRN_TRY(Scattered found, Scatter(snapshot, plan, request, deadline));
  if (plan.predicate && request.postfilter) {
    FIRN_TRY(found.hits, Postfilter(snapshot, *plan.predicate, std::move(found.hits), deadline));
  }
  const SteadyTime searched = clock.Now();
  // 5. Fetch the rows that stay after the offset, and 6. project.
  const std::size_t skipped = std::min<std::size_t>(request.offset, found.hits.size());
  FIRN_TRY(arrow::RecordBatch rows, Fetch(snapshot, std::span(found.hits).subspan(skipped), request, deadline));

  SearchResult result{std::move(rows), {}};
  result.explain.version = snapshot.version();
  result.explain.fragments = snapshot.manifest().fragments.size();
  result.explain.rows_scanned = found.scored;
  result.explain.rows_matching = found.scored;
  result.explain.plan = Describe(snapshot, plan, request);
  result.explain.search_ms = Millis(begin, searched);
  result.explain.fetch_ms = Millis(searched, clock.Now());
  return result;
}

}  // namespace firn::query
