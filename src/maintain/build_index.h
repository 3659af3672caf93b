#pragma once
// Building an index beside a table: read the column twice (a sample, then all), write one object, measure what it takes to keep a
// promise of recall, publish it in the catalog. Until the last step nothing is visible; a build that ends early leaves at most an
// object that no catalog names.

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
std::string_view NameOf(BuildPhase phase);
/// Called from any thread, one at a time: rows done of all.
using BuildProgress = std::function<void(BuildPhase phase, std::uint64_t done, std::uint64_t total)>;

struct BuildOptions {
  std::string name;                     // of the index; "" = "{column}_idx"
  std::string column;                   // "" = the only vector column
  std::optional<simd::Metric> metric{};  // unset: that of the index it replaces, else l2
  std::size_t rows_per_list = 0;        // 0 = about the square root of the rows
  bool only_missing = false;            // index only fragments that no segment of this index covers, and keep the others
  std::uint64_t memory_bytes = 1ULL << 30;
  std::string scratch_folder = "/tmp";  // for what exceeds the memory
  std::uint64_t seed = 1;
};

/// NotFound: table, column. InvalidArgument: not a vector column; no rows. Unsupported: hamming, a dimension beyond 8,192.
/// When there is nothing to do (only_missing and all is covered) the existing entry comes back.
Result<index::SegmentEntry> BuildVectorIndex(const table::SnapshotPtr& snapshot, const BuildOptions& options,
                                             const BuildProgress& progress, const Deadline& deadline);

}  // namespace firn::maintain
