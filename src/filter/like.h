#pragma once
// LIKE patterns: % is any text, _ one character, the escape character makes the next one plain.

#include <string>
#include <string_view>
#include <vector>

namespace firn::filter {

/// A prepared pattern. Immutable, thread-safe.
class LikePattern {
 public:
  LikePattern(std::string_view pattern, char escape);
  bool Matches(std::string_view text) const;

  /// The same as a regular expression, for ILIKE.
  static std::string ToRegex(std::string_view pattern, char escape);

 private:
  enum class Shape { kExact, kPrefix, kSuffix, kContains, kGeneral };
  struct Item {
    enum { kAnyText, kAnyCharacter, kPlain } what;
    std::string plain;
  };

  Shape shape_ = Shape::kGeneral;
  std::vector<Item> items_;
  std::string plain_;  // of the simple shapes
};

}  // namespace firn::filter
