// /v1/tables/{table}/indexes: an index, and beneath it the build that this server ran for it last.
#include <algorithm>
#include <array>
#include <cstdio>

#include "base/json_string.h"
#include "server/error_reply.h"
#include "server/json_object.h"
#include "server/nearest_name.h"
#include "server/routes/handlers.h"
#include "server/routes/time_json.h"
#include "server/row_body.h"

namespace firn::server {
namespace {

constexpr std::uint64_t kLongestWaitMs = 3'600'000;
constexpr std::uint64_t kMostRowsPerList = 1'000'000;

void AppendNumber(std::string& out, std::string_view name, std::uint64_t value) {
  out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

void AppendNumber(std::string& out, std::string_view name, double value) {
  char text[48];
  std::snprintf(text, sizeof text, "%.6g", value);
  out.append(",\"").append(name).append("\":").append(text);
}

void AppendText(std::string& out, std::string_view name, std::string_view value) {
  out.append(",\"").append(name).append("\":");
  AppendJsonString(out, value);
}

void AppendIndex(std::string& out, const engine::IndexDescription& index) {
  out += "{\"name\":";
  AppendJsonString(out, index.name);
  AppendText(out, "column", index.column);
  AppendText(out, "kind", "vector");
  AppendText(out, "metric", simd::NameOf(index.metric));
  AppendNumber(out, "dim", std::uint64_t{index.dim});
  AppendNumber(out, "rows", index.rows);
  AppendNumber(out, "rows_missing", index.rows_missing);
  AppendNumber(out, "segments", std::uint64_t{index.segments});
  AppendNumber(out, "lists", index.lists);
  AppendNumber(out, "bytes", index.bytes);
  AppendNumber(out, "recall_up_to", static_cast<double>(index.promises));
  AppendNumber(out, "build_seconds", index.build_s);
  out += ",\"created\":";
  AppendTime(out, index.created);
  out += '}';
}

void AppendBuild(std::string& out, const BuildState& build) {
  out += "{\"id\":";
  AppendJsonString(out, build.id);
  AppendText(out, "index", build.plan.name);
  AppendText(out, "column", build.plan.column);
  AppendText(out, "metric", simd::NameOf(build.plan.metric));
  AppendText(out, "state", NameOf(build.outcome));
  if (build.outcome == BuildOutcome::kRunning) {
    AppendText(out, "phase", maintain::NameOf(build.phase));
    if (maintain::CountsRows(build.phase)) {
      AppendNumber(out, "rows_done", build.done);
      AppendNumber(out, "rows_total", build.total);
    }
  }
  AppendNumber(out, "seconds", build.seconds);
  if (build.error) {
    out += ",\"error\":";
    AppendError(out, *build.error);
  }
  out += '}';
}

Result<engine::IndexDescription> Find(Call& call, const std::string& name) {
  FIRN_TRY(const std::vector<engine::IndexDescription> indexes,
           call.backend.engine.Indexes(call.table(), call.deadline));
  const auto found = std::ranges::find(indexes, name, &engine::IndexDescription::name);
  if (found != indexes.end()) return *found;
  std::string names;
  for (const engine::IndexDescription& index : indexes) names += (names.empty() ? "" : ", ") + index.name;
  return NotFound(
      "table " + call.table() + " has no index " + Quoted(name),
      names.empty() ? "It has none; POST /v1/tables/{table}/indexes builds one" : "Its indexes are: " + names);
}

Result<IndexBuilds::Handle> FindBuild(Call& call) {
  if (auto build = call.backend.builds.Find(call.table(), call.index())) return build;
  return NotFound(
      "this server has built no index " + Quoted(call.index()) + " on table " + call.table() + " since it started",
      "GET /v1/tables/{table}/indexes lists the indexes that there are");
}

struct BuildBody {
  maintain::BuildOptions options;
  bool wait = true;
};

Result<BuildBody> ReadBody(JsonObject& object) {
  static constexpr std::array<std::string_view, 7> kMembers = {"column",        "name",    "kind", "metric",
                                                               "rows_per_list", "missing", "wait"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  BuildBody body;
  FIRN_TRY(const auto kind, object.String("kind"));
  if (kind && *kind != "vector")
    return InvalidArgument("unknown kind of index " + Quoted(*kind), "There is one kind: vector");
  FIRN_TRY(const auto column, object.String("column"));
  body.options.column = column.value_or("");
  FIRN_TRY(const auto name, object.String("name"));
  if (name && name->empty()) return InvalidArgument("the member 'name' is empty", "Leave it out for {column}_idx");
  body.options.name = name.value_or("");
  FIRN_TRY(const auto metric, object.String("metric"));
  if (metric) {
    FIRN_TRY(body.options.metric, simd::ParseMetric(*metric));
  }
  FIRN_TRY(const auto rows_per_list, object.Unsigned("rows_per_list"));
  if (rows_per_list && (*rows_per_list == 0 || *rows_per_list > kMostRowsPerList))
    return InvalidArgument("'rows_per_list' is not from 1 to 1000000",
                           "Leave it out for about the square root of the rows");
  body.options.rows_per_list = static_cast<std::size_t>(rows_per_list.value_or(0));
  FIRN_TRY(const auto missing, object.Bool("missing"));
  body.options.only_missing = missing.value_or(false);
  FIRN_TRY(const auto wait, object.Bool("wait"));
  body.wait = wait.value_or(true);
  return body;
}

Response BuildResponse(int status, const BuildState& build) {
  Response response;
  response.status = status;
  AppendBuild(response.body, build);
  response.body += '\n';
  return response;
}

}  // namespace

Result<Response> BuildIndex(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  FIRN_TRY(BuildBody body, ReadBody(object));
  IndexBuilds& builds = call.backend.builds;
  const auto started = builds.Start(call.table(), std::move(body.options), call.deadline);
  if (!started) {
    // The server could build an index; not over this column or by this metric.
    if (started.error().kind == ErrorKind::kUnsupported) call.error_status = 422;
    return started.error();
  }
  const BuildState build = body.wait ? builds.Wait(*started, call.deadline) : builds.StateOf(*started);
  if (build.outcome == BuildOutcome::kRunning) return BuildResponse(202, build);
  if (build.error) return *build.error;
  FIRN_TRY(const engine::IndexDescription index, Find(call, build.plan.name));
  Response response;
  response.status = 201;
  AppendIndex(response.body, index);
  response.body += '\n';
  return response;
}

Result<Response> ListIndexes(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_TRY(const std::vector<engine::IndexDescription> indexes,
           call.backend.engine.Indexes(call.table(), call.deadline));
  Response response;
  std::string& body = response.body;
  body = "{\"indexes\":[";
  for (const engine::IndexDescription& index : indexes) {
    if (body.back() != '[') body += ',';
    AppendIndex(body, index);
  }
  body += "],\"builds\":[";
  for (const BuildState& build : call.backend.builds.Running(call.table())) {
    if (body.back() != '[') body += ',';
    AppendBuild(body, build);
  }
  body += "]}\n";
  return response;
}

Result<Response> DescribeIndex(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_TRY(const engine::IndexDescription index, Find(call, call.index()));
  Response response;
  AppendIndex(response.body, index);
  response.body += '\n';
  return response;
}

Result<Response> DropIndex(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  if (const auto build = call.backend.builds.Find(call.table(), call.index())) {
    const BuildState state = call.backend.builds.StateOf(build);
    if (state.outcome == BuildOutcome::kRunning) {
      return Conflict("build " + state.id + " of this index is running, and would bring it back",
                      "Cancel it first: DELETE /v1/tables/{table}/indexes/{index}/build");
    }
  }
  FIRN_CHECK(call.backend.engine.DropIndex(call.table(), call.index(), call.deadline));
  Response response;
  response.body = "{\"dropped\":";
  AppendJsonString(response.body, call.index());
  response.body += "}\n";
  return response;
}

Result<Response> DescribeBuild(Call& call) {
  static constexpr std::array<std::string_view, 1> kNames = {"wait_ms"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const auto wait_ms, call.query.Unsigned("wait_ms"));
  if (wait_ms && *wait_ms > kLongestWaitMs) return InvalidArgument("'wait_ms' is not from 0 to 3600000");
  FIRN_TRY(const IndexBuilds::Handle build, FindBuild(call));
  if (!wait_ms) return BuildResponse(200, call.backend.builds.StateOf(build));
  const Deadline deadline = call.deadline.Within(call.backend.clock, std::chrono::milliseconds(*wait_ms));
  return BuildResponse(200, call.backend.builds.Wait(build, deadline));
}

Result<Response> CancelBuild(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_TRY(const IndexBuilds::Handle build, FindBuild(call));
  call.backend.builds.Cancel(build);
  return BuildResponse(200, call.backend.builds.Wait(build, call.deadline));
}

}  // namespace firn::server
