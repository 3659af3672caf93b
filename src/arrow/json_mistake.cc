#include "arrow/json_mistake.h"

#include <charconv>
#include <cstdint>

namespace firn::arrow {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsHex(char c) { return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

/// Length of the well-formed UTF-8 sequence at the front (Unicode, table 3-7); 0 when it is not one.
std::size_t Utf8Length(std::string_view s) {
  const auto at = [&](std::size_t i) -> unsigned { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0U; };
  const auto tail = [&](std::size_t i) { return (at(i) & 0xC0) == 0x80; };
  const unsigned lead = at(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return tail(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned high = lead == 0xED ? 0x9F : 0xBF;
    return at(1) >= low && at(1) <= high && tail(2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xF4 ? 0x8F : 0xBF;
    return at(1) >= low && at(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

/// Recursive descent; recursion is bounded by max_depth. Every method is true when all was well, else mistake_ is set.
class Walker {
 public:
  Walker(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  std::optional<JsonMistake> Walk() {
    SkipSpace();
    if (!Value(0)) return mistake_;
    SkipSpace();
    if (at_ != text_.size()) Fail("nothing may follow the value");
    return mistake_;
  }

 private:
  bool Fail(std::string what) {
    if (at_ >= text_.size()) what = "the text ends early: " + what;
    mistake_ = JsonMistake{at_, std::move(what)};
    return false;
  }
  char Peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  void SkipSpace() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      at_++;
    }
  }

  bool Value(int depth) {
    const char c = Peek();
    if (c == '{' || c == '[') {
      if (depth >= max_depth_) return Fail("nested deeper than " + std::to_string(max_depth_));
      return c == '{' ? Object(depth) : List(depth);
    }
    if (c == '"') return Text();
    if (c == '-' || IsDigit(c)) return Number();
    for (const std::string_view word : {"true", "false", "null"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return true;
      }
    }
    for (const std::string_view word : {"NaN", "Infinity", "nan", "inf"}) {
      if (text_.substr(at_).starts_with(word)) return Fail(std::string(word) + " is not JSON");
    }
    return Fail("a value is missing");
  }

  bool Object(int depth) {
    at_++;
    SkipSpace();
    if (Peek() == '}') {
      at_++;
      return true;
    }
    while (true) {
      SkipSpace();
      if (Peek() != '"') return Fail("a member's name in double quotes is missing");
      if (!Text()) return false;
      SkipSpace();
      if (Peek() != ':') return Fail("a ':' is missing");
      at_++;
      SkipSpace();
      if (!Value(depth + 1)) return false;
      SkipSpace();
      const char c = Peek();
      if (c != ',' && c != '}') return Fail("a comma or '}' is missing");
      at_++;
      if (c == '}') return true;
    }
  }

  bool List(int depth) {
    at_++;
    SkipSpace();
    if (Peek() == ']') {
      at_++;
      return true;
    }
    while (true) {
      SkipSpace();
      if (!Value(depth + 1)) return false;
      SkipSpace();
      const char c = Peek();
      if (c != ',' && c != ']') return Fail("a comma or ']' is missing");
      at_++;
      if (c == ']') return true;
    }
  }

  bool Text() {
    at_++;
    while (at_ < text_.size() && text_[at_] != '"') {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c < 0x20) return Fail("a control character inside a string must be escaped");
      if (c == '\\') {
        if (!Escape()) return false;
        continue;
      }
      const std::size_t length = Utf8Length(text_.substr(at_));
      if (length == 0) return Fail("not UTF-8");
      at_ += length;
    }
    if (at_ >= text_.size()) return Fail("a string is not closed");
    at_++;
    return true;
  }

  bool Escape() {
    const char c = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
    if (c != 'u') {
      if (std::string_view("\"\\/bfnrt").find(c) == std::string_view::npos || c == '\0') return Fail("no such escape");
      at_ += 2;
      return true;
    }
    const auto unit = CodeUnit();
    if (!unit) return Fail("\\u wants four hexadecimal digits");
    if (*unit >= 0xDC00 && *unit <= 0xDFFF) return Fail("half of a surrogate pair");
    at_ += 6;
    if (*unit < 0xD800 || *unit > 0xDBFF) return true;
    const auto low = CodeUnit();
    if (!low || *low < 0xDC00 || *low > 0xDFFF) return Fail("half of a surrogate pair");
    at_ += 6;
    return true;
  }

  std::optional<unsigned> CodeUnit() const {
    const std::string_view escape = text_.substr(std::min(at_, text_.size()), 6);
    if (escape.size() < 6 || !escape.starts_with("\\u")) return std::nullopt;
    for (const char digit : escape.substr(2)) {
      if (!IsHex(digit)) return std::nullopt;
    }
    unsigned unit = 0;
    std::from_chars(escape.data() + 2, escape.data() + 6, unit, 16);
    return unit;
  }

  bool Number() {
    const std::size_t begin = at_;
    if (Peek() == '-') at_++;
    if (text_.substr(at_).starts_with("Inf")) return Fail("Infinity is not JSON");
    if (!IsDigit(Peek())) return Fail("a digit is missing");
    const bool zero = Peek() == '0';
    at_++;
    if (zero && IsDigit(Peek())) {
      at_ = begin;
      return Fail("a number may not begin with 0");
    }
    SkipDigits();
    if (Peek() == '.') {
      at_++;
      if (!IsDigit(Peek())) return Fail("a digit is missing after the point");
      SkipDigits();
    }
    if (Peek() == 'e' || Peek() == 'E') {
      at_++;
      if (Peek() == '+' || Peek() == '-') at_++;
      if (!IsDigit(Peek())) return Fail("a digit is missing in the exponent");
      SkipDigits();
    }
    double value = 0;
    const auto got = std::from_chars(text_.data() + begin, text_.data() + at_, value);
    // Out of range is also what is too small; that reads as zero.
    if (got.ec == std::errc::result_out_of_range && !TooSmall(text_.substr(begin, at_ - begin))) {
      at_ = begin;
      return Fail("a number beyond the range of a double");
    }
    return true;
  }

  static bool TooSmall(std::string_view number) {
    const std::size_t e = number.find_first_of("eE");
    return number.substr(0, 2) == "0." || number.substr(0, 3) == "-0." ||
           (e != std::string_view::npos && e + 1 < number.size() && number[e + 1] == '-');
  }

  void SkipDigits() {
    while (IsDigit(Peek())) at_++;
  }

  std::string_view text_;
  int max_depth_;
  std::size_t at_ = 0;
  std::optional<JsonMistake> mistake_;
};

bool FitsAnInteger(std::string_view digits) {
  const char* end = digits.data() + digits.size();
  std::int64_t small = 0;
  std::uint64_t large = 0;
  return std::from_chars(digits.data(), end, small).ec == std::errc() ||
         std::from_chars(digits.data(), end, large).ec == std::errc();
}

}  // namespace

std::optional<JsonMistake> FindJsonMistake(std::string_view text, int max_depth) {
  return Walker(text, max_depth).Walk();
}

std::optional<std::string> WithLargeIntegersAsFloats(std::string_view text) {
  std::string out;
  std::size_t copied = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); i++) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') i++;
      in_string = c != '"';
      continue;
    }
    if (c == '"') in_string = true;
    if (c != '-' && !IsDigit(c)) continue;
    std::size_t end = i + 1;
    while (end < text.size() && IsDigit(text[end])) end++;
    const bool whole = end == text.size() || (text[end] != '.' && text[end] != 'e' && text[end] != 'E');
    if (whole && !FitsAnInteger(text.substr(i, end - i))) {
      out.append(text, copied, end - copied).append("e0");
      copied = end;
    }
    // The rest of a float is no integer.
    while (end < text.size() && (IsDigit(text[end]) || text[end] == '.' || text[end] == 'e' || text[end] == 'E' ||
                                 text[end] == '+' || text[end] == '-')) {
      end++;
    }
    i = end - 1;
  }
  if (copied == 0) return std::nullopt;
  return out.append(text, copied);
}

}  // namespace firn::arrow
