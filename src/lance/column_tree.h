#pragma once
// A top-level column as leaves, which files store one by one, and back.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"
#include "lance/encoding/levels.h"
#include "lance/manifest.h"
#include "lance/schema.h"

namespace firn::lance {

/// One leaf of a column, and where a fragment stores it.
struct Leaf {
  LeafPath path;                     // types of a single branch
  std::vector<std::size_t> members;  // of the full type at each depth: which child the path takes
  const DataFile* file = nullptr;
  std::uint32_t column_index = 0;
};

/// The leaves that `fragment` has of `column`, in the type's order; none when it has no file for any of them. A struct
/// that has a column of its own (packed) is one leaf.
Result<std::vector<Leaf>> LeavesIn(const Fragment& fragment, const Schema& schema, const Field& column,
                                   const arrow::TypePtr& type);

/// The column of `type` whose leaves' arrays these are, all `rows` long; absent leaves become nulls. DataCorruption
/// when the leaves do not agree on the lists that they are in.
Result<arrow::Array> JoinLeaves(const arrow::TypePtr& type, std::span<const Leaf* const> leaves,
                                std::span<const arrow::Array> arrays, std::int64_t rows);

}  // namespace firn::lance
