#pragma once
// Which field an object's member belongs to, row after row.

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "arrow/type.h"

namespace firn::arrow {

/// Keeps views of the names of `fields`, which must outlive it. Not thread-safe.
class MemberMatcher {
 public:
  static constexpr std::size_t kUnknown = static_cast<std::size_t>(-1);

  explicit MemberMatcher(const std::vector<Field>& fields) : seen_in_(fields.size(), 0) {
    for (const Field& field : fields) {
      index_.emplace(field.name, names_.size());
      names_.push_back(field.name);
    }
  }

  void BeginObject() {
    object_++;
    seen_count_ = 0;
    next_ = 0;
  }
  /// The field's index, or kUnknown.
  std::size_t Find(std::string_view name) {
    // Objects mostly list their members in the fields' order.
    if (next_ < names_.size() && names_[next_] == name) return next_++;
    const auto found = index_.find(name);
    if (found == index_.end()) return kUnknown;
    next_ = found->second + 1;
    return found->second;
  }
  /// False when this object had the member already.
  bool MarkSeen(std::size_t index) {
    if (seen_in_[index] == object_) return false;
    seen_in_[index] = object_;
    seen_count_++;
    return true;
  }
  bool Seen(std::size_t index) const { return seen_in_[index] == object_; }
  bool SeenAll() const { return seen_count_ == names_.size(); }

 private:
  std::vector<std::string_view> names_;
  std::unordered_map<std::string_view, std::size_t> index_;
  std::vector<std::uint64_t> seen_in_;  // the number of the object that last had it
  std::uint64_t object_ = 0;
  std::size_t seen_count_ = 0;
  std::size_t next_ = 0;
};

}  // namespace firn::arrow
