#pragma once
// Repetition and definition levels: how a flat run of items is lists of structs of lists, with nulls at every level.
//
// A page has one slot for each item, and one for each list that has none. Definition level 0 means valid all the way;
// the levels of the layers follow, innermost first: each has one for null if it can be null, and a list then one for
// empty if it can be empty. The repetition level says what a slot begins: the number of list layers = a new row, 1 = a
// new innermost list, 0 = it goes on. (Parquet counts both the other way round.)

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"
#include "lance/encoding/page_layout.h"

namespace firn::lance {

/// The way from a top-level column down to one leaf of it: each type has the next one as its only child.
struct LeafPath {
  std::string name;  // "a.b.item", for messages
  std::vector<arrow::TypePtr> types;

  const arrow::TypePtr& leaf() const { return types.back(); }
};

/// Empty spans mean all zero. Either is as long as `slots` when not empty.
struct Levels {
  std::span<const std::uint16_t> rep;
  std::span<const std::uint16_t> def;
  std::uint64_t slots = 0;
};

/// DataCorruption unless the layers are those of the path.
Status CheckLayers(const LeafPath& path, std::span<const Layer> layers);

/// Puts `items` (one for each slot that has a value) into the lists and structs of the path. DataCorruption when levels
/// contradict each other, the items, or `rows`.
Result<arrow::Array> Nest(const LeafPath& path, std::span<const Layer> layers, const Levels& levels, arrow::Array items,
                          std::uint64_t rows);

}  // namespace firn::lance
