#include "query/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "simd/quantised.h"

namespace firn::query {
namespace {

using arrow::TypeId;
using table::Snapshot;

/// Beyond this many wanted rows an index saves little, and its candidates would fill memory.
constexpr std::size_t kMostByIndex = 10'000;

bool SquaresFit(std::span<const float> vector) {
  float norm2 = 0;
  simd::DotMatrix(vector.data(), 1, vector.data(), 1, vector.size(), &norm2);
  return norm2 < 1e36F;
}

/// `name`: of the vector in a sentence.
Status CheckVector(std::span<const float> vector, std::string_view name, const Plan& plan, std::int32_t dimension) {
  if (static_cast<std::int64_t>(vector.size()) != dimension) {
    return InvalidArgument(std::string(name) + " has " + std::to_string(vector.size()) + " values, column \"" +
                               plan.column + "\" has " + std::to_string(dimension),
                           "Embed the query with the model that made the column");
  }
  // A sum of squares is finite only where every value is; where it is not, one of them may be at fault.
  if (plan.metric != simd::Metric::kHamming && SquaresFit(vector)) return {};
  for (std::size_t i = 0; i < vector.size(); i++) {
    const float value = vector[i];
    if (!std::isfinite(value))
      return InvalidArgument("value " + std::to_string(i) + " of " + std::string(name) + " is not a finite number");
    if (plan.metric == simd::Metric::kHamming && (value < 0 || value > 255 || value != std::floor(value))) {
      return InvalidArgument("value " + std::to_string(i) + " of " + std::string(name) +
                             " is not a byte (0..255), which hamming distance needs");
    }
  }
  return {};
}

Status CheckVectors(Vectors vectors, const Plan& plan, std::int32_t dimension) {
  if (vectors.size() == 1) return CheckVector(vectors[0], "the query vector", plan, dimension);
  for (std::size_t i = 0; i < vectors.size(); i++)
    FIRN_CHECK(CheckVector(vectors[i], "query vector " + std::to_string(i), plan, dimension));
  return {};
}

/// Bounds of a request for many vectors; one alone may want more rows.
Status CheckHowMany(const SearchRequest& request, Vectors vectors) {
  if (vectors.size() <= 1) return {};
  if (vectors.size() > kMaxVectors) {
    return InvalidArgument(
        std::to_string(vectors.size()) + " query vectors are more than " + std::to_string(kMaxVectors),
        "Send them in several requests");
  }
  const std::uint64_t most = kMaxRowsOfMany / vectors.size();
  if (request.k > most || request.offset > most - request.k) {
    return InvalidArgument("k + offset is beyond " + std::to_string(most) + ", which is " +
                               std::to_string(kMaxRowsOfMany) + " rows for " + std::to_string(vectors.size()) +
                               " query vectors together",
                           "Ask for fewer rows, or send the vectors in several requests");
  }
  return {};
}

Status CheckEffort(std::string_view name, std::optional<std::uint32_t> effort, std::string_view advice) {
  if (!effort || (*effort > 0 && *effort <= kMaxEffort)) return {};
  return InvalidArgument(
      std::string(name) + " is " + std::to_string(*effort) + ", not from 1 to " + std::to_string(kMaxEffort),
      std::string(advice));
}

/// Nanoseconds of one row's exact distance, vectors in memory; and of one row's 1-bit estimate. Rough, from
/// measurements: only their ratio matters.
double ExactCost(std::size_t row_bytes) { return 20 + 0.022 * static_cast<double>(row_bytes); }
double EstimateCost(std::size_t dim) { return 0.004 * static_cast<double>(dim); }

const index::Calibration* CalibrationFor(const OpenSegment& segment, float recall) {
  for (const index::Calibration& calibration : segment.entry->calibrations) {
    if (calibration.recall >= recall - 1e-6F) return &calibration;
  }
  return nullptr;
}

/// Rows of the covered fragments that a scan by lists would estimate.
double RowsByLists(const SearchRequest& request, const Plan& plan) {
  double rows = 0;
  for (std::size_t i = 0; i < plan.index->segments.size(); i++) {
    const OpenSegment& segment = plan.index->segments[i];
    const index::SegmentHeader& header = segment.segment->header();
    const double usual = static_cast<double>(header.rows) * static_cast<double>(ListsFor(segment, request, plan, i)) /
                         static_cast<double>(header.lists.size());
    // Blocks without a match are passed over.
    const auto& matches = plan.mask->list_matches[i];
    rows += matches ? std::min(usual, static_cast<double>(simd::kBlockCodes * matches->used_blocks)) : usual;
  }
  return rows;
}

Status ChooseWay(OpenTable& table, const SearchRequest& request, Vectors vectors, Plan& plan,
                 const Deadline& deadline) {
  if (request.exact || request.recall >= 1) {
    plan.reason = "asked for";
    return {};
  }
  if (plan.metric == simd::Metric::kHamming) return {};
  if (!std::ranges::all_of(vectors, SquaresFit)) {
    plan.reason = "squares of the query's values do not fit a float";
    return {};
  }
  if (request.distance_at_least) {
    plan.reason = "a least distance leaves no nearest lists";
    return {};
  }
  if (plan.wanted > kMostByIndex) {
    plan.reason = "many rows are wanted";
    return {};
  }
  FIRN_TRY(plan.index, table.IndexOf(plan.column, plan.metric, deadline));
  if (plan.index->segments.empty() && plan.index->lance.empty()) {
    plan.reason = plan.index->warnings.empty() ? "no index" : "its index cannot be used";
    return {};
  }
  FIRN_TRY(plan.vectors, table.Vectors(plan.column, deadline));
  plan.way = Way::kLists;
  if (!plan.prefilter) return {};
  FIRN_TRY(plan.mask, table.MaskOf(plan.index, plan.column, request.filter, *plan.predicate, deadline));
  const std::size_t dim = vectors.front().size();
  const bool few = plan.mask->total <= FilterMask::kFewRows && plan.mask->few.size() == plan.mask->total;
  // Without vectors in memory each matching row is a request, and so are the codes and the supplement of a list.
  constexpr double kRequestCost = 200'000;
  // Many vectors share these requests: all of a row's, and those of the lists where they meet, which is nowhere at
  // worst.
  const auto many = static_cast<double>(vectors.size());
  const double exact = static_cast<double>(plan.mask->total) *
                       ((plan.vectors ? 0 : kRequestCost) + many * ExactCost(dim * simd::SizeOf(plan.element)));
  double lists = many * (RowsByLists(request, plan) * EstimateCost(dim) + 25'000);
  for (std::size_t i = 0; i < plan.index->segments.size(); i++) {
    const OpenSegment& segment = plan.index->segments[i];
    const double all = static_cast<double>(segment.segment->header().lists.size());
    if (!segment.lists)
      lists += 2 * kRequestCost * std::min(many * static_cast<double>(ListsFor(segment, request, plan, i)), all);
  }
  if (few && exact <= lists) {
    plan.way = Way::kMatches;
    plan.reason = "few rows match";
  }
  return {};
}

}  // namespace

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

Result<std::string> VectorColumn(const Snapshot& snapshot, const std::string& asked) {
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

Result<Plan> MakePlan(OpenTable& table, const SearchRequest& request, Vectors vectors, const Deadline& deadline) {
  const Snapshot& snapshot = table.snapshot();
  if (request.k == 0) return InvalidArgument("k is 0", "Ask for at least one row");
  if (request.k > kMaxK || request.offset > kMaxK - request.k) {
    return InvalidArgument("k + offset is beyond " + std::to_string(kMaxK), "Use a scan to read that many rows");
  }
  FIRN_CHECK(CheckHowMany(request, vectors));
  if (!(request.recall > 0 && request.recall <= 1)) {
    char text[48];
    std::snprintf(text, sizeof text, "recall is %.6g", static_cast<double>(request.recall));
    return InvalidArgument(text, "Ask for a share of the true nearest rows above 0 and up to 1, such as 0.95");
  }
  FIRN_CHECK(CheckEffort("nprobes", request.nprobes, "Probe at least one list, or leave it out"));
  FIRN_CHECK(CheckEffort("refine", request.refine, "Refine at least 1 times k rows, or leave it out"));
  Plan plan;
  FIRN_TRY(plan.column, VectorColumn(snapshot, request.vector_column));
  const arrow::Type& type = *snapshot.schema()->fields[*snapshot.schema()->IndexOf(plan.column)].type;
  plan.element = *ElementOf(type);
  const auto indexed = request.metric ? std::nullopt : table.IndexedMetric(plan.column, deadline);
  plan.metric = request.metric ? *request.metric
                : indexed      ? *indexed
                               : (plan.element == simd::Element::kU8 ? simd::Metric::kHamming : simd::Metric::kL2);
  if (plan.metric == simd::Metric::kHamming && plan.element != simd::Element::kU8) {
    return InvalidArgument("hamming distance needs a column of uint8 vectors, \"" + plan.column + "\" is " +
                           type.ToString());
  }
  FIRN_CHECK(CheckVectors(vectors, plan, type.list_size));
  if (!request.filter.empty()) {
    FIRN_TRY(plan.predicate, table.Bind(request.filter));
  }
  plan.prefilter = plan.predicate && !request.postfilter;
  plan.wanted = static_cast<std::size_t>(std::min(request.k + request.offset, snapshot.LiveRows()));
  FIRN_CHECK(ChooseWay(table, request, vectors, plan, deadline));
  return plan;
}

index::ScanOptions EffortFor(const OpenSegment& segment, const SearchRequest& request, const Plan& plan,
                             std::size_t segment_number) {
  index::ScanOptions effort;
  effort.k = plan.wanted;
  effort.max_candidates = std::max<std::size_t>(plan.wanted * 4, 100);
  if (request.refine) effort.max_candidates = plan.wanted * *request.refine;
  if (request.nprobes) {
    effort.max_lists = *request.nprobes;
  } else if (const index::Calibration* calibration = CalibrationFor(segment, request.recall)) {
    effort.stop = plan.mask ? calibration->filtered_stop : calibration->stop;
    effort.slack = calibration->slack;
    // Lists that were read for the query, as many as keep the promise by themselves, are all looked at: to leave out
    // some of them by the stop would lose twice. With a filter more is read until the stop is reached.
    if (!segment.lists && !plan.mask) effort.stop = index::ScanOptions{}.stop;
  }
  if (plan.mask) {
    effort.mask = &plan.mask->masks[segment_number];
    const auto& matches = plan.mask->list_matches[segment_number];
    if (matches) effort.matches = &*matches;
    effort.sparse_shift = segment.entry->sparse_shift;
  } else if (segment.live) {
    effort.mask = &*segment.live;
  }
  return effort;
}

std::size_t ListsFor(const OpenSegment& segment, const SearchRequest& request, const Plan& plan,
                     std::size_t segment_number) {
  const std::size_t all = segment.segment->header().lists.size();
  if (request.nprobes) return std::min<std::size_t>(*request.nprobes, all);
  const index::Calibration* calibration = CalibrationFor(segment, request.recall);
  if (calibration == nullptr) return all;
  double lists = calibration->lists;
  if (plan.mask && plan.mask->matches[segment_number] > 0) {
    // The nearest k of fewer rows lie in more lists.
    lists *=
        static_cast<double>(segment.segment->header().rows) / static_cast<double>(plan.mask->matches[segment_number]);
  }
  return static_cast<std::size_t>(std::clamp(lists, 1.0, static_cast<double>(all)));
}

std::string_view NameOf(Way way) {
  switch (way) {
    case Way::kMatches:
      return "matches";
    case Way::kLists:
      return "lists";
    case Way::kExact:
      break;
  }
  return "exact";
}

std::vector<const lance::Fragment*> FragmentsToScan(const Plan& plan) {
  std::vector<const lance::Fragment*> fragments = plan.index->uncovered;
  if (!plan.prefilter) return fragments;
  for (const OpenLanceIndex& theirs : plan.index->lance)
    fragments.insert(fragments.end(), theirs.fragments.begin(), theirs.fragments.end());
  std::ranges::sort(fragments);  // they lie in the manifest in its order
  return fragments;
}

std::string Describe(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors) {
  const Snapshot& snapshot = table.snapshot();
  const std::size_t fragments = snapshot.manifest().fragments.size();
  std::string text;
  if (plan.way == Way::kExact) {
    text = "exact ";
    text.append(simd::NameOf(plan.metric)).append(" over column ").append(plan.column);
    text += ", " + std::to_string(snapshot.LiveRows()) + " rows in " + std::to_string(fragments) +
            (fragments == 1 ? " fragment" : " fragments");
  } else {
    text = plan.way == Way::kLists ? "index " : "exact over matches, ";
    text.append(simd::NameOf(plan.metric)).append(" over column ").append(plan.column);
    const std::size_t segments = plan.index->segments.size();
    text += ", " + std::to_string(segments) + (segments == 1 ? " segment" : " segments");
    if (plan.way == Way::kLists && request.nprobes) text += ", " + std::to_string(*request.nprobes) + " lists each";
    if (plan.way == Way::kLists && !request.nprobes) {
      char recall[32];
      std::snprintf(recall, sizeof recall, ", recall %.3g", static_cast<double>(request.recall));
      text += recall;
    }
    for (const OpenLanceIndex& theirs : plan.index->lance) {
      if (!plan.prefilter) text += ", and LanceDB's " + std::string(theirs.index->kind()) + " \"" + theirs.name + "\"";
    }
    if (const auto unindexed = FragmentsToScan(plan); !unindexed.empty()) {
      std::uint64_t rows = 0;
      for (const lance::Fragment* fragment : unindexed) rows += fragment->LiveRows();
      text += ", and exact over " + std::to_string(rows) + " rows without an index";
    }
  }
  if (plan.predicate)
    text.append(request.postfilter ? ", then filter " : ", where ").append(plan.predicate->ToString());
  if (vectors.size() > 1) text += ", for " + std::to_string(vectors.size()) + " vectors at once";
  if (!plan.reason.empty()) text += " (" + plan.reason + ")";
  return text;
}

}  // namespace firn::query
