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
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

// As in json.cc: a batch of many nulls in wide columns ends here, and 32-bit offsets must not overflow.
constexpr std::size_t kMaxBatchMemory = 64 << 20;
constexpr std::size_t kMaxTextBytes = 1 << 30;

CsvOptions Bounded(CsvOptions options) {
  options.batch_rows = std::max<std::int64_t>(options.batch_rows, 1);
  options.batch_bytes = std::min(options.batch_bytes, kMaxTextBytes);
  options.max_row_bytes = std::min(options.max_row_bytes, kMaxTextBytes);
  return options;
}

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

class CsvSource final : public BatchSource {
 public:
  CsvSource(std::unique_ptr<ByteStream> text, CsvOptions options)
      : options_(Bounded(std::move(options))),
        rows_(std::move(text), options_.delimiter, options_.max_row_bytes),
        parser_(options_.max_row_bytes) {}

  Status Start() {
    FIRN_TRY(names_, ReadHeader(rows_, options_));
    if (options_.schema) return UseSchema(options_.schema);
    FIRN_CHECK(Collect());
    FIRN_TRY(auto schema, Infer(options_.infer_rows));
    FIRN_CHECK(UseSchema(std::move(schema)));
    auto first = Convert();
    if (!first && first.error().kind == ErrorKind::kInvalidArgument && pending_.size() > options_.infer_rows) {
      // Nothing was handed out yet: widen to what the whole batch asks for.
      FIRN_TRY(schema, Infer(pending_.size()));
      FIRN_CHECK(UseSchema(std::move(schema)));
      first = Convert();
    }
    if (!first) return std::move(first).error();
    first_ = *std::move(first);
    inferred_ = true;
    return {};
  }

  SchemaPtr schema() const override { return schema_; }

  Result<std::optional<RecordBatch>> Next() override {
    if (first_) return std::exchange(first_, std::nullopt);
    if (failed_) return std::optional<RecordBatch>();
    auto batch = CollectAndConvert();
    failed_ = !batch.has_value();
    if (failed_ && inferred_ && batch.error().hint.empty()) {
      batch.error().hint = "The types come from the first rows; give a schema, or infer from more rows";
    }
    return batch;
  }

 private:
  Result<std::optional<RecordBatch>> CollectAndConvert() {
    if (next_pending_ == pending_.size()) FIRN_CHECK(Collect());
    if (pending_.empty()) return std::optional<RecordBatch>();
    FIRN_TRY(auto batch, Convert());
    return std::optional(std::move(batch));
  }

  /// Finds which cell each column comes from.
  Status UseSchema(SchemaPtr schema) {
    schema_ = std::move(schema);
    next_pending_ = 0;
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

  Status Collect() {
    pending_.clear();
    next_pending_ = 0;
    rows_.ReleaseAll();
    std::size_t bytes = 0;
    while (static_cast<std::int64_t>(pending_.size()) < options_.batch_rows && bytes < options_.batch_bytes) {
      FIRN_TRY(const auto row, rows_.Next());
      if (!row) break;
      pending_.push_back(*row);
      bytes += row->size;
    }
    return {};
  }

  Result<SchemaPtr> Infer(std::size_t most_rows) {
    SchemaGuess guess(names_, options_);
    for (std::size_t i = 0; i < std::min(most_rows, pending_.size()); i++) {
      FIRN_CHECK(SplitRow(rows_, pending_[i], names_.size(), cells_));
      FIRN_CHECK(guess.See(cells_, pending_[i].number));
    }
    return guess.Finish();
  }

  Result<RecordBatch> Convert() {
    RecordBatch batch{schema_, {}, 0};
    std::size_t bytes = 0;
    while (next_pending_ < pending_.size() && bytes < kMaxBatchMemory) {
      const CsvRow& row = pending_[next_pending_];
      FIRN_CHECK(SplitRow(rows_, row, names_.size(), cells_));
      bytes = 0;
      for (std::size_t i = 0; i < columns_.size(); i++) {
        FIRN_CHECK(Append(i, row));
        bytes += columns_[i].size_bytes();
      }
      next_pending_++;
      batch.rows++;
    }
    for (ColumnWriter& column : columns_) batch.columns.push_back(column.Finish());
    return batch;
  }

  Status Append(std::size_t column, const CsvRow& row) {
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

  CsvOptions options_;
  CsvRows rows_;
  JsonParser parser_;
  std::vector<std::string> names_;  // of the header
  SchemaPtr schema_;
  std::vector<ColumnWriter> columns_;
  std::vector<std::size_t> cell_of_;  // of each column
  std::vector<CsvCell> cells_;
  std::vector<CsvRow> pending_;
  std::size_t next_pending_ = 0;
  std::optional<RecordBatch> first_;
  bool inferred_ = false;
  bool failed_ = false;
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
  auto source = std::make_unique<CsvSource>(std::move(text), std::move(options));
  FIRN_CHECK(source->Start());
  return source;
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
