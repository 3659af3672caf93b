#pragma once
// Columns into rows of JSON: what replies and exports are made of. OpenJson (json.h) reads it back.
//
//   integers            numbers, all digits (beyond 2^53 some readers round them)
//   floats              the shortest number that means the same float; NaN and infinities, which JSON has not, are null
//   date, time, timestamp  ISO 8601; a timestamp with a zone in UTC, with Z
//   duration            an integer, in the type's unit
//   decimal128          a number up to precision 15, which every reader keeps; above, a string (RFC 7493, section 2.2)
//   binary              base64
//   lists, structs      lists, objects

#include <string>
#include <string_view>
#include <vector>

#include "arrow/array.h"

namespace firn::arrow {

/// Appends one value.
void AppendJsonValue(std::string& out, const Array& array, std::int64_t row);

/// Writes rows of batches of one schema. Immutable, so thread-safe.
class JsonRowWriter {
 public:
  explicit JsonRowWriter(const Schema& schema);

  /// Appends row `row` as `"id":1,"text":"a"`, without braces, so that a caller can add members of its own.
  void AppendMembers(std::string& out, const RecordBatch& batch, std::int64_t row) const;
  /// `{"id":1,"text":"a"}`.
  void AppendObject(std::string& out, const RecordBatch& batch, std::int64_t row) const;
  /// All rows, each followed by a newline.
  void AppendLines(std::string& out, const RecordBatch& batch) const;
  /// All rows, with commas between and no brackets around: several batches make one list.
  void AppendItems(std::string& out, const RecordBatch& batch) const;

 private:
  std::vector<std::string> keys_;  // `"name":`
};

}  // namespace firn::arrow
