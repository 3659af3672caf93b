#include "arrow/json.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "arrow/column_writer.h"
#include "arrow/json_parser.h"
#include "arrow/json_rows.h"
#include "arrow/text_value.h"

namespace firn::arrow {
namespace {

namespace dom = simdjson::dom;

// Rows of many nulls in wide columns take far more memory than text; a batch ends here whatever its options say.
constexpr std::size_t kMaxBatchMemory = 64 << 20;
constexpr std::size_t kMaxTextBytes = 1 << 30;  // keeps 32-bit offsets from overflowing
constexpr std::size_t kNamesInHint = 20;

JsonOptions Bounded(JsonOptions options) {
  options.batch_rows = std::max<std::int64_t>(options.batch_rows, 1);
  options.batch_bytes = std::min(options.batch_bytes, kMaxTextBytes);
  options.max_row_bytes = std::min(options.max_row_bytes, kMaxTextBytes);
  return options;
}

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

class JsonSource final : public BatchSource {
 public:
  JsonSource(std::unique_ptr<ByteStream> text, JsonOptions options)
      : options_(Bounded(std::move(options))),
        rows_(std::move(text), options_.layout, options_.max_row_bytes),
        parser_(options_.max_row_bytes) {}

  Status Start() {
    if (options_.schema) {
      UseSchema(options_.schema);
      return {};
    }
    FIRN_CHECK(Collect());
    FIRN_TRY(auto schema, Infer(options_.infer_rows));
    UseSchema(std::move(schema));
    auto first = Convert();
    if (!first && first.error().kind == ErrorKind::kInvalidArgument && pending_.size() > options_.infer_rows) {
      // Nothing was handed out yet: widen to what the whole batch asks for.
      FIRN_TRY(schema, Infer(pending_.size()));
      UseSchema(std::move(schema));
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

  void UseSchema(SchemaPtr schema) {
    schema_ = std::move(schema);
    writer_ = std::make_unique<RowWriter>(schema_);
    next_pending_ = 0;
  }

  /// Finds the rows of the next batch.
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
    SchemaGuess guess(options_.max_columns);
    for (std::size_t i = 0; i < std::min(most_rows, pending_.size()); i++) {
      FIRN_TRY(const auto object, ParseRow(parser_, rows_, pending_[i]));
      FIRN_CHECK(guess.See(object, pending_[i]));
    }
    return guess.Finish();
  }

  /// Pending rows into a batch: all of them, unless they take too much memory.
  Result<RecordBatch> Convert() {
    while (next_pending_ < pending_.size() && writer_->size_bytes() < kMaxBatchMemory) {
      FIRN_TRY(const auto object, ParseRow(parser_, rows_, pending_[next_pending_]));
      FIRN_CHECK(writer_->Append(object, pending_[next_pending_]));
      next_pending_++;
    }
    return writer_->Finish();
  }

  JsonOptions options_;
  JsonRows rows_;
  JsonParser parser_;
  SchemaPtr schema_;
  std::unique_ptr<RowWriter> writer_;
  std::vector<JsonRow> pending_;
  std::size_t next_pending_ = 0;
  std::optional<RecordBatch> first_;
  bool inferred_ = false;
  bool failed_ = false;
};

}  // namespace

Result<std::unique_ptr<BatchSource>> OpenJson(std::unique_ptr<ByteStream> text, JsonOptions options) {
  auto source = std::make_unique<JsonSource>(std::move(text), std::move(options));
  FIRN_CHECK(source->Start());
  return source;
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
