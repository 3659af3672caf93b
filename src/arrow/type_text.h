#pragma once
// Types and schemas as people type them; reads all that Type::ToString prints, and the common other names.

#include <string_view>

#include "arrow/type.h"
#include "base/result.h"

namespace firn::arrow {

/// "int64", "bigint", "float", "string", "timestamp[us, UTC]", "decimal128(10, 2)", "list<string>", "struct<a: int64,
/// b: string>", "fixed_size_list<float>[384]", and for vectors "vector(384)" (f32) or "vector(384, f16)".
/// InvalidArgument names what is not understood.
Result<TypePtr> ParseType(std::string_view text);

/// "id int64 not null, text string, vector vector(384)"; a ':' after the name is fine too. A name with other than
/// letters, digits and '_' stands in backticks.
Result<Schema> ParseSchema(std::string_view text);

}  // namespace firn::arrow
