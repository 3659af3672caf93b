#pragma once
// "Did you mean ...?" for names that outsiders type.

#include <span>
#include <string>
#include <string_view>

namespace firn::server {

/// The known name that is nearest to `name` by edit distance; "" when none is near.
std::string_view NearestName(std::string_view name, std::span<const std::string_view> known);

/// "Did you mean 'limit'?", or "Known are a, b, c" when nothing is near.
std::string HintForUnknown(std::string_view name, std::span<const std::string_view> known);

/// `text` cut to what fits into a message.
std::string Quoted(std::string_view text);

}  // namespace firn::server
