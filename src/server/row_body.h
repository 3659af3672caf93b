#pragma once
// Rows in a request's body, in any of the formats that Content-Type may name.

#include <memory>

#include "arrow/batch_source.h"
#include "server/router.h"

namespace firn::server {

/// Undoes Content-Encoding: gzip in place. InvalidArgument for a broken stream; with call.error_status 415 for another
/// coding and 413 for more than call.max_body_bytes.
Status DecodeBody(Call& call);

/// application/json (a list of objects, or {"data":[...]}), application/x-ndjson, text/csv,
/// application/vnd.apache.arrow.stream, .file. JSON and CSV become columns of `schema`, or of an inferred one when that
/// is null. Takes over call.body. InvalidArgument: not what Content-Type says, with row and column; call.error_status
/// 415 for any other type. Errors that the source gives later are of the same kinds, also when the bytes are damaged:
/// the client sent them.
Result<std::unique_ptr<arrow::BatchSource>> OpenRows(Call& call, arrow::SchemaPtr schema);

/// The same for a list of objects that stands in call.body: `list` is a part of it, or empty for no rows.
Result<std::unique_ptr<arrow::BatchSource>> OpenRowList(Call& call, std::string_view list, arrow::SchemaPtr schema);

/// Passes on how a write of the client's rows went. What this version cannot write is 422, not 501: other rows would
/// do.
Result<table::AppendResult> Answerable(Call& call, Result<table::AppendResult> written);

}  // namespace firn::server
