#include <array>
#include <cmath>

#include "server/json_object.h"
#include "server/routes/handlers.h"
#include "server/routes/search_members.h"
#include "server/row_body.h"
#include "server/row_reply.h"

namespace firn::server {
namespace {

Result<std::optional<float>> Distance(JsonObject& object, std::string_view name) {
  FIRN_TRY(const auto number, object.Number(name));
  if (!number) return std::optional<float>();
  if (!std::isfinite(static_cast<float>(*number)))
    return InvalidArgument("the member '" + std::string(name) + "' does not fit 32 bits");
  return std::optional(static_cast<float>(*number));
}

/// `vector`, or `vectors`: then the answer has a list of rows for each of them.
struct Queries {
  std::vector<float> one;
  std::optional<std::vector<std::vector<float>>> many;
};

Result<Queries> ReadQueries(JsonObject& object) {
  Queries queries;
  FIRN_TRY(auto one, object.Floats("vector"));
  FIRN_TRY(queries.many, object.FloatLists("vectors"));
  if (one && queries.many) {
    return InvalidArgument("both 'vector' and 'vectors' are given",
                           "A list of vectors is searched for together: put all of them into 'vectors'");
  }
  if (!one && !queries.many)
    return InvalidArgument("the member 'vector' is missing", "Send one, or several as 'vectors'");
  if (one) queries.one = *std::move(one);
  return queries;
}

/// But for what to search for.
Result<query::SearchRequest> ReadRequest(JsonObject& object) {
  query::SearchRequest request;
  FIRN_TRY(const auto column, object.String("column"));
  request.vector_column = column.value_or("");
  FIRN_TRY(const auto k, object.Unsigned("k"));
  request.k = k.value_or(request.k);
  FIRN_TRY(const auto offset, object.Unsigned("offset"));
  request.offset = offset.value_or(0);
  FIRN_TRY(const auto metric, object.String("metric"));
  if (metric) {
    FIRN_TRY(request.metric, simd::ParseMetric(*metric));
  }
  FIRN_TRY(const auto filter, object.String("filter"));
  request.filter = filter.value_or("");
  FIRN_TRY(const auto postfilter, object.Bool("postfilter"));
  request.postfilter = postfilter.value_or(false);
  FIRN_TRY(request.distance_at_least, Distance(object, "distance_at_least"));
  FIRN_TRY(request.distance_below, Distance(object, "distance_below"));
  FIRN_TRY(request.columns, object.Strings("columns"));
  FIRN_TRY(const auto with_row_id, object.Bool("with_row_id"));
  request.with_row_address = with_row_id.value_or(false);
  FIRN_CHECK(ReadEffort(object, request));
  return request;
}

}  // namespace

Result<Response> SearchTable(Call& call) {
  static constexpr std::array<std::string_view, 1> kNames = {"format"};
  FIRN_CHECK(call.query.CheckNames(kNames));
  FIRN_TRY(const RowFormat format, ChooseFormat(call));
  FIRN_CHECK(DecodeBody(call));
  FIRN_TRY(JsonObject object, JsonObject::Parse(call.body));
  static constexpr std::array<std::string_view, 18> kMembers = {
      "vector",         "vectors", "column",      "k",       "offset",
      "metric",         "filter",  "postfilter",  "columns", "distance_at_least",
      "distance_below", "version", "with_row_id", "explain", "recall",
      "nprobes",        "refine",  "exact"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  FIRN_TRY(Queries queries, ReadQueries(object));
  FIRN_TRY(query::SearchRequest request, ReadRequest(object));
  FIRN_TRY(const auto version, object.Unsigned("version"));
  FIRN_TRY(const auto asked, object.Bool("explain"));
  engine::Engine& engine = call.backend.engine;
  const auto answer = [&](const auto& found, const auto& rows_response) -> Result<Response> {
    call.backend.metrics.CountSearch(found ? &found->explain : nullptr);
    if (!found) return found.error();
    const query::Explain& explain = found->explain;
    Response answered =
        rows_response(format, found->rows, explain.version, "results", SearchMembers(explain, asked.value_or(false)));
    if (format != RowFormat::kJson) AddWarning(explain, answered);
    return answered;
  };
  if (queries.many)
    return answer(engine.SearchMany(call.table(), version, request, *queries.many, call.deadline), RowListsResponse);
  request.vector = std::move(queries.one);
  return answer(engine.Search(call.table(), version, request, call.deadline), RowsResponse);
}

}  // namespace firn::server
