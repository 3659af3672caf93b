#pragma once
// Type names of CAST, and what two types become when they meet.

#include <optional>
#include <string_view>

#include "arrow/type.h"
#include "base/result.h"
#include "filter/vector.h"

namespace firn::filter {

/// "BIGINT UNSIGNED", "DECIMAL(10,2)", "TIMESTAMP(3)" (as the parser writes them) -> type; the message says what there
/// is.
Result<arrow::TypePtr> TypeByName(std::string_view name);

/// The type in which two values are compared; empty when they cannot be. Unsigned 64-bit with signed meet as decimals,
/// numbers with floats as doubles, dates with timestamps as timestamps, times of two units in the finer one.
std::optional<arrow::TypePtr> CommonType(const arrow::TypePtr& a, const arrow::TypePtr& b);

/// The type in which + - * / % of two numbers happens, and of the result but for decimals; empty when not numbers.
std::optional<arrow::TypePtr> ArithmeticType(const arrow::TypePtr& a, const arrow::TypePtr& b);

bool IsNumeric(const arrow::Type& type);
bool IsTextual(const arrow::Type& type);  // utf8 of any sort, not binary
bool IsBinary(const arrow::Type& type);
bool IsTemporal(const arrow::Type& type);  // date32, date64, timestamp

}  // namespace firn::filter
