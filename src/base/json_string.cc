#include "base/json_string.h"

#include <array>

namespace firn {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

// ASCII that may stand in a JSON string as it is.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x80; c++) plain[c] = c != '"' && c != '\\';
  return plain;
}();

/// The length of the well-formed UTF-8 character at the front of `text`, or 0.
std::size_t Utf8Length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : lead >= 0xE0 && lead < 0xF0 ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; i++) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF0 && byte(1) < 0x90) ||
      (lead == 0xF4 && byte(1) > 0x8F))
    return 0;
  return length;
}

/// How many bytes at the front of `text` are one character that may stand as it is; 0 when that may not.
std::size_t PlainLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  if (lead < 0x80) return kPlain[lead] ? 1 : 0;
  return Utf8Length(text);
}

/// A byte that may not stand as it is.
void AppendEscaped(std::string& out, char c) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if ((c & 0x80) != 0) {
    out += kReplacement;
  } else {
    out.append("\\u00").append(1, kHex[c >> 4]).append(1, kHex[c & 15]);
  }
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    if (const std::size_t length = PlainLength(text.substr(at)); length != 0) {
      at += length;
      continue;
    }
    out.append(text, copied, at - copied);
    AppendEscaped(out, text[at]);
    copied = ++at;
  }
  out.append(text, copied);
  out += '"';
}

}  // namespace firn
