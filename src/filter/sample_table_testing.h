#pragma once
// The table that the tests filter: twelve rows, a column of every type, nulls, and the values at the edges.

#include "arrow/array.h"

namespace firn::filter {

arrow::RecordBatch SampleTable();

}  // namespace firn::filter
