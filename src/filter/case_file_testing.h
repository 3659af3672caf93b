#pragma once
// Expressions with their expected rows, as text that a person can read and add to.

#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"

namespace firn::filter {

struct FilterCase {
  int line;
  std::string expression;
  std::string expected;  // row numbers with single spaces, or "error"
};

/// "expression  => 1 2 3  # remark" a line; lines that begin with '#' and empty ones do not count.
std::vector<FilterCase> ReadCases(const std::string& path);

/// What `expression` gives over the table, in the cases' form; an error's text goes to `error` when it is not null.
std::string Answer(std::string_view expression, const arrow::RecordBatch& table, std::string* error = nullptr);

}  // namespace firn::filter
