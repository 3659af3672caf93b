#pragma once
// Indexes as people and programs see them: in `index --list` and in `show`.

#include <span>
#include <string>

#include "engine/engine.h"

namespace firn::cli {

std::string IndexesTable(std::span<const engine::IndexDescription> indexes);
/// A JSON list.
std::string IndexesJson(std::span<const engine::IndexDescription> indexes);

}  // namespace firn::cli
