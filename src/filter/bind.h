#pragma once
// Syntax tree + schema -> bound tree: names resolved, types coerced, constants folded.

#include "base/clock.h"
#include "filter/expression.h"
#include "filter/syntax.h"

namespace firn::filter {

/// InvalidArgument with the place for unknown names, types that do not fit and constants that cannot be computed.
/// `text` is what was parsed.
Result<BoundTree> Bind(std::string_view text, const Syntax& syntax, const arrow::Schema& schema, const Clock& clock);

}  // namespace firn::filter
