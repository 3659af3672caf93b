#pragma once
// Lance's names for types ("fixed_size_list:float:128") and Arrow's, both ways. Only what stands in the name itself:
// the members of structs and the items of lists are fields of their own.

#include <optional>
#include <string>
#include <string_view>

#include "arrow/type.h"

namespace firn::lance {

enum class Nesting : std::uint8_t { kLeaf, kList, kLargeList, kStruct };

/// What a logical type says of the fields below it. A fixed_size_list is a leaf.
Nesting NestingOf(std::string_view logical_type);

/// The type of a leaf. Empty for what Firn does not know, and for lists and structs.
arrow::TypePtr LeafFromLogical(std::string_view logical_type);

/// The logical type of any type; empty when Lance has none, or Firn does not write it.
std::optional<std::string> LogicalFromArrow(const arrow::Type& type);

}  // namespace firn::lance
