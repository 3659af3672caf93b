#pragma once
// Promise against truth: what share of the true nearest rows searches find, measured on the table as it is.

#include <string>
#include <vector>

#include "query/open_table.h"
#include "query/search.h"

namespace firn::maintain {

inline constexpr std::size_t kMaxRecallQueries = 10'000;
inline constexpr std::size_t kMaxRecallK = 1'000;
inline constexpr std::size_t kMaxPromises = 32;

struct RecallOptions {
  std::string column;  // "" = the only vector column
  std::optional<simd::Metric> metric{};
  std::string filter;  // every search has it, index and exact alike
  std::vector<float> promises = {0.9F, 0.95F, 0.99F};
  std::size_t queries = 200;  // rows of the table, at random places, when no vectors are given
  std::vector<std::vector<float>> vectors{};
  std::size_t k = 10;
  std::uint64_t seed = 42;
};

struct RecallRow {
  float promise = 0;
  double truth = 0;       // mean recall
  double worst = 0;       // of a single query
  double median_ms = 0;   // of a search
  double exact_ms = 0;    // of the exact one
  double lists = 0;       // scanned, on average
  double candidates = 0;  // whose exact distance was computed, on average
};

struct RecallReport {
  std::string column;
  std::size_t queries = 0;
  std::size_t k = 0;
  std::string plan;  // of the last search by index
  std::vector<RecallRow> rows;
};

/// InvalidArgument: a promise that is not in (0, 1], no queries, no k, or more of them than the bounds above; and as
/// Search says. A found row counts when its distance is at most that of the true k-th: ties are equally right. A row
/// that was itself the query does not count.
Result<RecallReport> MeasureRecall(query::OpenTable& table, const RecallOptions& options, const Deadline& deadline);

}  // namespace firn::maintain
