#pragma once
// Finds where the rows of a JSON text begin and end, without understanding them: lines, the items of a list, or objects
// one after the other. Inside the arrow module only.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "arrow/json.h"
#include "arrow/text_window.h"

namespace firn::arrow {

/// Where a row stands.
struct JsonRow {
  std::int64_t number = 0;   // from 0
  std::int64_t line = 0;     // from 1; 0 when rows are not lines
  std::uint64_t offset = 0;  // in the text
  std::size_t size = 0;
};

/// `row 17 (line 18)`.
std::string Name(const JsonRow& row);

/// Not thread-safe.
class JsonRows {
 public:
  JsonRows(std::unique_ptr<ByteStream> source, JsonLayout layout, std::size_t max_row_bytes)
      : window_(std::move(source)), layout_(layout), max_row_bytes_(max_row_bytes) {}

  /// The next row; empty at the end. InvalidArgument for a text that has no such shape, ResourceExhausted for a row
  /// longer than the limit.
  Result<std::optional<JsonRow>> Next();

  /// A row's text, with TextWindow::kPadding readable bytes behind it; valid until the next call of Next.
  std::string_view Text(const JsonRow& row) const { return window_.From(row.offset).substr(0, row.size); }

  /// Says that rows before this one are not wanted any more.
  void Release(const JsonRow& row) { window_.DropBefore(row.offset); }
  void ReleaseAll() { window_.DropBefore(at_); }

 private:
  Status FindLayout();
  Result<std::optional<JsonRow>> NextLine();
  Result<std::optional<JsonRow>> NextItem();
  Result<bool> SkipToItem();
  Status CheckNothingFollows();
  Result<std::uint64_t> EndOfValue(std::uint64_t begin);
  Result<char> PeekPastSpace();
  Error At(std::uint64_t position, const std::string& what) const;

  TextWindow window_;
  JsonLayout layout_;
  const std::size_t max_row_bytes_;
  bool started_ = false;
  bool ended_ = false;
  std::uint64_t at_ = 0;
  std::int64_t next_number_ = 0;
  std::int64_t next_line_ = 1;
};

}  // namespace firn::arrow
