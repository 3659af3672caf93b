#pragma once
// Fitting incoming rows to a table's schema, and refusing those that do not fit. Private to the module.

#include "arrow/array.h"

namespace firn::table {

/// `batch` as `schema` wants it: columns by name in any order; a missing nullable column becomes null. Values convert
/// where the kind stays: integers of other widths (range checked), integers to floats, floats to floats, string and
/// binary widths, timestamps of other units (exactness checked), lists to fixed-size lists of the right length.
/// InvalidArgument names the column and the row; `first_row` is the number of the batch's row 0.
Result<arrow::RecordBatch> Conform(const arrow::RecordBatch& batch, const arrow::SchemaPtr& schema,
                                   std::uint64_t first_row);

/// InvalidArgument for a NaN or an infinity inside a vector column (FixedSizeList of floats).
Status CheckVectorsFinite(const arrow::RecordBatch& batch, std::uint64_t first_row);

/// InvalidArgument when a table cannot have this schema: no columns, too many, duplicate, empty or reserved names, a
/// vector of dimension 0 or beyond kMaxDimension.
Status CheckTableSchema(const arrow::Schema& schema);

}  // namespace firn::table
