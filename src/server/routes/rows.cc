#include <array>

#include "base/json_string.h"
#include "server/json_object.h"
#include "server/routes/handlers.h"
#include "server/row_body.h"
#include "server/row_reply.h"

namespace firn::server {
namespace {
constexpr std::size_t kMostRowIds = 100'000;
}  // namespace

Result<Response> AppendRows(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  // JSON and CSV are read as what the table's columns are, not as what they look like.
  FIRN_TRY(const table::SnapshotPtr snapshot, call.backend.engine.Snapshot(call.table(), std::nullopt, call.deadline));
  FIRN_TRY(const auto rows, OpenRows(call, snapshot->schema()));
  FIRN_TRY(const table::AppendResult appended,
           Answerable(call, call.backend.engine.Append(call.table(), *rows, call.deadline)));
  call.backend.metrics.CountRows(appended.rows);
  Response response;
  response.body = "{\"table\":";
  AppendJsonString(response.body, call.table());
  response.body +=
      ",\"rows\":" + std::to_string(appended.rows) + ",\"version\":" + std::to_string(appended.version) + "}\n";
  return response;
}

Result<Response> ScanRows(Call& call) {
  static constexpr std::array<std::string_view, 7> kNames = {"columns", "filter",      "limit", "offset",
                                                             "version", "with_row_id", "format"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const RowFormat format, ChooseFormat(call));
  table::ScanRequest request;
  request.columns = call.query.List("columns");
  request.filter = call.query.Text("filter").value_or("");
  FIRN_TRY(request.limit, call.query.Unsigned("limit"));
  FIRN_TRY(const auto offset, call.query.Unsigned("offset"));
  request.offset = offset.value_or(0);
  FIRN_TRY(const auto with_row_id, call.query.Bool("with_row_id"));
  request.with_row_address = with_row_id.value_or(false);
  FIRN_TRY(const auto version, call.query.Unsigned("version"));

  FIRN_TRY(const table::SnapshotPtr snapshot, call.backend.engine.Snapshot(call.table(), version, call.deadline));
  FIRN_TRY(const arrow::SchemaPtr schema, snapshot->ProjectedSchema(request.columns, request.with_row_address));
  Response response = RowsHead(format, snapshot->version());
  response.stream = [snapshot, schema, request, format, deadline = call.deadline](BodyWriter& body) -> Status {
    RowStream stream(format, schema, {"{\"version\":" + std::to_string(snapshot->version()) + ",\"rows\":[", "]}\n"},
                     body);
    FIRN_CHECK(stream.Start());
    FIRN_CHECK(snapshot->Scan(
        request,
        [&](const arrow::RecordBatch& batch) -> Result<bool> {
          FIRN_CHECK(stream.Write(batch));
          return true;
        },
        deadline));
    return stream.Finish();
  };
  return response;
}

Result<Response> TakeRows(Call& call) {
  static constexpr std::array<std::string_view, 1> kNames = {"format"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const RowFormat format, ChooseFormat(call));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 4> kMembers = {"row_ids", "columns", "version", "with_row_id"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  FIRN_TRY(const std::vector<std::uint64_t> row_ids, Required(object.UnsignedList("row_ids"), "row_ids"));
  if (row_ids.size() > kMostRowIds)
    return InvalidArgument("'row_ids' has more than 100000 items", "Ask in several requests");
  FIRN_TRY(const auto columns, object.Strings("columns"));
  FIRN_TRY(const auto version, object.Unsigned("version"));
  FIRN_TRY(const auto with_row_id, object.Bool("with_row_id"));
  FIRN_TRY(const table::SnapshotPtr snapshot, call.backend.engine.Snapshot(call.table(), version, call.deadline));
  FIRN_TRY(const arrow::RecordBatch rows, snapshot->Take(row_ids, columns, with_row_id.value_or(false), call.deadline));
  return RowsResponse(format, rows, snapshot->version(), "rows");
}

Result<Response> CountRows(Call& call) {
  static constexpr std::array<std::string_view, 2> kNames = {"filter", "version"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const auto version, call.query.Unsigned("version"));
  FIRN_TRY(const table::SnapshotPtr snapshot, call.backend.engine.Snapshot(call.table(), version, call.deadline));
  FIRN_TRY(const std::uint64_t count, snapshot->CountRows(call.query.Text("filter").value_or(""), call.deadline));
  Response response;
  response.body = "{\"count\":" + std::to_string(count) + ",\"version\":" + std::to_string(snapshot->version()) + "}\n";
  return response;
}

}  // namespace firn::server
