#pragma once
// Rows in JSON into columns: newline-delimited objects, a list of objects, or objects one after the other (one is
// enough).
//
// With a schema, a value becomes its column's type:
//   integers, floats      a number that fits (3.0 is an integer; a float may lose digits, never its size)
//   bool                  true, false
//   utf8                  a string
//   date, time, timestamp an ISO 8601 string (iso_time.h); a zone is converted to UTC
//   duration              an integer, in the type's unit
//   decimal128            a number, or a string (exact at any length)
//   binary                a base64 string
//   list, fixed_size_list a list; a fixed_size_list of numbers holds only finite numbers, no null
//   struct                an object; absent members are null
// An absent column is null; where null is not allowed, and for a column that is not in the schema, the row is an error.
// Without a schema, it is inferred (infer.h).
//
// Errors are InvalidArgument and name the row, from 0, the line where rows are lines, and the column:
//   row 17 (line 18), column "vector": 383 numbers where 384 are wanted
// ResourceExhausted when a limit below is passed. After an error a source gives nothing more.

#include <cstdint>
#include <memory>
#include <string_view>

#include "arrow/batch_source.h"
#include "arrow/byte_stream.h"

namespace firn::arrow {

enum class JsonLayout : std::uint8_t {
  kAuto,     // by the first characters
  kLines,    // one object a line (NDJSON); empty lines do not count
  kList,     // [ {...}, {...} ]
  kObjects,  // {...} {...}, over any number of lines
};

struct JsonOptions {
  JsonLayout layout = JsonLayout::kAuto;
  SchemaPtr schema;               // null: inferred
  std::size_t infer_rows = 1000;  // at most one batch
  std::int64_t batch_rows = 65'536;
  std::size_t batch_bytes = 16 << 20;    // of text, at most 1 GiB; a longer row is a batch of its own
  std::size_t max_row_bytes = 64 << 20;  // at most 1 GiB
  std::size_t max_columns = 10'000;      // that inference makes, members of structs counted too
};

/// Batches as the text is read, in bounded memory. Without a schema it is inferred from the first `infer_rows` rows,
/// and from all of the first batch when those do not fit it; a later row that does not fit is an error. Nothing to
/// infer from is InvalidArgument.
Result<std::unique_ptr<BatchSource>> OpenJson(std::unique_ptr<ByteStream> text, JsonOptions options);

/// The schema that fits every row, for who can read the text twice.
Result<SchemaPtr> InferJsonSchema(std::unique_ptr<ByteStream> text, const JsonOptions& options);

/// All rows of a text in memory (a request's body) as one batch; without a schema, it is inferred from all of them.
Result<RecordBatch> ReadJson(const Buffer& text, JsonOptions options = {});

}  // namespace firn::arrow
