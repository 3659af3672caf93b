#include "arrow/csv_rows.h"

#include <algorithm>

#include <simdjson.h>

#include "arrow/byte_search.h"

namespace firn::arrow {

std::string Name(const CsvRow& row) {
  const std::string line = " (line " + std::to_string(row.line) + ")";
  return row.number < 0 ? "the header" + line : "row " + std::to_string(row.number) + line;
}

Result<std::optional<CsvRow>> CsvRows::Next() {
  while (!ended_) {
    FIRN_TRY(const std::size_t size, FindEnd());
    CsvRow row{next_number_, line_, at_, size};
    std::string_view text = window_.From(at_).substr(0, size);
    if (text.ends_with('\r')) row.size--;
    at_ += size + (ended_ ? 0 : 1);
    line_ += 1 + lines_in_row_;
    if (row.size == 0 && (ended_ || !count_empty_lines_)) continue;
    next_number_++;
    return std::optional(row);
  }
  return std::optional<CsvRow>();
}

/// How far it is to the line break that is not in quotes, or to the end.
Result<std::size_t> CsvRows::FindEnd() {
  lines_in_row_ = 0;
  bool quoted = false;
  std::uint64_t position = at_;
  while (true) {
    const std::string_view text = window_.From(position);
    for (std::size_t i = FindEither(text, 0, '"', '\n'); i < text.size(); i = FindEither(text, i + 1, '"', '\n')) {
      // A doubled quote turns this twice, which is right.
      if (text[i] == '"') quoted = !quoted;
      if (text[i] != '\n') continue;
      if (!quoted) return static_cast<std::size_t>(position - at_) + i;
      lines_in_row_++;
    }
    position += text.size();
    const auto size = static_cast<std::size_t>(position - at_);
    if (size > max_row_bytes_) {
      return ResourceExhausted(
          Name({next_number_, line_, 0, 0}) + " is longer than " + std::to_string(max_row_bytes_) + " bytes",
          quoted ? "A quote is not closed" : "");
    }
    FIRN_TRY(const bool more, window_.Grow());
    if (more) continue;
    ended_ = true;
    if (!quoted) return size;
    return InvalidArgument(Name({next_number_, line_, 0, 0}) + ": a quote is not closed");
  }
}

/// The cell whose quote stands at `i`; then `i` is behind its closing quote.
std::string_view CsvRows::QuotedCell(std::string_view text, std::size_t& i) {
  const std::size_t begin = unquoted_.size();
  std::size_t from = i + 1;
  while (true) {
    // There is one: FindEnd saw to it that quotes are closed.
    const std::size_t quote = std::min(text.find('"', from), text.size());
    const bool doubled = quote + 1 < text.size() && text[quote + 1] == '"';
    i = std::min(quote + 1, text.size());
    if (!doubled && unquoted_.size() == begin) return text.substr(from, quote - from);
    unquoted_.append(text, from, quote - from + (doubled ? 1 : 0));
    if (!doubled) return std::string_view(unquoted_).substr(begin);
    from = quote + 2;
  }
}

Status CsvRows::Split(const CsvRow& row, std::vector<CsvCell>& cells) {
  cells.clear();
  unquoted_.clear();
  unquoted_.reserve(row.size);  // so that cells may point into it
  const std::string_view text = window_.From(row.offset).substr(0, row.size);
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return InvalidArgument(Name(row) + " is not UTF-8", "Convert the file: iconv -f LATIN1 -t UTF-8");
  }
  std::size_t i = 0;
  while (true) {
    if (i == text.size() || text[i] != '"') {
      std::size_t end = text.find(delimiter_, i);
      if (end == std::string_view::npos) end = text.size();
      const std::string_view cell = text.substr(i, end - i);
      if (cell.find('"') != std::string_view::npos) {
        return InvalidArgument(
            Name(row) + ", cell " + std::to_string(cells.size() + 1) + ": a quote inside a cell without quotes",
            "Put the cell in quotes and double the quotes inside");
      }
      cells.push_back({cell, false});
      i = end;
    } else {
      cells.push_back({QuotedCell(text, i), true});
      if (i < text.size() && text[i] != delimiter_) {
        return InvalidArgument(Name(row) + ", cell " + std::to_string(cells.size()) + ": text after the closing quote",
                               "Quotes inside a cell are written twice");
      }
    }
    if (i >= text.size()) return {};
    i++;  // past the delimiter
  }
}

}  // namespace firn::arrow
