#include "arrow/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "arrow/column_writer.h"
#include "arrow/json_parser.h"
#include "arrow/json_rows.h"
#include "arrow/row_source.h"
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kNamesInHint = 20;

/// The row's object, or what is wrong with its text.
Result<dom::object> ParseRow(JsonParser& parser, const JsonRows& rows, const JsonRow& row) {
  dom::element value;
  if (const auto mistake = parser.Parse(rows.Text(row), true, value)) {
    // In a line, bytes count from its start; elsewhere, from the start of the text.
    const std::uint64_t byte = mistake->offset + (row.line == 0 ? row.offset : 0);
    return InvalidArgument(Name(row) + ", byte " + std::to_string(byte) + ": " + mistake->what);
  }
  dom::object object;
  if (value.get(object) == simdjson::SUCCESS) return object;
  return InvalidArgument(Name(row) + ": " + Describe(value) + " where an object is wanted",
                         "Rows are objects of column names and values");
}

std::string ColumnNames(const Schema& schema) {
  std::string names;
  for (std::size_t i = 0; i < std::min(schema.fields.size(), kNamesInHint); i++) {
    names += (i == 0 ? "" : ", ") + schema.fields[i].name;
  }
  return schema.fields.size() > kNamesInHint ? names + ", ..." : names;
}

/// Rows into columns of one schema.
class RowWriter {
 public:
  explicit RowWriter(SchemaPtr schema) : schema_(std::move(schema)), matcher_(schema_->fields) {
    columns_.reserve(schema_->fields.size());
    for (const Field& field : schema_->fields) columns_.emplace_back(field);
  }

  Status Append(dom::object object, const JsonRow& row) {
    ValueProblem problem;
    matcher_.BeginObject();
    for (const dom::key_value_pair member : object) {
      const std::size_t index = matcher_.Find(member.key);
      if (index == MemberMatcher::kUnknown) {
        return InvalidArgument(Name(row) + ", column " + Quoted(member.key) + ": there is no such column",
                               "The columns are " + ColumnNames(*schema_));
      }
      if (!matcher_.MarkSeen(index)) {
        return InvalidArgument(Name(row) + ", column " + Quoted(member.key) + ": given twice");
      }
      if (!columns_[index].Append(member.value, problem)) return InColumn(std::move(problem), row, index);
    }
    for (std::size_t i = 0; i < columns_.size() && !matcher_.SeenAll(); i++) {
      if (!matcher_.Seen(i) && !columns_[i].AppendNull(problem)) return InColumn(std::move(problem), row, i);
    }
    rows_++;
    return {};
  }

  std::size_t size_bytes() const {
    std::size_t size = 0;
    for (const ColumnWriter& column : columns_) size += column.size_bytes();
    return size;
  }

  RecordBatch Finish() {
    RecordBatch batch{schema_, {}, std::exchange(rows_, 0)};
    for (ColumnWriter& column : columns_) batch.columns.push_back(column.Finish());
    return batch;
  }

 private:
  Error InColumn(ValueProblem problem, const JsonRow& row, std::size_t index) const {
    return {problem.kind,
            Name(row) + ", column \"" + schema_->fields[index].name + problem.path + "\": " + problem.what,
            std::move(problem.hint)};
  }

  SchemaPtr schema_;
  MemberMatcher matcher_;
  std::vector<ColumnWriter> columns_;
  std::int64_t rows_ = 0;
};

/// Collects what rows look like.
class SchemaGuess {
 public:
  explicit SchemaGuess(std::size_t max_columns) : columns_left_(max_columns) {}

  Status See(dom::object object, const JsonRow& row) {
    rows_++;
    return Observe(object, row.number, columns_left_, guess_);
  }

  Result<SchemaPtr> Finish() const {
    if (rows_ == 0) {
      return InvalidArgument("there are no rows to take the columns from", "Send at least one row, or give a schema");
    }
    Schema schema;
    FIRN_TRY(schema.fields, guess_.Members(""));
    if (schema.fields.empty()) return InvalidArgument("the rows have no columns");
    return std::make_shared<const Schema>(std::move(schema));
  }

 private:
  std::size_t columns_left_;
  TypeGuess guess_;
  std::size_t rows_ = 0;
};

/// What a RowSource knows of JSON.
class JsonFormat {
 public:
  using Options = JsonOptions;
  using Row = JsonRow;

  JsonFormat(std::unique_ptr<ByteStream> text, const JsonOptions& options)
      : max_columns_(options.max_columns),
        rows_(std::move(text), options.layout, options.max_row_bytes),
        parser_(options.max_row_bytes) {}

  Status Start() { return {}; }
  Result<std::optional<JsonRow>> NextRow() { return rows_.Next(); }
  void ReleaseRows() { rows_.ReleaseAll(); }

  Result<SchemaPtr> Infer(std::span<const JsonRow> rows) {
    SchemaGuess guess(max_columns_);
    for (const JsonRow& row : rows) {
      FIRN_TRY(const auto object, ParseRow(parser_, rows_, row));
      FIRN_CHECK(guess.See(object, row));
    }
    return guess.Finish();
  }

  Status UseSchema(SchemaPtr schema) {
    writer_ = std::make_unique<RowWriter>(std::move(schema));
    return {};
  }

  Status Append(const JsonRow& row) {
    FIRN_TRY(const auto object, ParseRow(parser_, rows_, row));
    return writer_->Append(object, row);
  }
  std::size_t size_bytes() const { return writer_->size_bytes(); }
  RecordBatch Finish() { return writer_->Finish(); }

 private:
  const std::size_t max_columns_;
  JsonRows rows_;
  JsonParser parser_;
  std::unique_ptr<RowWriter> writer_;
};

}  // namespace

Result<std::unique_ptr<BatchSource>> OpenJson(std::unique_ptr<ByteStream> text, JsonOptions options) {
  return OpenRows<JsonFormat>(std::move(text), std::move(options));
}

Result<SchemaPtr> InferJsonSchema(std::unique_ptr<ByteStream> text, const JsonOptions& options) {
  const JsonOptions bounded = Bounded(options);
  JsonRows rows(std::move(text), bounded.layout, bounded.max_row_bytes);
  JsonParser parser(bounded.max_row_bytes);
  SchemaGuess guess(bounded.max_columns);
  while (true) {
    rows.ReleaseAll();
    FIRN_TRY(const auto row, rows.Next());
    if (!row) return guess.Finish();
    FIRN_TRY(const auto object, ParseRow(parser, rows, *row));
    FIRN_CHECK(guess.See(object, *row));
  }
}

Result<RecordBatch> ReadJson(const Buffer& text, JsonOptions options) {
  if (!options.schema) {
    FIRN_TRY(options.schema, InferJsonSchema(FromBuffer(text), options));
  }
  const SchemaPtr schema = options.schema;
  FIRN_TRY(const auto source, OpenJson(FromBuffer(text), std::move(options)));
  std::vector<RecordBatch> batches;
  while (true) {
    FIRN_TRY(auto batch, source->Next());
    if (!batch) break;
    batches.push_back(*std::move(batch));
  }
  if (batches.size() == 1) return std::move(batches[0]);
  return Concat(schema, batches);
}

}  // namespace firn::arrow
