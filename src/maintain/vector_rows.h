#pragma once
// The vectors of a column as floats, whatever they are stored as. Private to the module.

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "index/vector/clustering.h"
#include "table/table.h"

namespace firn::maintain {

/// Rows `begin` to `end` of a piece that count (live, not null, finite), as floats and with their physical offsets.
struct FloatRows {
  std::vector<float> values;
  std::vector<std::uint32_t> offsets;
  std::size_t dims = 0;
  index::Matrix matrix() const { return {values.data(), offsets.size(), dims}; }
};

/// The rows at `rows` (batch positions, ascending) of the piece's first column.
FloatRows ToFloats(const table::Snapshot::Piece& piece, std::span<const std::int64_t> rows);
/// All positions of the piece that count: `selected`, or every one.
std::vector<std::int64_t> PositionsOf(const table::Snapshot::Piece& piece);

}  // namespace firn::maintain
