#include "arrow/csv.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "arrow/column_writer.h"
#include "arrow/csv_rows.h"
#include "arrow/json_parser.h"
#include "arrow/json_writer.h"
#include "arrow/row_source.h"
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

Result<std::vector<std::string>> ReadHeader(CsvRows& rows, const CsvOptions& options) {
  FIRN_TRY(const auto row, rows.Next());
  if (!row) return InvalidArgument("there is no header line", "The first line names the columns");
  std::vector<CsvCell> cells;
  FIRN_CHECK(rows.Split(*row, cells));
  if (cells.size() > options.max_columns) {
    return ResourceExhausted("the header names " + std::to_string(cells.size()) + " columns; " +
                             std::to_string(options.max_columns) + " are allowed");
  }
  std::vector<std::string> names;
  for (const CsvCell& cell : cells) {
    if (cell.text.empty()) {
      return InvalidArgument(Name(*row) + ": column " + std::to_string(names.size() + 1) + " has no name",
                             "The first line names the columns");
    }
    names.emplace_back(cell.text);
  }
  // In a file of one column, an empty line is its null.
  if (names.size() == 1) rows.CountEmptyLines();
  std::vector<std::string> sorted = names;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
    return InvalidArgument(Name(*row) + " names column " + Quoted(*twice) + " twice");
  }
  return names;
}

/// A row's cells, as many as the header has.
Status SplitRow(CsvRows& rows, const CsvRow& row, std::size_t columns, std::vector<CsvCell>& cells) {
  FIRN_CHECK(rows.Split(row, cells));
  if (cells.size() == columns) return {};
  return InvalidArgument(
      Name(row) + ": " + std::to_string(cells.size()) + " cells where the header has " + std::to_string(columns),
      "Is the delimiter right, and is every cell that holds one in quotes?");
}

/// Some programs put quotes around everything: only in text do they tell the empty string from null.
bool IsNull(const CsvCell& cell, const Field& field, bool empty_is_null) {
  return cell.text.empty() && (!IsText(field.type->id) || (!cell.quoted && empty_is_null));
}

/// What JSON would have told by its syntax, from a cell's text.
class CellGuess {
 public:
  explicit CellGuess(const CsvOptions& options) : parser_(options.max_row_bytes), columns_left_(options.max_columns) {}

  Status See(std::string_view text, std::int64_t row, TypeGuess& guess) {
    if (text == "true" || text == "false" || text == "True" || text == "False" || text == "TRUE" || text == "FALSE") {
      guess.SeeBool(row);
    } else if (LooksLikeANumber(text)) {
      SeeNumber(text, row, guess);
    } else if (simdjson::dom::element list; text.starts_with('[') && !parser_.Parse(text, false, list)) {
      return Observe(list, row, columns_left_, guess);
    } else {
      guess.SeeText(text, row);
    }
    return {};
  }

 private:
  static bool LooksLikeANumber(std::string_view text) {
    if (text.starts_with('-')) text.remove_prefix(1);
    if (text.empty() || text[0] < '0' || text[0] > '9') return false;
    return text[0] != '0' || text.size() == 1 || text[1] == '.' || text[1] == 'e' || text[1] == 'E';
  }
  static void SeeNumber(std::string_view text, std::int64_t row, TypeGuess& guess) {
    const char* end = text.data() + text.size();
    std::int64_t whole = 0;
    if (const auto got = std::from_chars(text.data(), end, whole); got.ptr == end && got.ec == std::errc()) {
      return guess.SeeInteger(whole, row);
    }
    std::uint64_t large = 0;
    if (const auto got = std::from_chars(text.data(), end, large); got.ptr == end && got.ec == std::errc()) {
      return guess.SeeUnsigned(large, row);
    }
    double number = 0;
    const auto got = std::from_chars(text.data(), end, number);
    if (got.ptr == end && got.ec == std::errc()) return guess.SeeFloating(row);
    guess.SeeText(text, row);
  }

  JsonParser parser_;
  std::size_t columns_left_;
};

/// Collects what the cells of each column look like.
class SchemaGuess {
 public:
  SchemaGuess(const std::vector<std::string>& names, const CsvOptions& options) : names_(names), cell_guess_(options) {
    for (std::size_t i = 0; i < names.size(); i++) guesses_.emplace_back(OnConflict::kUtf8);
  }

  Status See(const std::vector<CsvCell>& cells, std::int64_t row) {
    for (std::size_t i = 0; i < cells.size(); i++) {
      if (cells[i].text.empty()) continue;
      FIRN_CHECK(cell_guess_.See(cells[i].text, row, guesses_[i]));
    }
    return {};
  }

  Result<SchemaPtr> Finish() const {
    Schema schema;
    for (std::size_t i = 0; i < names_.size(); i++) {
      FIRN_TRY(auto type, guesses_[i].Type(names_[i]));
      schema.fields.push_back({names_[i], std::move(type)});
    }
    return std::make_shared<const Schema>(std::move(schema));
  }

 private:
  const std::vector<std::string>& names_;
  CellGuess cell_guess_;
  std::vector<TypeGuess> guesses_;
};

/// What a RowSource knows of CSV.
class CsvFormat {
 public:
  using Options = CsvOptions;
  using Row = CsvRow;

  CsvFormat(std::unique_ptr<ByteStream> text, const CsvOptions& options)
      : options_(options),
        rows_(std::move(text), options.delimiter, options.max_row_bytes),
        parser_(options.max_row_bytes) {}

  Status Start() {
    FIRN_TRY(names_, ReadHeader(rows_, options_));
    return {};
  }
  Result<std::optional<CsvRow>> NextRow() { return rows_.Next(); }
  void ReleaseRows() { rows_.ReleaseAll(); }

  Result<SchemaPtr> Infer(std::span<const CsvRow> rows) {
    SchemaGuess guess(names_, options_);
    for (const CsvRow& row : rows) {
      FIRN_CHECK(SplitRow(rows_, row, names_.size(), cells_));
      FIRN_CHECK(guess.See(cells_, row.number));
    }
    return guess.Finish();
  }

  /// Finds which cell each column comes from.
  Status UseSchema(SchemaPtr schema) {
    schema_ = std::move(schema);
    count_ = 0;
    columns_.clear();
    cell_of_.assign(schema_->fields.size(), kAbsent);
    for (const Field& field : schema_->fields) columns_.emplace_back(field);
    for (std::size_t cell = 0; cell < names_.size(); cell++) {
      const auto column = schema_->IndexOf(names_[cell]);
      if (!column) {
        return InvalidArgument("the header names column " + Quoted(names_[cell]) + ", which there is not",
                               "Columns: " + schema_->ToString());
      }
      cell_of_[*column] = cell;
    }
    return {};
  }

  Status Append(const CsvRow& row) {
    FIRN_CHECK(SplitRow(rows_, row, names_.size(), cells_));
    for (std::size_t i = 0; i < columns_.size(); i++) FIRN_CHECK(AppendValue(i, row));
    count_++;
    return {};
  }

  std::size_t size_bytes() const {
    std::size_t size = 0;
    for (const ColumnWriter& column : columns_) size += column.size_bytes();
    return size;
  }

  RecordBatch Finish() {
    RecordBatch batch{schema_, {}, std::exchange(count_, 0)};
    for (ColumnWriter& column : columns_) batch.columns.push_back(column.Finish());
    return batch;
  }

 private:
  Status AppendValue(std::size_t column, const CsvRow& row) {
    const Field& field = schema_->fields[column];
    const std::size_t cell = cell_of_[column];
    const bool null = cell == kAbsent || IsNull(cells_[cell], field, options_.empty_is_null);
    ValueProblem problem;
    if (null ? columns_[column].AppendNull(problem)
             : columns_[column].AppendText(cells_[cell].text, parser_, problem)) {
      return {};
    }
    return Error{problem.kind, Name(row) + ", column \"" + field.name + problem.path + "\": " + problem.what,
                 std::move(problem.hint)};
  }

  static constexpr std::size_t kAbsent = static_cast<std::size_t>(-1);

  const CsvOptions& options_;
  CsvRows rows_;
  JsonParser parser_;
  std::vector<std::string> names_;  // of the header
  SchemaPtr schema_;
  std::vector<ColumnWriter> columns_;
  std::vector<std::size_t> cell_of_;  // of each column
  std::vector<CsvCell> cells_;
  std::int64_t count_ = 0;  // of rows in the columns
};

void AppendCell(std::string& out, std::string_view text, char delimiter) {
  // An empty string must not be read as null.
  const bool plain = !text.empty() && text.find_first_of("\"\r\n") == std::string_view::npos &&
                     text.find(delimiter) == std::string_view::npos;
  if (plain) {
    out += text;
    return;
  }
  out += '"';
  while (true) {
    const std::size_t quote = text.find('"');
    out += text.substr(0, quote);
    if (quote == std::string_view::npos) break;
    out += "\"\"";
    text.remove_prefix(quote + 1);
  }
  out += '"';
}

double FloatAt(const Array& array, std::int64_t row) {
  const auto index = static_cast<std::size_t>(row);
  switch (array.type().id) {
    case TypeId::kFloat16:
      return HalfToFloat(array.Values<std::uint16_t>()[index]);
    case TypeId::kFloat32:
      return array.Values<float>()[index];
    default:
      return array.Values<double>()[index];
  }
}

void AppendCellText(std::string& out, const Array& column, std::int64_t row) {
  if (IsTextInJson(column.type().id)) return AppendValueText(out, column, row);
  if (IsFloating(column.type().id)) {
    // JSON has no words for these; a cell has.
    const double value = FloatAt(column, row);
    if (!std::isfinite(value)) {
      out += std::isnan(value) ? "NaN" : value < 0 ? "-inf" : "inf";
      return;
    }
  }
  AppendJsonValue(out, column, row);
}

}  // namespace

Result<std::unique_ptr<BatchSource>> OpenCsv(std::unique_ptr<ByteStream> text, CsvOptions options) {
  return OpenRows<CsvFormat>(std::move(text), std::move(options));
}

Result<SchemaPtr> InferCsvSchema(std::unique_ptr<ByteStream> text, const CsvOptions& options) {
  const CsvOptions bounded = Bounded(options);
  CsvRows rows(std::move(text), bounded.delimiter, bounded.max_row_bytes);
  FIRN_TRY(const auto names, ReadHeader(rows, bounded));
  SchemaGuess guess(names, bounded);
  std::vector<CsvCell> cells;
  while (true) {
    rows.ReleaseAll();
    FIRN_TRY(const auto row, rows.Next());
    if (!row) return guess.Finish();
    FIRN_CHECK(SplitRow(rows, *row, names.size(), cells));
    FIRN_CHECK(guess.See(cells, row->number));
  }
}

void AppendCsvHeader(std::string& out, const Schema& schema, char delimiter) {
  for (std::size_t i = 0; i < schema.fields.size(); i++) {
    if (i > 0) out += delimiter;
    AppendCell(out, schema.fields[i].name, delimiter);
  }
  out += '\n';
}

void AppendCsvRows(std::string& out, const RecordBatch& batch, char delimiter) {
  std::string text;
  for (std::int64_t row = 0; row < batch.rows; row++) {
    for (std::size_t i = 0; i < batch.columns.size(); i++) {
      if (i > 0) out += delimiter;
      if (batch.columns[i].IsNull(row)) continue;
      text.clear();
      AppendCellText(text, batch.columns[i], row);
      AppendCell(out, text, delimiter);
    }
    out += '\n';
  }
}

}  // namespace firn::arrow
