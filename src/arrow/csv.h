#pragma once
// Comma- and tab-separated text into columns and out again (RFC 4180): a header line, cells in quotes where they hold a
// delimiter, a quote (doubled) or a line break; CRLF or LF.
//
// A cell becomes its column's type as text_value.h says; lists, vectors and structs are JSON in a cell (`[1,2,3]`). An
// empty cell is null; in quotes ("") it is the empty string of a utf8 column. Empty lines do not count, except in a
// file of one column. Without a schema, types are inferred from the cells as infer.h does for JSON; cells of unlike
// kinds make the column utf8, and so do numbers with leading zeros.
//
// Errors are InvalidArgument and name the row, from 0, its line, and the column: row 17 (line 18), column "size": ...
// A row with more or fewer cells than the header is one. ResourceExhausted when a limit is passed.

#include <cstdint>
#include <memory>
#include <string>

#include "arrow/batch_source.h"
#include "arrow/byte_stream.h"

namespace firn::arrow {

struct CsvOptions {
  char delimiter = ',';
  SchemaPtr schema;               // null: inferred. Columns may stand in any order in the file; absent ones are null
  bool empty_is_null = true;      // false: an empty cell of a utf8 column is the empty string
  std::size_t infer_rows = 1000;  // at most one batch
  std::int64_t batch_rows = 65'536;
  std::size_t batch_bytes = 16 << 20;    // of text, at most 1 GiB; a longer row is a batch of its own
  std::size_t max_row_bytes = 64 << 20;  // at most 1 GiB
  std::size_t max_columns = 10'000;
};

/// Batches as the text is read, in bounded memory; as OpenJson (json.h) otherwise.
Result<std::unique_ptr<BatchSource>> OpenCsv(std::unique_ptr<ByteStream> text, CsvOptions options);

/// The schema that fits every row, for who can read the text twice.
Result<SchemaPtr> InferCsvSchema(std::unique_ptr<ByteStream> text, const CsvOptions& options);

/// Writes what OpenCsv reads. Lines end in LF.
void AppendCsvHeader(std::string& out, const Schema& schema, char delimiter = ',');
void AppendCsvRows(std::string& out, const RecordBatch& batch, char delimiter = ',');

}  // namespace firn::arrow
