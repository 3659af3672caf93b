#include "query/planned_reads.h"

#include <algorithm>

#include "query/index_scan.h"

namespace firn::query {
namespace {

std::uint64_t Dim(const OpenTable& table, const Plan& plan) {
  const arrow::Schema& schema = *table.snapshot().schema();
  return static_cast<std::uint64_t>(schema.fields[*schema.IndexOf(plan.column)].type->list_size);
}

/// Lists that are not in memory: one round.
Reads OfLists(const Plan& plan, const SearchRequest& request, bool& supplements) {
  double lists = 0, codes = 0, extra = 0;
  for (std::size_t s = 0; s < plan.index->segments.size(); s++) {
    const OpenSegment& segment = plan.index->segments[s];
    if (segment.lists || (plan.mask && plan.mask->matches[s] == 0)) continue;
    const index::SegmentHeader& header = segment.segment->header();
    double all_codes = 0, all_supplements = 0;
    for (const index::ListEntry& list : header.lists) {
      all_codes += static_cast<double>(header.CodesBytes(list));
      all_supplements += static_cast<double>(header.SupplementBytes(list));
    }
    const auto count = static_cast<double>(ListsFor(segment, request, plan, s));
    const double share = count / static_cast<double>(std::max<std::size_t>(1, header.lists.size()));
    lists += count;
    codes += share * all_codes;
    extra += share * all_supplements;
  }
  supplements = extra <= static_cast<double>(kMostSupplementBytes);
  if (lists == 0) return {};
  return {1, static_cast<std::uint64_t>(supplements ? 2 * lists : lists),
          static_cast<std::uint64_t>(supplements ? codes + extra : codes)};
}

/// Rows that are read one by one, all their columns in one round.
Reads OfRows(const OpenTable& table, const SearchRequest& request, const Plan& plan, std::uint64_t rows) {
  if (rows == 0) return {};
  const arrow::Schema& schema = *table.snapshot().schema();
  const std::size_t shown = request.columns ? request.columns->size() : schema.fields.size();
  const bool vector_shown =
      !request.columns || std::ranges::find(*request.columns, plan.column) != request.columns->end();
  constexpr std::uint64_t kBytesOfValue = 64;  // of a column that is no vector
  const std::uint64_t others = shown - (vector_shown && shown > 0 ? 1 : 0);
  const std::uint64_t vector_bytes = Dim(table, plan) * simd::SizeOf(plan.element);
  return {1, rows * (1 + others), rows * (vector_bytes + others * kBytesOfValue)};
}

}  // namespace

Reads PlannedReads(const OpenTable& table, const Plan& plan, const SearchRequest& request, std::size_t vectors) {
  Reads planned;
  std::uint64_t candidates = plan.wanted;  // shown, if no more
  if (plan.way == Way::kLists) {
    bool supplements = true;
    planned += OfLists(plan, request, supplements) * vectors;
    if (!plan.vectors) candidates = supplements ? 2 * plan.wanted : std::max<std::uint64_t>(4 * plan.wanted, 100);
  } else if (plan.way == Way::kMatches) {
    candidates = plan.vectors ? plan.wanted : plan.mask->total;
  }
  if (plan.way == Way::kExact || (plan.index && !FragmentsToScan(plan).empty())) {
    std::uint64_t rows = 0, fragments = 0;
    const auto add = [&](const lance::Fragment& fragment) {
      rows += fragment.physical_rows;
      fragments++;
    };
    if (plan.way == Way::kExact) {
      for (const lance::Fragment& fragment : table.snapshot().manifest().fragments) add(fragment);
    } else {
      for (const lance::Fragment* fragment : FragmentsToScan(plan)) add(*fragment);
    }
    // The footer of each file, what it says of its pages, and the pages.
    planned += Reads{3, 3 * fragments, rows * Dim(table, plan) * simd::SizeOf(plan.element)};
  }
  planned += OfRows(table, request, plan, candidates) * vectors;
  return planned;
}

}  // namespace firn::query
