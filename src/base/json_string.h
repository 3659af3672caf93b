#pragma once
// Text as a JSON string (RFC 8259, section 7): what log lines, replies and exports are made of.

#include <string>
#include <string_view>

namespace firn {

/// Appends `text` to `out` as a JSON string with quotes. Every byte that belongs to no UTF-8 character becomes U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);

}  // namespace firn
