#pragma once
// Finding what a name means, and what a wrong one was meant to be.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/type.h"

namespace firn::filter {

/// Where `name` stands: exactly, else the one that differs in letter case only. Empty when there is none, or several.
std::optional<std::size_t> FindField(std::span<const arrow::Field> fields, std::string_view name);

/// "did you mean `price` or `prices`?", or the first few names when none is near; empty when there are none.
std::string NearestNames(std::string_view name, std::span<const std::string_view> known);

}  // namespace firn::filter
