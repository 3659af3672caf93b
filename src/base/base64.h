#pragma once
// Base64 (RFC 4648, section 4): bytes where only text may stand.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace firn {

/// Appends `bytes` in the standard alphabet, padded.
void AppendBase64(std::string& out, ByteSpan bytes);

/// The bytes of standard base64; padding may be left off. Empty when `text` is anything else: a foreign character, a
/// wrong length, bits set after the last byte.
std::optional<std::vector<std::uint8_t>> ParseBase64(std::string_view text);

}  // namespace firn
