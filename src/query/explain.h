#pragma once
// What a search cost, planned against spent.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace firn::query {

/// Reads from the store.
struct Reads {
  std::uint64_t rounds = 0;  // that had to wait for one another
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;

  /// Before or after others.
  Reads& operator+=(const Reads& other);
  /// The same for so many queries at once: more requests, not more rounds.
  Reads operator*(std::size_t queries) const { return {rounds, requests * queries, bytes * queries}; }
};

/// Of many vectors at once: what all of them cost; a list that two of them scan counts twice, and what was read for
/// both counts once.
struct Explain {
  std::uint64_t version = 0;
  std::uint64_t fragments = 0;
  std::uint64_t rows_scanned = 0;     // rows whose exact distance was computed
  std::uint64_t rows_matching = 0;    // of them, rows that passed the filter
  std::uint64_t lists = 0;            // of the index, scanned
  std::uint64_t graphs = 0;           // walked instead of lists
  std::uint64_t rows_estimated = 0;   // by one bit a dimension
  std::uint64_t rows_refined = 0;     // by the supplement
  std::uint64_t candidates = 0;       // whose vectors were read
  std::vector<std::string> warnings;  // the answer is right, but an index that should have helped did not
  std::string_view
      way;  // "exact", "matches" (each row that the filter lets through) or "lists" (of the index, or its graph)
  std::string plan;  // one line: "exact l2 over 100000 rows in 1 fragment, prefilter (...)"
  /// Expected when the plan was made, from then on: opening the table and reading a filter's columns come before.
  /// Nothing where lists and vectors are in memory or mapped.
  Reads planned;
  double open_ms = 0, search_ms = 0, fetch_ms = 0;
  // Filled by the engine from its counting store:
  std::uint64_t rounds = 0, requests = 0, bytes_read = 0;
  Reads opened;          // of them, before there was a plan
  double price_usd = 0;  // of the requests, at S3's list price; 0 in a folder
  double total_ms = 0;
};

/// A JSON object.
std::string ExplainJson(const Explain& explain);

}  // namespace firn::query
