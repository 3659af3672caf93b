#pragma once
// Each row's nearest rows, nearly: all pairs inside overlapping parts , as PiPNN does.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "index/vector/byte_rows.h"

namespace firn::index {

/// `count` per row, nearest first, ended by kNoRow where fewer are known; never the row itself.
Result<std::vector<Neighbour>> NearestRows(const ByteRows& rows, std::size_t count, std::uint64_t seed, TaskPool& pool,
                                           const Deadline& deadline);

}  // namespace firn::index
