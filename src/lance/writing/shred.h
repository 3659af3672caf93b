#pragma once
// Private to lance/: a column as leaves. Each leaf of a nested column becomes one run of values and, for each of them,
// up to two small numbers that say how it is nested:
//
//   repetition  0 continues the innermost list; k starts a new list k levels out (the number of list layers = a new
//   row) definition  0 is a value; the others are a null or an empty list at some layer, numbered from the innermost
//   layer out
//
// Only what occurs gets a number: a column without nulls and lists has neither.

#include <cstdint>
#include <string>
#include <vector>

#include "arrow/array.h"
#include "base/result.h"
#include "encodings.pb.h"

namespace firn::lance {

struct LeafColumn {
  std::vector<pb::RepDefLayer> layers;  // innermost first
  std::vector<std::uint16_t> rep;       // one an item; empty: no lists
  std::vector<std::uint16_t> def;       // one an item; empty: all are values
  std::uint16_t max_visible_def = 0;    // items above it have no value slot: null and empty lists
  arrow::Array values;                  // one a visible item; those under nulls count, their content does not
  std::int64_t rows = 0;

  /// With levels: how many there are; else the number of values.
  std::int64_t items() const;
  std::uint16_t max_rep() const;  // the number of list layers
  bool HasValues() const;         // any item with definition 0
  /// Rows [begin, end) alone; the caller has checked the range.
  LeafColumn SliceRows(std::int64_t begin, std::int64_t end) const;
};

/// The leaves of `column`, in column order. InvalidArgument when a field that must not be null is; `name` is for the
/// message.
Result<std::vector<LeafColumn>> Shred(const arrow::Field& field, const arrow::Array& column);

}  // namespace firn::lance
