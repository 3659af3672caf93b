#include <array>

#include "base/json_string.h"
#include "server/json_object.h"
#include "server/nearest_name.h"
#include "server/routes/handlers.h"
#include "server/routes/schema_json.h"
#include "server/routes/time_json.h"
#include "server/row_body.h"

namespace firn::server {
namespace {

constexpr std::uint64_t kDefaultPage = 100;
constexpr std::uint64_t kMostPage = 1000;

Result<table::CreateMode> ParseMode(const std::optional<std::string>& text) {
  if (!text || *text == "create") return table::CreateMode::kCreate;
  if (*text == "exist_ok") return table::CreateMode::kExistOk;
  if (*text == "overwrite") return table::CreateMode::kOverwrite;
  return InvalidArgument("unknown mode " + Quoted(*text), "Modes are create, exist_ok and overwrite");
}

/// A broken body is an error also when the table exists and its rows are not wanted.
Result<std::unique_ptr<arrow::BatchSource>> ReadAll(std::unique_ptr<arrow::BatchSource> rows) {
  std::vector<arrow::RecordBatch> batches;
  while (true) {
    FIRN_TRY(auto batch, rows->Next());
    if (!batch) return arrow::FromBatches(rows->schema(), std::move(batches));
    batches.push_back(*std::move(batch));
  }
}

Result<Response> Create(Call& call, const std::string& name, std::unique_ptr<arrow::BatchSource> rows,
                        table::CreateMode mode) {
  if (mode == table::CreateMode::kExistOk) {
    FIRN_TRY(rows, ReadAll(std::move(rows)));
  }
  FIRN_TRY(const table::AppendResult created,
           Answerable(call, call.backend.engine.Create(name, *rows, mode, call.deadline)));
  call.backend.metrics.CountRows(created.rows);
  call.backend.tables_counted_ns = -1;
  Response response;
  response.status = mode == table::CreateMode::kExistOk ? 200 : 201;
  response.body = "{\"table\":";
  AppendJsonString(response.body, name);
  response.body +=
      ",\"rows\":" + std::to_string(created.rows) + ",\"version\":" + std::to_string(created.version) + "}\n";
  return response;
}

}  // namespace

Result<Response> ListTables(Call& call) {
  static constexpr std::array<std::string_view, 2> kNames = {"limit", "page_token"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const auto limit, call.query.Unsigned("limit"));
  if (limit && (*limit == 0 || *limit > kMostPage)) return InvalidArgument("'limit' is not from 1 to 1000");
  const std::string after = call.query.Text("page_token").value_or("");
  FIRN_TRY(const table::TablePage page,
           call.backend.engine.ListTables(after, limit.value_or(kDefaultPage), call.deadline));
  Response response;
  std::string& body = response.body;
  body = "{\"tables\":[";
  for (const std::string& name : page.names) {
    if (body.back() != '[') body += ',';
    AppendJsonString(body, name);
  }
  body += ']';
  if (!page.next_token.empty()) {
    body += ",\"next_page_token\":";
    AppendJsonString(body, page.next_token);
  }
  body += "}\n";
  return response;
}

Result<Response> CreateTable(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 4> kMembers = {"name", "schema", "data", "mode"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  FIRN_TRY(const std::string name, Required(object.String("name"), "name"));
  FIRN_CHECK(table::CheckTableName(name));
  FIRN_TRY(const auto mode_text, object.String("mode"));
  FIRN_TRY(const table::CreateMode mode, ParseMode(mode_text));
  FIRN_TRY(arrow::SchemaPtr schema, ReadSchema(object, "schema"));
  const std::string_view data = object.Raw("data");
  std::unique_ptr<arrow::BatchSource> rows;
  if (!data.empty()) {
    FIRN_TRY(rows, OpenRowList(call, data, std::move(schema)));
  } else if (schema != nullptr) {
    rows = arrow::FromBatches(std::move(schema), {});
  } else {
    return InvalidArgument("a table needs a 'schema', 'data' or both", "Send {\"name\": ..., \"data\": [{...}]}");
  }
  return Create(call, name, std::move(rows), mode);
}

Result<Response> CreateTableFromBody(Call& call) {
  static constexpr std::array<std::string_view, 1> kNames = {"mode"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const table::CreateMode mode, ParseMode(call.query.Text("mode")));
  FIRN_CHECK(table::CheckTableName(call.table()));
  FIRN_TRY(auto rows, OpenRows(call, nullptr));
  return Create(call, call.table(), std::move(rows), mode);
}

Result<Response> DescribeTable(Call& call) {
  static constexpr std::array<std::string_view, 1> kNames = {"version"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const auto version, call.query.Unsigned("version"));
  FIRN_TRY(const engine::TableDescription table, call.backend.engine.Describe(call.table(), version, call.deadline));
  Response response;
  std::string& body = response.body;
  body = "{\"name\":";
  AppendJsonString(body, table.name);
  body += ",\"version\":" + std::to_string(table.version) + ",\"rows\":" + std::to_string(table.rows) +
          ",\"fragments\":" + std::to_string(table.fragments) + ",\"data_bytes\":" + std::to_string(table.data_bytes) +
          ",\"data_version\":";
  AppendJsonString(body, table.data_version);
  body += ",\"writer\":";
  AppendJsonString(body, table.writer);
  body += ",\"modified\":";
  AppendTime(body, table.modified);
  body += ",\"location\":";
  AppendJsonString(body, table.location);
  body += ",\"schema\":";
  AppendSchema(body, *table.schema);
  body += "}\n";
  return response;
}

Result<Response> DropTable(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  call.backend.builds.CancelAll(call.table());
  FIRN_CHECK(call.backend.engine.Drop(call.table(), call.deadline));
  call.backend.tables_counted_ns = -1;
  Response response;
  response.body = "{\"dropped\":";
  AppendJsonString(response.body, call.table());
  response.body += "}\n";
  return response;
}

Result<Response> ListVersions(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_TRY(const auto versions, call.backend.engine.Versions(call.table(), call.deadline));
  Response response;
  std::string& body = response.body;
  body = "{\"versions\":[";
  for (const table::VersionInfo& version : versions) {
    if (body.back() != '[') body += ',';
    body += "{\"version\":" + std::to_string(version.version) + ",\"timestamp\":";
    AppendTime(body, version.timestamp);
    body += ",\"rows\":" + std::to_string(version.rows) + ",\"fragments\":" + std::to_string(version.fragments) +
            ",\"writer\":";
    AppendJsonString(body, version.writer);
    body += '}';
  }
  body += "]}\n";
  return response;
}

}  // namespace firn::server
