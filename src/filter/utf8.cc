#include "filter/utf8.h"

namespace firn::filter {
namespace {

bool Continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

std::size_t LengthFromLead(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  if (lead >= 0xF0 && lead < 0xF5) return 4;
  return 1;
}

/// Blocks in which capitals and small letters alternate; `odd` = the capital has the odd number.
bool Alternates(char32_t c, bool& odd) {
  odd = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E) || (c >= 0x4C1 && c <= 0x4CE);
  if (odd) return true;
  return (c >= 0x100 && c <= 0x137 && c != 0x130 && c != 0x131) || (c >= 0x14A && c <= 0x177) ||
         (c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F) ||
         (c >= 0x1E00 && c <= 0x1E95) || (c >= 0x1EA0 && c <= 0x1EFF);
}

char32_t Lower(char32_t c) {
  if (c < 0x80) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c == 0x178) return 0xFF;
  if ((c >= 0x391 && c <= 0x3AB && c != 0x3A2) || (c >= 0x410 && c <= 0x42F)) return c + 32;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x386) return 0x3AC;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  if (c == 0x4C0) return 0x4CF;
  bool odd = false;
  if (Alternates(c, odd)) return ((c & 1) != 0) == odd ? c + 1 : c;
  return c;
}

char32_t Upper(char32_t c) {
  if (c < 0x80) return c >= 'a' && c <= 'z' ? c - 32 : c;
  if (c >= 0xE0 && c <= 0xFE && c != 0xF7) return c - 32;
  if (c == 0xFF) return 0x178;
  if (c == 0xB5) return 0x39C;
  if (c == 0x3C2) return 0x3A3;
  if ((c >= 0x3B1 && c <= 0x3CB) || (c >= 0x430 && c <= 0x44F)) return c - 32;
  if (c >= 0x3AD && c <= 0x3AF) return c - 37;
  if (c == 0x3AC) return 0x386;
  if (c == 0x3CC) return 0x38C;
  if (c == 0x3CD || c == 0x3CE) return c - 63;
  if (c >= 0x450 && c <= 0x45F) return c - 80;
  if (c >= 0x561 && c <= 0x586) return c - 48;
  if (c == 0x4CF) return 0x4C0;
  bool odd = false;
  if (Alternates(c, odd)) return ((c & 1) != 0) == odd ? c : c - 1;
  return c;
}

/// A well-formed character of more than one byte, or one byte.
std::size_t FirstLength(std::string_view text) {
  const std::size_t length = LengthFromLead(static_cast<unsigned char>(text[0]));
  if (length > text.size()) return 1;
  for (std::size_t i = 1; i < length; i++) {
    if (!Continues(text[i])) return 1;
  }
  return length;
}

bool IsAscii(std::string_view text) {
  unsigned char any = 0;
  for (const char c : text) any |= static_cast<unsigned char>(c);
  return any < 0x80;
}

template <class F>
void EachCharacter(std::string_view text, std::string& out, F map) {
  out.reserve(out.size() + text.size());
  while (!text.empty()) {
    const std::size_t length = FirstLength(text);
    const auto lead = static_cast<unsigned char>(text[0]);
    if (length == 1 && lead >= 0x80) {
      out.push_back(text[0]);
    } else {
      AppendUtf8(out, map(DecodeFirst(text)));
    }
    text.remove_prefix(length);
  }
}

}  // namespace

std::string_view FirstCharacter(std::string_view text) { return text.substr(0, FirstLength(text)); }

std::string_view LastCharacter(std::string_view text) {
  for (std::size_t length = 1; length <= 4 && length <= text.size(); length++) {
    const std::string_view tail = text.substr(text.size() - length);
    if (!Continues(tail[0])) return FirstLength(tail) == length ? tail : text.substr(text.size() - 1);
  }
  return text.substr(text.size() - 1);
}

std::int64_t CountCharacters(std::string_view text) {
  if (IsAscii(text)) return static_cast<std::int64_t>(text.size());
  std::int64_t count = 0;
  for (std::size_t i = 0; i < text.size(); count++) {
    i += static_cast<signed char>(text[i]) >= 0 ? 1 : FirstLength(text.substr(i));
  }
  return count;
}

std::size_t OffsetOf(std::string_view text, std::int64_t n) {
  std::size_t at = 0;
  for (; n > 0 && at < text.size(); n--) at += FirstLength(text.substr(at));
  return at;
}

char32_t DecodeFirst(std::string_view text) {
  const std::size_t length = FirstLength(text);
  const auto lead = static_cast<unsigned char>(text[0]);
  if (length == 1) return lead;
  char32_t code = lead & (0x7F >> length);
  for (std::size_t i = 1; i < length; i++) code = code << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  return code;
}

void AppendUtf8(std::string& out, char32_t code) {
  if (code < 0x80) {
    out.push_back(static_cast<char>(code));
    return;
  }
  const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static constexpr unsigned kLead[] = {0, 0xC0, 0xE0, 0xF0};
  out.push_back(static_cast<char>(kLead[more] | (code >> (6 * more))));
  for (int i = more - 1; i >= 0; i--) out.push_back(static_cast<char>(0x80 | (code >> (6 * i) & 0x3F)));
}

void ToLower(std::string_view text, std::string& out) {
  if (!IsAscii(text)) return EachCharacter(text, out, Lower);
  out.append(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
void ToUpper(std::string_view text, std::string& out) {
  if (!IsAscii(text)) return EachCharacter(text, out, Upper);
  out.append(text);
  for (char& c : out) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

void ToTitle(std::string_view text, std::string& out) {
  bool inside = false;
  EachCharacter(text, out, [&](char32_t c) {
    const char32_t mapped = inside ? Lower(c) : Upper(c);
    inside = c >= 0x80 || (c >= '0' && c <= '9') || Lower(c) != c || Upper(c) != c;
    return mapped;
  });
}

}  // namespace firn::filter
