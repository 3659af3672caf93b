#include "server/routes/search_members.h"

#include <algorithm>
#include <cstdio>

#include "base/json_string.h"

namespace firn::server {
namespace {

/// Values that do not fit become the largest that does, which is refused like every other that is too large.
Result<std::optional<std::uint32_t>> Effort(JsonObject& object, std::string_view name) {
  FIRN_TRY(const auto number, object.Unsigned(name));
  if (!number) return std::optional<std::uint32_t>();
  return std::optional(static_cast<std::uint32_t>(std::min<std::uint64_t>(*number, UINT32_MAX)));
}

}  // namespace

Status ReadEffort(JsonObject& object, query::SearchRequest& request) {
  FIRN_TRY(const auto recall, object.Number("recall"));
  if (recall) request.recall = static_cast<float>(*recall);
  FIRN_TRY(request.nprobes, Effort(object, "nprobes"));
  FIRN_TRY(request.refine, Effort(object, "refine"));
  FIRN_TRY(const auto exact, object.Bool("exact"));
  request.exact = exact.value_or(false);
  return {};
}

std::string SearchMembers(const query::Explain& explain, bool asked) {
  std::string out;
  for (const std::string& warning : explain.warnings) {
    out += out.empty() ? ",\"warnings\":[" : ",";
    AppendJsonString(out, warning);
  }
  if (!out.empty()) out += "]";
  if (asked) out += ",\"explain\":" + query::ExplainJson(explain);
  return out;
}

void AddWarning(const query::Explain& explain, Response& response) {
  if (explain.warnings.empty()) return;
  std::string line = explain.warnings.front();
  // Names of indexes are anybody's text; a header is one line of ASCII.
  std::ranges::replace_if(line, [](unsigned char c) { return c < 0x20 || c >= 0x7F; }, '?');
  response.headers.push_back({"X-Search-Warning", std::move(line)});
}

}  // namespace firn::server
