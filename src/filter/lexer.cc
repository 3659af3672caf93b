#include "filter/lexer.h"

#include <algorithm>
#include <array>

#include "filter/utf8.h"

namespace firn::filter {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
// Bytes of UTF-8 beyond ASCII may stand in names.
bool StartsWord(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}
bool ContinuesWord(char c) { return StartsWord(c) || IsDigit(c) || c == '$'; }

std::string Capitals(std::string_view word) {
  std::string upper(word);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    while (true) {
      FIRN_CHECK(SkipSpace());
      if (at_ == text_.size()) break;
      FIRN_TRY(Token token, Next());
      tokens.push_back(std::move(token));
    }
    tokens.push_back({TokenKind::kEnd, {text_.size(), text_.size()}, {}, {}});
    return tokens;
  }

 private:
  char Peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  Status SkipSpace() {
    while (at_ < text_.size()) {
      if (IsSpace(text_[at_])) {
        at_++;
      } else if (Peek() == '-' && Peek(1) == '-') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (Peek() == '/' && Peek(1) == '*') {
        const std::size_t close = text_.find("*/", at_ + 2);
        if (close == std::string_view::npos)
          return ErrorAt(text_, {at_, at_ + 2}, "comment without an end", "close it with */");
        at_ = close + 2;
      } else {
        break;
      }
    }
    return {};
  }

  Result<Token> Next() {
    const char c = Peek();
    if ((c == 'x' || c == 'X') && Peek(1) == '\'') {
      const std::size_t begin = at_++;
      FIRN_TRY(Token token, Quoted(TokenKind::kHex));
      token.span.begin = begin;
      return token;
    }
    if (StartsWord(c)) return Word();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number();
    if (c == '\'') return Quoted(TokenKind::kString);
    if (c == '"' || c == '`') return Quoted(TokenKind::kQuotedWord);
    return Symbol();
  }

  Token Word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && ContinuesWord(text_[at_])) at_++;
    const std::string_view word = text_.substr(begin, at_ - begin);
    return {TokenKind::kWord, {begin, at_}, std::string(word), Capitals(word)};
  }

  Result<Token> Number() {
    const std::size_t begin = at_;
    while (IsDigit(Peek())) at_++;
    if (Peek() == '.') {
      at_++;
      while (IsDigit(Peek())) at_++;
    }
    if (Peek() == 'e' || Peek() == 'E') {
      const std::size_t digits = (Peek(1) == '+' || Peek(1) == '-') ? 2 : 1;
      if (IsDigit(Peek(digits))) {
        at_ += digits;
        while (IsDigit(Peek())) at_++;
      }
    }
    if (ContinuesWord(Peek())) {
      return ErrorAt(text_, {at_, at_ + 1}, "a number runs into '" + std::string(1, Peek()) + "'",
                     "names that begin with a digit need quotes: `1st`");
    }
    return Token{TokenKind::kNumber, {begin, at_}, std::string(text_.substr(begin, at_ - begin)), {}};
  }

  /// A quote is written inside by doubling it.
  Result<Token> Quoted(TokenKind kind) {
    const std::size_t begin = at_;
    const char quote = text_[at_++];
    std::string content;
    while (at_ < text_.size()) {
      const char c = text_[at_++];
      if (c != quote) {
        content.push_back(c);
      } else if (Peek() == quote) {
        content.push_back(quote);
        at_++;
      } else {
        return Token{kind, {begin, at_}, std::move(content), {}};
      }
    }
    return ErrorAt(text_, {begin, begin + 1}, std::string("quote ") + quote + " without an end",
                   std::string("write a quote inside as ") + quote + quote);
  }

  Result<Token> Symbol() {
    static constexpr std::array<std::string_view, 30> kSymbols = {
        "!~*", "==", "!=", "<>", "<=", ">=", "||", "::", "!~", "~*", "=", "<", ">", "+", "-",
        "*",   "/",  "%",  "(",  ")",  "[",  "]",  ",",  ".",  "~",  "{", "}", ":", ";", "?"};
    for (const std::string_view symbol : kSymbols) {
      if (!text_.substr(at_).starts_with(symbol)) continue;
      const std::size_t begin = at_;
      at_ += symbol.size();
      return Token{TokenKind::kSymbol, {begin, at_}, std::string(symbol), {}};
    }
    return ErrorAt(text_, {at_, at_ + 1}, std::string("unexpected character '") + text_[at_] + "'");
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

Error ErrorAt(std::string_view text, Span at, std::string message, std::string hint) {
  const std::size_t begin = std::min(at.begin, text.size());
  // Only the line that holds the place, and of a long one only its neighbourhood.
  std::size_t line = begin == 0 ? 0 : text.rfind('\n', begin - 1);
  line = line == std::string_view::npos ? 0 : (begin == 0 ? 0 : line + 1);
  std::size_t line_end = std::min(text.find('\n', begin), text.size());
  constexpr std::size_t kAround = 60;
  const bool cut_front = begin - line > kAround;
  if (cut_front) line = begin - kAround;
  const bool cut_back = line_end - begin > kAround;
  if (cut_back) line_end = begin + kAround;
  // Never begin or end inside a UTF-8 character.
  const auto continues = [&](std::size_t i) {
    return i < text.size() && (static_cast<unsigned char>(text[i]) & 0xC0) == 0x80;
  };
  while (line < begin && continues(line)) line++;
  while (line_end < text.size() && continues(line_end)) line_end++;

  std::string shown = cut_front ? "..." : "";
  std::string caret(shown.size(), ' ');
  for (std::size_t i = line; i < line_end; i++) {
    const auto c = static_cast<unsigned char>(text[i]);
    shown.push_back(c < 0x20 || c == 0x7F ? ' ' : text[i]);
    if (i < begin && !continues(i)) caret.push_back(' ');
  }
  if (cut_back) shown += "...";
  message +=
      " at column " + std::to_string(CountCharacters(text.substr(0, begin)) + 1) + "\n" + shown + "\n" + caret + "^";
  return InvalidArgument(std::move(message), std::move(hint));
}

Result<std::vector<Token>> Tokenize(std::string_view text) { return Lexer(text).Run(); }

}  // namespace firn::filter
