// The routes of the service that Firn replaces: POST /tables, GET /tables, POST /search.
#include <array>

#include "base/json_string.h"
#include "server/json_object.h"
#include "server/routes/handlers.h"
#include "server/routes/search_members.h"
#include "server/row_body.h"
#include "server/row_reply.h"

namespace firn::server {
namespace {

constexpr std::size_t kPage = 1000;
constexpr std::size_t kMostPages = 100;

}  // namespace

Result<Response> LegacyCreate(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 2> kMembers = {"name", "data"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  FIRN_TRY(const std::string name, Required(object.String("name"), "name"));
  FIRN_CHECK(table::CheckTableName(name));
  const std::string_view data = object.Raw("data");
  if (data.empty())
    return InvalidArgument("the member 'data' is missing", "Send the first rows: {\"name\": ..., \"data\": [{...}]}");
  FIRN_TRY(const auto rows, OpenRowList(call, data, nullptr));
  FIRN_TRY(const table::AppendResult created,
           Answerable(call, call.backend.engine.Create(name, *rows, table::CreateMode::kCreate, call.deadline)));
  call.backend.metrics.CountRows(created.rows);
  call.backend.tables_counted_ns = -1;
  Response response;
  response.status = 201;
  std::string& body = response.body;
  body = "{\"table\":";
  AppendJsonString(body, name);
  body +=
      ",\"rows\":" + std::to_string(created.rows) + ",\"version\":" + std::to_string(created.version) + ",\"message\":";
  AppendJsonString(
      body, "created table " + name + " with " + std::to_string(created.rows) + (created.rows == 1 ? " row" : " rows"));
  body += "}\n";
  return response;
}

Result<Response> LegacyTables(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  Response response;
  std::string& body = response.body;
  body = "{\"tables\":[";
  std::string after;
  for (std::size_t page = 0; page < kMostPages; page++) {
    FIRN_TRY(const table::TablePage names, call.backend.engine.ListTables(after, kPage, call.deadline));
    for (const std::string& name : names.names) {
      if (body.back() != '[') body += ',';
      AppendJsonString(body, name);
    }
    after = names.next_token;
    if (after.empty()) {
      body += "]}\n";
      return response;
    }
  }
  return ResourceExhausted("there are more than 100000 tables", "Read them in pages: GET /v1/tables");
}

Result<Response> LegacySearch(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 9> kMembers = {"table",   "query_vector", "limit", "filter", "recall",
                                                               "nprobes", "refine",       "exact", "explain"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  FIRN_TRY(const std::string table, Required(object.String("table"), "table"));
  query::SearchRequest request;
  FIRN_TRY(request.vector, Required(object.Floats("query_vector"), "query_vector"));
  FIRN_TRY(const auto limit, object.Unsigned("limit"));
  request.k = limit.value_or(request.k);
  FIRN_TRY(const auto filter, object.String("filter"));
  request.filter = filter.value_or("");
  FIRN_CHECK(ReadEffort(object, request));
  FIRN_TRY(const auto explain, object.Bool("explain"));
  const auto found = call.backend.engine.Search(table, std::nullopt, request, call.deadline);
  call.backend.metrics.CountSearch(found ? &found->explain : nullptr);
  if (!found) return found.error();
  std::string rest = ",\"table\":";
  AppendJsonString(rest, table);
  rest += ",\"count\":" + std::to_string(found->rows.rows);
  rest += SearchMembers(found->explain, explain.value_or(false));
  return RowsResponse(RowFormat::kJson, found->rows, found->explain.version, "results", rest);
}

}  // namespace firn::server
