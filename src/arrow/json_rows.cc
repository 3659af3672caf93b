#include "arrow/json_rows.h"

#include <array>
#include <cstring>

#include "arrow/byte_search.h"
#include "arrow/json_mistake.h"
#include "arrow/json_parser.h"

namespace firn::arrow {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/// Follows one JSON value to its end, a piece of text at a time. It only counts brackets: what is inside is the
/// parser's.
class ValueEnd {
 public:
  /// Characters of `text` up to and with the value's end, or all of them when it goes on. A bare word or number ends
  /// before the delimiter behind it.
  std::size_t Follow(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size() && !done_) {
      if (in_string_) {
        i = FollowString(text, i);
        continue;
      }
      if (depth_ > 0) {
        i = FindJsonStructure(text, i);
        if (i == text.size()) break;
      }
      const char c = text[i];
      if (depth_ == 0 && started_bare_ && (IsSpace(c) || c == ',' || c == ']' || c == '}')) {
        done_ = true;
        return i;
      }
      i++;
      switch (kClass[static_cast<unsigned char>(c)]) {
        case kOpen:
          depth_++;
          break;
        case kClose:
          done_ = --depth_ <= 0;
          break;
        case kQuote:
          in_string_ = true;
          break;
        default:
          started_bare_ = started_bare_ || depth_ == 0;
          break;
      }
    }
    return i;
  }
  bool done() const { return done_; }

 private:
  enum Class : std::uint8_t { kOther, kOpen, kClose, kQuote };
  static constexpr auto kClass = [] {
    std::array<Class, 256> classes{};
    classes['{'] = classes['['] = kOpen;
    classes['}'] = classes[']'] = kClose;
    classes['"'] = kQuote;
    return classes;
  }();

  std::size_t FollowString(std::string_view text, std::size_t i) {
    if (escaped_) {
      escaped_ = false;
      return i + 1;
    }
    i = FindEither(text, i, '"', '\\');
    if (i == text.size()) return i;
    escaped_ = text[i] == '\\';
    if (escaped_) return i + 1;
    in_string_ = false;
    done_ = depth_ == 0;
    return i + 1;
  }

  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  bool started_bare_ = false;
  bool done_ = false;
};

}  // namespace

std::string Name(const JsonRow& row) {
  std::string name = "row " + std::to_string(row.number);
  return row.line == 0 ? name : name + " (line " + std::to_string(row.line) + ")";
}

Result<std::optional<JsonRow>> JsonRows::Next() {
  if (!started_) FIRN_CHECK(FindLayout());
  started_ = true;
  if (ended_) return std::optional<JsonRow>();
  return layout_ == JsonLayout::kLines ? NextLine() : NextItem();
}

Status JsonRows::FindLayout() {
  if (layout_ == JsonLayout::kLines) return {};
  const std::uint64_t begin = at_;
  FIRN_TRY(const char first, PeekPastSpace());
  if (layout_ == JsonLayout::kAuto) {
    layout_ = first == '[' ? JsonLayout::kList : JsonLayout::kLines;
    if (first == '{') {
      // A first object over several lines means that rows are not lines; a broken one is left to its line's message.
      ValueEnd end;
      std::uint64_t scanned = at_;
      while (!end.done() && scanned - at_ <= max_row_bytes_) {
        scanned += end.Follow(window_.From(scanned));
        if (end.done()) break;
        FIRN_TRY(const bool more, window_.Grow());
        if (!more) break;
      }
      const std::string_view object = window_.From(at_).substr(0, static_cast<std::size_t>(scanned - at_));
      const std::size_t newline = object.find('\n');
      const bool broken_line = newline != std::string_view::npos && object.substr(newline + 1).starts_with('{');
      if (newline != std::string_view::npos && !broken_line) layout_ = JsonLayout::kObjects;
    }
    if (layout_ == JsonLayout::kLines) at_ = begin;
  }
  if (layout_ != JsonLayout::kList) return {};
  if (first == '\0') return At(at_, "there is nothing where a list of objects is wanted");
  if (first != '[') return At(at_, "a list of objects must begin with '['");
  at_++;
  return {};
}

Result<std::optional<JsonRow>> JsonRows::NextLine() {
  while (true) {
    std::uint64_t searched = at_;
    std::size_t size = 0;
    while (true) {
      const std::string_view rest = window_.From(searched);
      const void* newline = rest.empty() ? nullptr : std::memchr(rest.data(), '\n', rest.size());
      if (newline != nullptr) {
        size = static_cast<std::size_t>(searched - at_) +
               static_cast<std::size_t>(static_cast<const char*>(newline) - rest.data());
        break;
      }
      searched = window_.end();
      if (searched - at_ > max_row_bytes_) break;
      FIRN_TRY(const bool more, window_.Grow());
      if (more) continue;
      size = static_cast<std::size_t>(searched - at_);
      ended_ = true;
      break;
    }
    JsonRow row{next_number_, next_line_++, at_, size};
    if (searched - at_ > max_row_bytes_ || size > max_row_bytes_) {
      return ResourceExhausted(Name(row) + " is longer than " + std::to_string(max_row_bytes_) + " bytes",
                               "Is this newline-delimited JSON?");
    }
    at_ += size + (ended_ ? 0 : 1);
    std::string_view text = Text(row);
    while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
    row.size = text.size();
    if (text.find_first_not_of(" \t\r") != std::string_view::npos) {
      next_number_++;
      return std::optional(row);
    }
    if (ended_) return std::optional<JsonRow>();
  }
}

Result<std::optional<JsonRow>> JsonRows::NextItem() {
  FIRN_TRY(const bool there_is_one, SkipToItem());
  if (!there_is_one) {
    ended_ = true;
    return std::optional<JsonRow>();
  }
  FIRN_TRY(const std::uint64_t end, EndOfValue(at_));
  const JsonRow row{next_number_++, 0, at_, static_cast<std::size_t>(end - at_)};
  at_ = end;
  return std::optional(row);
}

/// Past what stands between items. False when there are no more.
Result<bool> JsonRows::SkipToItem() {
  FIRN_TRY(char c, PeekPastSpace());
  if (layout_ == JsonLayout::kObjects) return c != '\0';
  if (c == ']') {
    at_++;
    FIRN_CHECK(CheckNothingFollows());
    return false;
  }
  if (next_number_ > 0) {
    if (c != ',') return At(at_, c == '\0' ? "the list is not closed" : "a comma or ']' is missing");
    at_++;
    FIRN_TRY(c, PeekPastSpace());
  }
  if (c == '\0') return At(at_, "the list is not closed");
  if (c == ',' || c == ']' || c == '}' || c == ':') return At(at_, "a value is missing");
  return true;
}

Status JsonRows::CheckNothingFollows() {
  FIRN_TRY(const char c, PeekPastSpace());
  if (c == '\0' && at_ == window_.end()) return {};
  return At(at_, "nothing may follow the list");
}

Result<std::uint64_t> JsonRows::EndOfValue(std::uint64_t begin) {
  ValueEnd end;
  std::uint64_t position = begin;
  while (true) {
    position += end.Follow(window_.From(position));
    const bool too_long = position - begin > max_row_bytes_;
    if (end.done() && !too_long) return position;
    bool more = false;
    if (!too_long) {
      FIRN_TRY(more, window_.Grow());
    }
    if (more) continue;
    // Most likely a bracket or quote is missing further up, which is the better thing to say.
    const std::string_view text = window_.From(begin);
    const auto mistake = end.done() ? std::nullopt : FindJsonMistake(text, kMaxJsonDepth);
    if (mistake && (mistake->offset < text.size() || !too_long)) return At(begin + mistake->offset, mistake->what);
    if (!too_long) return position;  // a bare value ends with the text
    return ResourceExhausted("row " + std::to_string(next_number_) + " is longer than " +
                             std::to_string(max_row_bytes_) + " bytes");
  }
}

/// The next character that is not space, which stays; '\0' at the end.
Result<char> JsonRows::PeekPastSpace() {
  while (true) {
    const std::string_view rest = window_.From(at_);
    for (const char c : rest) {
      if (!IsSpace(c)) return c;
      at_++;
    }
    FIRN_TRY(const bool more, window_.Grow());
    if (!more) return '\0';
  }
}

Error JsonRows::At(std::uint64_t position, const std::string& what) const {
  return InvalidArgument("row " + std::to_string(next_number_) + ", byte " + std::to_string(position) + ": " + what);
}

}  // namespace firn::arrow
