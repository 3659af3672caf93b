#pragma once
// How one search will be answered: which column and metric, by which of four ways, and with what effort. Private to the
// module.

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "filter/filter.h"
#include "query/open_table.h"
#include "query/search.h"

namespace firn::query {

/// What a request searches for: one vector, or many that share a plan. Answers stand in their order.
using Vectors = std::span<const std::vector<float>>;
using HitsOfEach = std::vector<std::vector<simd::Hit>>;

enum class Way : std::uint8_t {
  kExact,    // every row that matches, in every fragment
  kMatches,  // the rows that match, one by one; uncovered fragments as in kExact
  kLists,    // the lists of the index that lie near; uncovered fragments as in kExact
};

std::string_view NameOf(Way way);

struct Plan {
  std::string column;
  simd::Element element = simd::Element::kF32;
  simd::Metric metric = simd::Metric::kL2;
  std::shared_ptr<const filter::Predicate> predicate;  // null without a filter
  bool prefilter = false;
  std::size_t wanted = 0;  // of each vector: k + offset, at most the rows there are

  Way way = Way::kExact;
  std::shared_ptr<const ColumnIndex> index;        // unless kExact
  std::shared_ptr<const FilterMask> mask;          // of a prefilter, unless kExact
  std::shared_ptr<const ResidentVectors> vectors;  // when they are
  std::string reason;                              // of the way, for people
};

/// InvalidArgument as Search and SearchMany say. `vectors`: at least one; that of the request is not looked at.
Result<Plan> MakePlan(OpenTable& table, const SearchRequest& request, Vectors vectors, const Deadline& deadline);

/// What a segment is to be scanned with to keep the promise, or as the request says.
index::ScanOptions EffortFor(const OpenSegment& segment, const SearchRequest& request, const Plan& plan,
                             std::size_t segment_number);
/// How many lists must be read at once, when they are not in memory.
std::size_t ListsFor(const OpenSegment& segment, const SearchRequest& request, const Plan& plan,
                     std::size_t segment_number);

/// Fragments that are scanned exactly beside the index: those without one, and with a filter those that only LanceDB's
/// index covers, so that the filter costs no recall.
std::vector<const lance::Fragment*> FragmentsToScan(const Plan& plan);

std::string Describe(const OpenTable& table, const Plan& plan, const SearchRequest& request, Vectors vectors);

}  // namespace firn::query
