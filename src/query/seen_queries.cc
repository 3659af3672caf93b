#include "query/seen_queries.h"

#include <algorithm>

namespace firn::query {

bool SeenQueries::Note(const std::string& index, std::span<const float> vector, std::string_view filter) {
  constexpr std::uint64_t kAgainAfter = 100;
  constexpr std::uint64_t kOneOf = 16;  // once there are enough
  if (due_ == 0) return false;
  const std::lock_guard lock(mutex_);
  Sample& sample = samples_[index];
  sample.count++;
  sample.last = ++notes_;
  const std::size_t most = std::clamp(kMostBytes / (vector.size_bytes() + kMostFilterBytes), std::size_t{1}, kKept);
  const bool fits = filter.size() <= kMostFilterBytes;
  if (fits && sample.queries.size() < most) {
    sample.queries.push_back({{vector.begin(), vector.end()}, std::string(filter)});
  } else if (fits && sample.count % kOneOf == 0) {
    SeenQuery& replaced = sample.queries[random_.Below(sample.queries.size())];
    replaced.vector.assign(vector.begin(), vector.end());
    replaced.filter = filter;
  }
  const bool due = sample.count == due_ || sample.count % (kAgainAfter * due_) == 0;
  if (samples_.size() > kMostIndexes)
    samples_.erase(std::ranges::min_element(samples_, {}, [](const auto& each) { return each.second.last; }));
  return due;
}

std::vector<SeenQuery> SeenQueries::Of(const std::string& index) const {
  const std::lock_guard lock(mutex_);
  const auto found = samples_.find(index);
  return found == samples_.end() ? std::vector<SeenQuery>() : found->second.queries;
}

}  // namespace firn::query
