#pragma once
// The Arrow C Data Interface: columns in and out of other libraries in this process, without a copy.
//
// Imports take ownership: the struct is moved from (its release becomes null) even when the call fails, and the foreign
// memory lives until the last Array that uses it is gone. Offsets are taken out, dictionaries and views become plain
// columns. Unsupported names the column whose type Firn does not have: unions, maps, run-end encoding, list views,
// intervals, decimals of other widths. What is imported is validated, UTF-8 too, as far as memory whose extent the
// interface does not tell can be: DataCorruption.
//
// Exports share the arrays' memory; the receiver calls release, as the interface says, on any thread.

#include <memory>

#include "arrow/array.h"
#include "arrow/batch_source.h"
#include "arrow/c_data_abi.h"

namespace firn::arrow {

Result<Field> ImportField(ArrowSchema* schema);
/// Of a struct type, whose members are the columns.
Result<SchemaPtr> ImportSchema(ArrowSchema* schema);
Result<Array> ImportArray(ArrowArray* array, ArrowSchema* schema);
/// Both of a struct type. The struct itself must have no nulls.
Result<RecordBatch> ImportBatch(ArrowArray* array, ArrowSchema* schema);
/// Reads the schema at once. Errors of the stream are Unavailable, with its message.
Result<std::unique_ptr<BatchSource>> ImportStream(ArrowArrayStream* stream);

void ExportField(const Field& field, ArrowSchema* out);
void ExportSchema(const Schema& schema, ArrowSchema* out);
void ExportArray(const Array& array, ArrowArray* out);
void ExportBatch(const RecordBatch& batch, ArrowArray* out);

}  // namespace firn::arrow
