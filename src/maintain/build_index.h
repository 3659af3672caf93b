#pragma once
// Building an index beside a table: read the column twice (a sample, then all), write one object, measure what it takes
// to keep a promise of recall, publish it in the catalog. Until the last step nothing is visible; a build that ends
// early leaves at most an object that no catalog names.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "index/catalog.h"
#include "index/vector/segment_builder.h"
#include "query/search.h"
#include "table/table.h"

namespace firn::maintain {

enum class BuildPhase : std::uint8_t { kSample, kTrain, kEncode, kWrite, kCalibrate };
/// For people: "reading a sample", "clustering", "encoding", "writing", "measuring recall".
std::string_view NameOf(BuildPhase phase);
/// Whether rows pass by in it, so that `done` and `total` below are rows.
bool CountsRows(BuildPhase phase);
/// Called from any thread, one at a time: rows done of all.
using BuildProgress = std::function<void(BuildPhase phase, std::uint64_t done, std::uint64_t total)>;

struct BuildOptions {
  std::string name{};                    // of the index; "" = "{column}_idx"
  std::string column{};                  // "" = the only vector column
  std::optional<simd::Metric> metric{};  // unset: that of the index it replaces, else l2
  std::size_t rows_per_list = 0;         // 0 = about the square root of the rows
  bool only_missing = false;  // index only fragments that no segment of this index covers, and keep the others
  /// With only_missing: where there are so many segments, the smallest are built anew together with what is missing. A
  /// search reads lists of each segment, so that many small ones cost requests (no rounds).
  std::size_t most_segments = 16;
  std::uint64_t memory_bytes = 1ULL << 30;
  std::string scratch_folder = "/tmp";  // for what exceeds the memory
  std::uint64_t seed = 1;
};

/// What a build with these options would make.
struct BuildPlan {
  std::string name;
  std::string column;
  simd::Metric metric = simd::Metric::kL2;
  std::uint64_t rows = 0;  // to index, deleted ones included; 0: there is nothing to do
};

/// Tells before any work whether a build can begin; costs one read of the catalog. Errors are those of
/// BuildVectorIndex.
Result<BuildPlan> PlanBuild(const table::SnapshotPtr& snapshot, const BuildOptions& options, const Deadline& deadline);

/// InvalidArgument: no such column, or not a vector column; no rows; a name that is empty, too long or has control
/// characters. AlreadyExists: the name is that of an index on another column. Unsupported: hamming, a dimension beyond
/// 8,192. When there is nothing to do (only_missing and all is covered) the existing entry comes back.
Result<index::SegmentEntry> BuildVectorIndex(const table::SnapshotPtr& snapshot, const BuildOptions& options,
                                             const BuildProgress& progress, const Deadline& deadline);

}  // namespace firn::maintain
