#pragma once
// Filter text -> syntax tree.

#include <string_view>

#include "filter/syntax.h"

namespace firn::filter {

inline constexpr std::size_t kMaxTextBytes = 64 * 1024;
inline constexpr int kMaxDepth = 200;
inline constexpr std::size_t kMaxInList = 10'000;

/// One expression that takes up the whole text. InvalidArgument with the place for everything that is not in the
/// language or is beyond the limits above.
Result<SyntaxTree> Parse(std::string_view text);

}  // namespace firn::filter
