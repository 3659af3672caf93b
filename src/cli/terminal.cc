#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <optional>

#include "arrow/json_writer.h"

namespace firn::cli {
namespace {

constexpr Duration kRedrawEvery = std::chrono::milliseconds(100);
constexpr std::size_t kLongestCell = 60;
constexpr std::size_t kShortestCell = 6;

/// Characters, counting each UTF-8 sequence as one.
std::size_t DisplayWidth(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string CutTo(std::string_view text, std::size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  std::string cut;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < text.size(); i++) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0) != 0x80;
    if (starts && ++shown > width - 1) break;
    cut += text[i];
  }
  return cut + "\u2026";
}

/// One line: line breaks and other control characters become spaces.
std::string OneLine(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, ' ');
  return line;
}

std::string VectorCell(const arrow::Array& array, std::int64_t row) {
  const auto [begin, end] = array.ItemsAt(row);
  constexpr std::int64_t kShown = 3;
  const arrow::Array& items = array.child(0);
  std::string cell = "[";
  for (std::int64_t i = begin; i < std::min(end, begin + kShown); i++) {
    if (i > begin) cell += ", ";
    if (items.type().id == arrow::TypeId::kFloat32) {
      char number[24];
      std::snprintf(number, sizeof number, "%.3g",
                    static_cast<double>(items.Values<float>()[static_cast<std::size_t>(i)]));
      cell += number;
    } else {
      arrow::AppendJsonValue(cell, items, i);
    }
  }
  if (end - begin > kShown) cell += ", \u2026 " + std::to_string(end - begin) + " values";
  return cell + "]";
}

std::string Cell(const arrow::Array& array, std::int64_t row) {
  if (array.IsNull(row)) return "";
  if (arrow::IsVector(array.type())) return VectorCell(array, row);
  if (arrow::IsText(array.type().id)) return OneLine(array.BytesAt(row));
  if (array.type().id == arrow::TypeId::kFloat32) {
    char number[24];
    std::snprintf(number, sizeof number, "%.6g",
                  static_cast<double>(array.Values<float>()[static_cast<std::size_t>(row)]));
    return number;
  }
  std::string cell;
  arrow::AppendJsonValue(cell, array, row);
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
  return OneLine(cell);
}

std::string Bar(std::uint64_t percent) {
  std::string bar;
  for (std::uint64_t i = 0; i < 20; i++) bar += i * 5 < percent ? "\u2588" : "\u2591";
  return bar;
}

std::string PerSecond(std::uint64_t rows, double seconds) {
  return WithCommas(static_cast<std::uint64_t>(static_cast<double>(rows) / seconds)) + " rows/s";
}

}  // namespace

bool IsTerminal(int descriptor) { return isatty(descriptor) == 1; }

std::size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20) return size.ws_col;
  return 120;
}

Progress::Progress(std::string what, const Clock& clock, bool quiet)
    : what_(std::move(what)), clock_(clock), active_(!quiet && IsTerminal(STDERR_FILENO)), begin_(clock.Now()) {}

Progress::~Progress() {
  if (drawn_) std::fputs("\r\033[K", stderr);
}

std::optional<double> Progress::Due() {
  const SteadyTime now = clock_.Now();
  if (!active_ || (drawn_ && now - shown_ < kRedrawEvery)) return std::nullopt;
  shown_ = now;
  drawn_ = true;
  return std::max(1e-3, std::chrono::duration<double>(now - begin_).count());
}

void Progress::Draw(const std::string& rest) {
  const std::string line = "\r\033[K" + what_ + rest;
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

void Progress::Show(std::uint64_t rows, std::uint64_t bytes, std::uint64_t total_bytes) {
  const std::optional<double> seconds = Due();
  if (!seconds) return;
  std::string line = "  " + WithCommas(rows) + " rows";
  if (total_bytes > 0) {
    const std::uint64_t percent = std::min<std::uint64_t>(100, bytes * 100 / total_bytes);
    line += "  " + Bar(percent) + " " + std::to_string(percent) + "% of " + HumanBytes(total_bytes);
  } else if (bytes > 0) {
    line += "  " + HumanBytes(bytes);
  }
  Draw(line + "  " + PerSecond(rows, *seconds));
}

void Progress::ShowRows(std::uint64_t rows, std::uint64_t total) {
  const std::optional<double> seconds = Due();
  if (!seconds) return;
  const std::uint64_t percent = total == 0 ? 0 : std::min<std::uint64_t>(100, rows * 100 / total);
  Draw("  " + Bar(percent) + " " + WithCommas(rows) + " of " + WithCommas(total) + " rows  " +
       PerSecond(rows, *seconds));
}

void Progress::ShowName() {
  if (Due()) Draw("");
}

std::string TextTable::Render(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); c++) {
    std::size_t widest = DisplayWidth(columns_[c].header);
    for (const auto& row : rows_) widest = std::max(widest, DisplayWidth(row[c]));
    widths.push_back(std::min(widest, kLongestCell));
  }
  // Take from the widest until the row fits.
  const auto total = [&] {
    std::size_t sum = 2 * (widths.size() - 1);
    for (const std::size_t w : widths) sum += w;
    return sum;
  };
  while (!widths.empty() && total() > width) {
    auto widest = std::ranges::max_element(widths);
    if (*widest <= kShortestCell) break;
    --*widest;
  }
  std::string text;
  const auto line = [&](const auto& cell_of) {
    std::string row;
    for (std::size_t c = 0; c < columns_.size(); c++) {
      const std::string cell = CutTo(cell_of(c), widths[c]);
      const std::string pad(widths[c] - DisplayWidth(cell), ' ');
      if (c > 0) row += "  ";
      row += columns_[c].right ? pad + cell : cell + pad;
    }
    row.erase(row.find_last_not_of(' ') + 1);
    text += row + "\n";
  };
  line([&](std::size_t c) { return columns_[c].header; });
  line([&](std::size_t c) {
    std::string rule;
    for (std::size_t i = 0; i < widths[c]; i++) rule += "\u2500";
    return rule;
  });
  for (const auto& row : rows_) line([&](std::size_t c) { return row[c]; });
  return text;
}

std::string RenderRows(const arrow::RecordBatch& rows, std::size_t width) {
  std::vector<TextTable::Column> columns;
  for (const arrow::Field& field : rows.schema->fields) {
    columns.push_back({field.name, arrow::IsInteger(field.type->id) || arrow::IsFloating(field.type->id)});
  }
  TextTable table(std::move(columns));
  for (std::int64_t row = 0; row < rows.rows; row++) {
    std::vector<std::string> cells;
    for (const arrow::Array& column : rows.columns) cells.push_back(Cell(column, row));
    table.Add(std::move(cells));
  }
  return table.Render(width);
}

std::string WithCommas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  return digits;
}

std::string HumanBytes(std::uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1000 && unit + 1 < std::size(kUnits)) {
    value /= 1000;
    unit++;
  }
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 || value >= 100 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string Number(double value, const char* format) {
  char text[48];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string HumanMillis(double millis) {
  char text[32];
  std::snprintf(text, sizeof text,
                millis >= 1000 ? "%.2f s"
                : millis >= 10 ? "%.0f ms"
                               : "%.2f ms",
                millis >= 1000 ? millis / 1000 : millis);
  return text;
}

std::string IsoTime(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace firn::cli
