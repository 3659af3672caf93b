#pragma once
// The vectors of a column where they cost no request: views of mapped pages on a folder, a copy in memory for a hot
// table elsewhere.

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "table/table.h"

namespace firn::query {

/// Immutable and thread-safe.
class ResidentVectors {
 public:
  /// Reads the whole column: two rounds at most.
  static Result<std::shared_ptr<const ResidentVectors>> Load(const table::Snapshot& snapshot, const std::string& column,
                                                             const Deadline& deadline);

  /// The values of a row, or null when it is null or not there.
  const std::uint8_t* At(lance::RowAddress address) const;
  std::size_t row_bytes() const { return row_bytes_; }

 private:
  struct Piece {
    std::uint64_t end;  // physical offset after its last row
    arrow::Array rows;
    const std::uint8_t* values;
    std::uint64_t begin;
    bool nulls;
  };
  struct Fragment {
    std::uint64_t id;
    std::vector<Piece> pieces;  // by offset
  };
  std::vector<Fragment> fragments_;  // by id
  std::size_t row_bytes_ = 0;
};

}  // namespace firn::query
