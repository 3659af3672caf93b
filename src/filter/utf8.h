#pragma once
// Characters in UTF-8 text. Bytes that are not UTF-8 count as one character each and stay as they are.

#include <cstdint>
#include <string>
#include <string_view>

namespace firn::filter {

std::string_view FirstCharacter(std::string_view text);  // text is not empty
std::string_view LastCharacter(std::string_view text);   // text is not empty
std::int64_t CountCharacters(std::string_view text);
/// Byte offset of character `n` (from 0); the size when there are fewer.
std::size_t OffsetOf(std::string_view text, std::int64_t n);
char32_t DecodeFirst(std::string_view text);  // text is not empty
void AppendUtf8(std::string& out, char32_t code);

// `out` is empty before. Letter case of Latin, Greek, Cyrillic and Armenian; other scripts have none or stay as they
// are.
void ToLower(std::string_view text, std::string& out);
void ToUpper(std::string_view text, std::string& out);
void ToTitle(std::string_view text, std::string& out);  // the first letter of each word large, the rest small

}  // namespace firn::filter
