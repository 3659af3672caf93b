#pragma once
// Schemas in JSON: what describe answers and create takes.
//   [{"name":"id","type":"int64","nullable":false}, {"name":"vector","type":"fixed_size_list<float>[384]"}]

#include <string>

#include "arrow/type.h"
#include "server/json_object.h"

namespace firn::server {

void AppendSchema(std::string& out, const arrow::Schema& schema);

/// The member `name` of `object`: a list as above, or a text as arrow::ParseSchema reads it. Null when absent.
Result<arrow::SchemaPtr> ReadSchema(JsonObject& object, std::string_view name);

}  // namespace firn::server
