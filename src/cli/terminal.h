#pragma once
// What people see: progress on standard error, tables on standard output.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"
#include "base/clock.h"

namespace firn::cli {

bool IsTerminal(int descriptor);
/// Columns of the terminal on standard output; 120 when it is none.
std::size_t TerminalWidth();

/// One line on standard error that is rewritten in place; silent unless standard error is a terminal. Not thread-safe.
class Progress {
 public:
  Progress(std::string what, const Clock& clock, bool quiet);
  ~Progress();  // clears the line

  /// `total_bytes` 0 = unknown.
  void Show(std::uint64_t rows, std::uint64_t bytes, std::uint64_t total_bytes);
  /// Rows done of all.
  void ShowRows(std::uint64_t rows, std::uint64_t total);
  /// Only what it is about: nothing moves that could be counted.
  void ShowName();

 private:
  /// Whether a line is due; the seconds since the beginning.
  std::optional<double> Due();
  void Draw(const std::string& rest);

  const std::string what_;
  const Clock& clock_;
  const bool active_;
  const SteadyTime begin_;
  SteadyTime shown_{};
  bool drawn_ = false;
};

/// Cells under headers, cut to the terminal's width; numbers to the right.
class TextTable {
 public:
  struct Column {
    std::string header;
    bool right = false;
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void Add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string Render(std::size_t width) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Rows as a text table; long values are shortened ("[0.12, 0.5, ... 384 values]").
std::string RenderRows(const arrow::RecordBatch& rows, std::size_t width);

/// "12,345"; "1.2 MB"; "340 ms" or "2.4 s".
std::string WithCommas(std::uint64_t number);
std::string HumanBytes(std::uint64_t bytes);
std::string HumanMillis(double millis);
/// As printf writes it.
std::string Number(double value, const char* format = "%.3f");
std::string IsoTime(WallTime time);

}  // namespace firn::cli
