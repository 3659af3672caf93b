#pragma once
// What searches asked lately, kept in memory: real queries say best what it takes to keep a promise of recall.

#include <cstdint>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"

namespace firn::query {

struct SeenQuery {
  std::vector<float> vector;
  std::string filter;  // "" = none
};

/// All indexes of a process. Thread-safe. Of each index at most kKept queries of kMostBytes together stay, the newer
/// ones more likely; of the least recently asked indexes beyond kMostIndexes, none.
class SeenQueries {
 public:
  static constexpr std::size_t kKept = 1000;
  static constexpr std::size_t kMostBytes = 4U << 20;
  static constexpr std::size_t kMostFilterBytes = 1024;  // a query with a longer one is counted, and not kept
  static constexpr std::size_t kMostIndexes = 64;

  /// `due`: after so many queries of an index Note says for the first time that it is to be measured, and again each
  /// time there were a hundred times as many more. 0 = never, and nothing is kept.
  explicit SeenQueries(std::uint64_t due) : due_(due) {}

  /// True when it is time to measure this index again.
  bool Note(const std::string& index, std::span<const float> vector, std::string_view filter);
  std::vector<SeenQuery> Of(const std::string& index) const;

 private:
  struct Sample {
    std::uint64_t count = 0;
    std::uint64_t last = 0;
    std::vector<SeenQuery> queries;
  };
  const std::uint64_t due_;
  mutable std::mutex mutex_;
  std::map<std::string, Sample> samples_;
  std::uint64_t notes_ = 0;
  Random random_{11};  // which queries stay; not a matter of safety
};

}  // namespace firn::query
