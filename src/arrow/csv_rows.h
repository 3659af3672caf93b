#pragma once
// The rows of a CSV text as cells. Inside the arrow module only.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/text_window.h"

namespace firn::arrow {

struct CsvRow {
  std::int64_t number = 0;  // from 0; the header is -1
  std::int64_t line = 0;    // from 1
  std::uint64_t offset = 0;
  std::size_t size = 0;  // without the line break
};

/// `row 17 (line 18)`, or `the header (line 1)`.
std::string Name(const CsvRow& row);

struct CsvCell {
  std::string_view text;  // quotes undone
  bool quoted = false;
};

/// Not thread-safe.
class CsvRows {
 public:
  CsvRows(std::unique_ptr<ByteStream> source, char delimiter, std::size_t max_row_bytes)
      : window_(std::move(source)), delimiter_(delimiter), max_row_bytes_(max_row_bytes) {}

  /// The next row (empty lines do not count, unless asked to); the first is the header. Empty at the end.
  Result<std::optional<CsvRow>> Next();

  /// From now on an empty line is a row, too.
  void CountEmptyLines() { count_empty_lines_ = true; }

  /// Cuts a row into cells, which are valid until the next call of Split or Next.
  Status Split(const CsvRow& row, std::vector<CsvCell>& cells);

  /// Says that rows found so far are not wanted any more.
  void ReleaseAll() { window_.DropBefore(at_); }

 private:
  Result<std::size_t> FindEnd();
  std::string_view QuotedCell(std::string_view text, std::size_t& i);

  TextWindow window_;
  const char delimiter_;
  const std::size_t max_row_bytes_;
  std::uint64_t at_ = 0;
  bool ended_ = false;
  bool count_empty_lines_ = false;
  std::int64_t next_number_ = -1;
  std::int64_t line_ = 1;
  std::int64_t lines_in_row_ = 0;
  std::string unquoted_;  // cells that held doubled quotes
};

}  // namespace firn::arrow
