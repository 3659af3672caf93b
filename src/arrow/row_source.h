#pragma once
// Batches out of a text of rows: what JSON and CSV share. Inside the arrow module only.

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "arrow/batch_source.h"
#include "arrow/byte_stream.h"

namespace firn::arrow {

/// Options within what a RowSource can do.
template <class Options>
Options Bounded(Options options) {
  constexpr std::size_t kMaxTextBytes = 1 << 30;  // keeps 32-bit offsets from overflowing
  options.batch_rows = std::max<std::int64_t>(options.batch_rows, 1);
  options.batch_bytes = std::min(options.batch_bytes, kMaxTextBytes);
  options.max_row_bytes = std::min(options.max_row_bytes, kMaxTextBytes);
  return options;
}

/// Finds the rows of a batch, settles the schema with the first ones, and makes columns of them. `Format` knows the
/// text:
///
///   Options, Row                                  Row has a `size`, of its text
///   Format(std::unique_ptr<ByteStream> text, const Options& options)
///   Status Start()                                what stands before the rows
///   Result<std::optional<Row>> NextRow()          empty at the end
///   void ReleaseRows()                            rows found so far are not wanted any more
///   Result<SchemaPtr> Infer(std::span<const Row>)
///   Status UseSchema(SchemaPtr)                   columns of this schema, without rows
///   Status Append(const Row&)
///   std::size_t size_bytes() const                of the columns
///   RecordBatch Finish()                          the columns; they are without rows again
template <class Format>
class RowSource final : public BatchSource {
 public:
  using Options = typename Format::Options;
  using Row = typename Format::Row;

  RowSource(std::unique_ptr<ByteStream> text, Options options)
      : options_(Bounded(std::move(options))), format_(std::move(text), options_) {}

  Status Start() {
    FIRN_CHECK(format_.Start());
    if (options_.schema) return UseSchema(options_.schema);
    FIRN_CHECK(Collect());
    FIRN_CHECK(UseSchemaOf(options_.infer_rows));
    auto first = Convert();
    if (!first && first.error().kind == ErrorKind::kInvalidArgument && pending_.size() > options_.infer_rows) {
      // Nothing was handed out yet: widen to what the whole batch asks for.
      FIRN_CHECK(UseSchemaOf(pending_.size()));
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
  // Rows of many nulls in wide columns take far more memory than text; a batch ends here whatever its options say.
  static constexpr std::size_t kMaxBatchMemory = 64 << 20;

  Result<std::optional<RecordBatch>> CollectAndConvert() {
    if (next_pending_ == pending_.size()) FIRN_CHECK(Collect());
    if (pending_.empty()) return std::optional<RecordBatch>();
    FIRN_TRY(auto batch, Convert());
    return std::optional(std::move(batch));
  }

  /// Finds the rows of the next batch.
  Status Collect() {
    pending_.clear();
    next_pending_ = 0;
    format_.ReleaseRows();
    std::size_t bytes = 0;
    while (static_cast<std::int64_t>(pending_.size()) < options_.batch_rows && bytes < options_.batch_bytes) {
      FIRN_TRY(const auto row, format_.NextRow());
      if (!row) break;
      pending_.push_back(*row);
      bytes += row->size;
    }
    return {};
  }

  /// Takes the schema of the first pending rows.
  Status UseSchemaOf(std::size_t most_rows) {
    const std::span<const Row> rows = pending_;
    FIRN_TRY(auto schema, format_.Infer(rows.first(std::min(most_rows, rows.size()))));
    return UseSchema(std::move(schema));
  }

  Status UseSchema(SchemaPtr schema) {
    schema_ = std::move(schema);
    next_pending_ = 0;
    return format_.UseSchema(schema_);
  }

  /// Pending rows into a batch: all of them, unless they take too much memory.
  Result<RecordBatch> Convert() {
    for (; next_pending_ < pending_.size() && format_.size_bytes() < kMaxBatchMemory; next_pending_++) {
      FIRN_CHECK(format_.Append(pending_[next_pending_]));
    }
    return format_.Finish();
  }

  Options options_;
  Format format_;
  SchemaPtr schema_;
  std::vector<Row> pending_;
  std::size_t next_pending_ = 0;
  std::optional<RecordBatch> first_;
  bool inferred_ = false;
  bool failed_ = false;
};

template <class Format>
Result<std::unique_ptr<BatchSource>> OpenRows(std::unique_ptr<ByteStream> text, typename Format::Options options) {
  auto source = std::make_unique<RowSource<Format>>(std::move(text), std::move(options));
  FIRN_CHECK(source->Start());
  return source;
}

}  // namespace firn::arrow
