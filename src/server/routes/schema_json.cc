#include "server/routes/schema_json.h"

#include <array>
#include <set>

#include "arrow/type_text.h"
#include "base/json_string.h"
#include "server/nearest_name.h"

namespace firn::server {
namespace {

Result<arrow::Field> ReadField(std::string text) {
  FIRN_TRY(JsonObject object, JsonObject::Parse(text));
  static constexpr std::array<std::string_view, 3> kMembers = {"name", "type", "nullable"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  arrow::Field field;
  FIRN_TRY(field.name, Required(object.String("name"), "name"));
  FIRN_TRY(const std::string type, Required(object.String("type"), "type"));
  FIRN_TRY(field.type, arrow::ParseType(type));
  FIRN_TRY(const auto nullable, object.Bool("nullable"));
  field.nullable = nullable.value_or(true);
  return field;
}

}  // namespace

void AppendSchema(std::string& out, const arrow::Schema& schema) {
  out += '[';
  for (const arrow::Field& field : schema.fields) {
    if (out.back() != '[') out += ',';
    out += "{\"name\":";
    AppendJsonString(out, field.name);
    out += ",\"type\":";
    AppendJsonString(out, field.type->ToString());
    out += field.nullable ? ",\"nullable\":true}" : ",\"nullable\":false}";
  }
  out += ']';
}

Result<arrow::SchemaPtr> ReadSchema(JsonObject& object, std::string_view name) {
  const std::string_view raw = object.Raw(name);
  if (raw.empty()) return arrow::SchemaPtr();
  arrow::Schema schema;
  if (raw.starts_with('"')) {
    FIRN_TRY(const auto text, object.String(name));
    FIRN_TRY(schema, arrow::ParseSchema(*text));
  } else {
    FIRN_TRY(const auto fields, object.RawList(name));
    for (std::size_t i = 0; i < fields->size(); i++) {
      auto field = ReadField((*fields)[i]);
      if (!field) return std::move(field).error().In(std::string(name) + "[" + std::to_string(i) + "]");
      schema.fields.push_back(*std::move(field));
    }
  }
  if (schema.fields.empty()) return InvalidArgument("the schema has no column");
  std::set<std::string_view> names;
  for (const arrow::Field& field : schema.fields) {
    if (!names.insert(field.name).second)
      return InvalidArgument("the schema names the column " + Quoted(field.name) + " twice");
  }
  return arrow::SchemaPtr(std::make_shared<const arrow::Schema>(std::move(schema)));
}

}  // namespace firn::server
