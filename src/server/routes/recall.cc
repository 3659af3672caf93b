// /v1/tables/{table}/recall: promise against truth.
#include <array>
#include <cstdio>

#include "base/json_string.h"
#include "server/json_object.h"
#include "server/routes/handlers.h"
#include "server/row_body.h"

namespace firn::server {
namespace {

Result<maintain::RecallOptions> ReadOptions(JsonObject& object) {
  static constexpr std::array<std::string_view, 8> kMembers = {"column",  "metric",  "filter", "promises",
                                                               "queries", "vectors", "k",      "seed"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  maintain::RecallOptions options;
  FIRN_TRY(const auto column, object.String("column"));
  options.column = column.value_or("");
  FIRN_TRY(const auto metric, object.String("metric"));
  if (metric) {
    FIRN_TRY(options.metric, simd::ParseMetric(*metric));
  }
  FIRN_TRY(const auto filter, object.String("filter"));
  options.filter = filter.value_or("");
  FIRN_TRY(auto promises, object.Floats("promises"));
  if (promises) options.promises = *std::move(promises);
  FIRN_TRY(const auto queries, object.Unsigned("queries"));
  options.queries = static_cast<std::size_t>(queries.value_or(options.queries));
  FIRN_TRY(auto vectors, object.FloatLists("vectors"));
  if (vectors && vectors->empty())
    return InvalidArgument("the member 'vectors' is empty", "Leave it out to search for rows of the table");
  if (vectors && queries)
    return InvalidArgument("both 'queries' and 'vectors' are given",
                           "Every one of 'vectors' is searched for; leave 'queries' out");
  if (vectors) options.vectors = *std::move(vectors);
  FIRN_TRY(const auto k, object.Unsigned("k"));
  options.k = static_cast<std::size_t>(k.value_or(options.k));
  FIRN_TRY(const auto seed, object.Unsigned("seed"));
  options.seed = seed.value_or(options.seed);
  return options;
}

void AppendRow(std::string& out, const maintain::RecallRow& row) {
  char text[256];
  std::snprintf(
      text, sizeof text,
      R"({"promise":%.4g,"truth":%.4f,"worst":%.4f,"median_ms":%.3f,"exact_ms":%.3f,"lists":%.1f,"candidates":%.1f})",
      static_cast<double>(row.promise), row.truth, row.worst, row.median_ms, row.exact_ms, row.lists, row.candidates);
  out += text;
}

}  // namespace

Result<Response> MeasureRecall(Call& call) {
  FIRN_CHECK(call.query.CheckNames({}));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  FIRN_TRY(const maintain::RecallOptions options, ReadOptions(object));
  FIRN_TRY(const maintain::RecallReport report,
           call.backend.engine.MeasureRecall(call.table(), options, call.deadline));
  Response response;
  std::string& body = response.body;
  body = "{\"column\":";
  AppendJsonString(body, report.column);
  body += ",\"queries\":" + std::to_string(report.queries) + ",\"k\":" + std::to_string(report.k) + ",\"plan\":";
  AppendJsonString(body, report.plan);
  body += ",\"recall\":[";
  for (const maintain::RecallRow& row : report.rows) {
    if (body.back() != '[') body += ',';
    AppendRow(body, row);
  }
  body += "]}\n";
  return response;
}

}  // namespace firn::server
