#pragma once
// Single values of scalar types as text: what a CSV cell or a JSON string holds.
//
//   integers, floats    decimal; floats also `1e5`, `NaN`, `inf`
//   bool                true, false (any case)
//   date32, date64      ISO 8601 date (date64 also a date-time)
//   time32, time64      ISO 8601 time
//   timestamp           ISO 8601 date-time, or a date for its midnight; a zone is converted to UTC
//   duration            an integer, in the type's unit
//   decimal128          decimal, also with an exponent; digits beyond the scale are an error, never rounded
//   utf8                itself
//   binary              base64

#include <optional>
#include <string>
#include <string_view>

#include "arrow/array.h"
#include "arrow/builder.h"

namespace firn::arrow {

/// Types whose values have no children.
bool IsScalar(const Type& type);

/// True for the scalar types that JSON has no value of its own for, so that a JSON string holds them (decimals may also
/// be numbers).
bool IsTextInJson(TypeId id);

/// Appends `text` as a value of the builder's scalar type. Returns what is wrong with it ("\"abc\" is not a date
/// (YYYY-MM-DD)"), and then has appended nothing; empty when all went well.
[[nodiscard]] std::optional<std::string> AppendTextValue(Builder& to, std::string_view text);

/// Appends `value` as one of an integer type's (also dates, times, timestamps, durations), or says that it does not
/// fit.
[[nodiscard]] std::optional<std::string> AppendIntegerValue(Builder& to, std::int64_t value);
[[nodiscard]] std::optional<std::string> AppendUnsignedValue(Builder& to, std::uint64_t value);
/// The same for a finite number in a floating type.
[[nodiscard]] std::optional<std::string> AppendFloatingValue(Builder& to, double value);

/// The text of a value that is not null, of a type for which IsTextInJson holds, as AppendTextValue reads it.
void AppendValueText(std::string& out, const Array& array, std::int64_t row);

/// `text` in quotes and, when long, cut: for messages.
std::string Quoted(std::string_view text);

}  // namespace firn::arrow
