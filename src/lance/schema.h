#pragma once
// A Lance schema: a tree of fields with ids, kept depth-first in one list, and its two-way bridge to Arrow.
// logical_type strings: int8..uint64, halffloat, float, double, bool, string, large_string, binary, large_binary,
// date32:day, date64:ms, time32:s.., timestamp:us:-, duration:us, decimal:128:p:s, fixed_size_binary:n,
// fixed_size_list:float:128, list, large_list, struct, dict:..., null.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arrow/type.h"
#include "base/result.h"

namespace firn::lance {

struct Field {
  std::int32_t id = 0;
  std::int32_t parent_id = -1;  // -1: top level
  std::string name;
  std::string logical_type;
  bool nullable = true;
  arrow::Metadata metadata;
};

struct Schema {
  std::vector<Field> fields;  // depth-first: a parent stands before its children
  arrow::Metadata metadata;

  /// Null when absent.
  const Field* Find(std::int32_t id) const;
  const Field* FindTopLevel(std::string_view name) const;
};

/// Unsupported, naming the column, for a logical type that Firn does not know. `dict:` columns appear as their value
/// type.
Result<arrow::SchemaPtr> ToArrow(const Schema& schema);
/// One top-level field (with all below it).
Result<arrow::Field> ToArrow(const Schema& schema, const Field& top_level);
/// Ids are given depth-first from `first_id`. InvalidArgument for duplicate, empty or dotted names, Unsupported for
/// types that Lance does not have (the writer refuses a few that it has: see FileWriter::Start).
Result<Schema> FromArrow(const arrow::Schema& schema, std::int32_t first_id = 0);
/// The leaves below a top-level field in column order: lists and structs are walked, a fixed_size_list is a leaf.
std::vector<const Field*> LeavesOf(const Schema& schema, const Field& top_level);

}  // namespace firn::lance
