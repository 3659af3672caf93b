#pragma once
// Filter text -> tokens. Positions are byte offsets into the text.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firn::filter {

/// A part of the filter text: bytes [begin, end).
struct Span {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// InvalidArgument that ends in `text` and a caret under `at`: "<message> at column 7\n<the line>\n      ^".
Error ErrorAt(std::string_view text, Span at, std::string message, std::string hint = {});

enum class TokenKind : std::uint8_t { kWord, kQuotedWord, kString, kHex, kNumber, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  Span span;
  std::string
      text;  // words, strings and hex: what stands between the quotes, unescaped; numbers and symbols as written
  std::string upper;  // kWord: in capitals, to compare with keywords
};

/// The tokens of `text`, ending in one kEnd. Strings are 'it''s', quoted words "so" or `so`, hex strings x'00ff'; SQL
/// comments count as space. InvalidArgument for an open quote or a character that no token starts with.
Result<std::vector<Token>> Tokenize(std::string_view text);

}  // namespace firn::filter
