#pragma once
// Schemas in Arrow IPC metadata.

#include <cstdint>
#include <optional>
#include <vector>

#include "arrow/flatbuffer_reader.h"
#include "arrow/flatbuffer_writer.h"
#include "arrow/type.h"
#include "base/result.h"

namespace firn::arrow::ipc {

/// A field with what only the wire knows of it.
struct WireField {
  Field field;                     // as Firn has it: dictionaries and views resolved
  TypePtr index_type;              // dictionary-encoded: an integer type; else null
  std::int64_t dictionary_id = 0;  // where index_type
  bool is_view = false;            // utf8_view, binary_view
  std::vector<WireField> children;
};

struct WireSchema {
  SchemaPtr schema;
  std::vector<WireField> fields;
};

/// `metadata_bytes` is the size of the whole flatbuffer: it bounds what a schema that names the same table many times
/// can grow to. Unsupported names the field whose type Firn does not have.
Result<WireSchema> ReadSchema(const FlatTable& table, std::size_t metadata_bytes);

/// Adds a Schema table at `slot`.
void WriteSchema(FlatWriter& writer, std::size_t slot, const Schema& schema);

}  // namespace firn::arrow::ipc
