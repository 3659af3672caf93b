#include "maintain/refresh_promise.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "maintain/calibrate.h"
#include "table/head.h"
#include "table/index_catalog.h"

namespace firn::maintain {
namespace {

constexpr std::size_t kMostFilters = 64;

using Masks = std::map<std::string, std::shared_ptr<const query::FilterMask>, std::less<>>;

/// The rows that match each filter that was asked for.
Result<Masks> EvaluateFilters(query::OpenTable& table, const std::shared_ptr<const query::ColumnIndex>& index,
                              const std::string& column, std::span<const query::SeenQuery> queries,
                              const Deadline& deadline) {
  Masks masks;
  for (const query::SeenQuery& query : queries) {
    if (query.filter.empty() || masks.contains(query.filter) || masks.size() == kMostFilters) continue;
    const auto predicate = table.snapshot().Bind(query.filter);
    if (!predicate) continue;  // the column is gone, say
    FIRN_TRY(masks[query.filter], table.MaskOf(index, column, query.filter, *predicate, deadline));
  }
  return masks;
}

/// Less than this is noise, and not worth a new state of the catalog.
bool Differs(std::span<const index::Calibration> a, std::span<const index::Calibration> b) {
  const auto far = [](float x, float y) { return std::abs(x - y) > 0.02F * std::max(std::abs(x), std::abs(y)); };
  return !std::ranges::equal(a, b, [&](const index::Calibration& x, const index::Calibration& y) {
    return x.recall == y.recall && !far(x.stop, y.stop) && !far(x.filtered_stop, y.filtered_stop) &&
           !far(static_cast<float>(x.lists), static_cast<float>(y.lists));
  });
}

}  // namespace

Result<std::size_t> RefreshPromise(query::OpenTable& table, const std::string& column, simd::Metric metric,
                                   std::span<const query::SeenQuery> queries, const Deadline& deadline) {
  const table::Snapshot& snapshot = table.snapshot();
  const table::Environment& environment = snapshot.environment();
  FIRN_TRY(const auto index, table.IndexOf(column, metric, deadline));
  FIRN_TRY(const Masks masks, EvaluateFilters(table, index, column, queries, deadline));
  std::map<std::string, index::SegmentEntry> measured;  // by object
  for (std::size_t s = 0; s < index->segments.size(); s++) {
    const query::OpenSegment& segment = index->segments[s];
    if (!segment.lists) continue;
    std::vector<CalibrationQuery> plain, filtered;
    for (const query::SeenQuery& query : queries) {
      if (query.vector.size() != segment.segment->header().dim) continue;
      if (query.filter.empty()) {
        plain.push_back({.vector = query.vector, .mask = segment.live ? &*segment.live : nullptr});
        continue;
      }
      const auto mask = masks.find(query.filter);
      if (mask == masks.end() || !mask->second->list_matches[s] || mask->second->matches[s] == 0) continue;
      filtered.push_back(
          {.vector = query.vector, .mask = &mask->second->masks[s], .matches = &*mask->second->list_matches[s]});
    }
    index::SegmentEntry entry = *segment.entry;
    FIRN_TRY(const bool done,
             Recalibrate(*segment.segment, *segment.lists, plain, filtered, environment.pool, deadline, entry));
    if (done && Differs(entry.calibrations, segment.entry->calibrations))
      measured.emplace(entry.object, std::move(entry));
  }
  if (measured.empty()) return std::size_t{0};
  const auto published = table::EditCatalog(
      environment.store, snapshot.root(),
      [&](index::Catalog& catalog) -> Status {
        std::size_t found = 0;
        for (index::SegmentEntry& entry : catalog.segments) {
          const auto mine = measured.find(entry.object);
          if (mine == measured.end()) continue;
          entry.calibrations = mine->second.calibrations;
          entry.real_queries = mine->second.real_queries;
          found++;
        }
        if (found > 0) return {};
        return NotFound("the index was built anew meanwhile");
      },
      deadline);
  if (!published && published.error().kind == ErrorKind::kNotFound) return std::size_t{0};
  if (!published) return published.error();
  table::RefreshHead(environment, snapshot.root(), deadline);
  environment.log.Info("promise measured with real queries",
                       {{"table", snapshot.name()}, {"column", column}, {"queries", std::to_string(queries.size())}});
  return measured.size();
}

}  // namespace firn::maintain
