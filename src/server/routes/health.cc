#include <array>

#include "base/json_string.h"
#include "server/routes/handlers.h"
#include "server/version.h"

namespace firn::server {
namespace {

constexpr std::chrono::seconds kReadyTime{5};
constexpr std::chrono::seconds kTableCountAge{60};
constexpr std::chrono::seconds kTableCountTime{2};
constexpr std::size_t kTablePage = 1000;
constexpr std::size_t kTablePages = 10;

Status NoQuery(const Call& call) { return call.query.CheckNames({}); }

/// Counts at most 10,000 tables, at most once a minute: a gauge is not worth more. Failing leaves the last count.
void CountTables(Call& call) {
  Backend& backend = call.backend;
  const std::int64_t now_ns = backend.clock.Now().time_since_epoch().count();
  std::int64_t last_ns = backend.tables_counted_ns;
  if (last_ns >= 0 && now_ns - last_ns < Duration(kTableCountAge).count()) return;
  if (!backend.tables_counted_ns.compare_exchange_strong(last_ns, now_ns)) return;
  const Deadline deadline = call.deadline.Within(backend.clock, kTableCountTime);
  std::uint64_t tables = 0;
  std::string after;
  for (std::size_t page = 0; page < kTablePages; page++) {
    const auto names = backend.engine.ListTables(after, kTablePage, deadline);
    if (!names) return;
    tables += names->names.size();
    after = names->next_token;
    if (after.empty()) break;
  }
  backend.metrics.SetTables(tables);
}

}  // namespace

Result<Response> GetHealth(Call& call) {
  FIRN_CHECK(NoQuery(call));
  Response response;
  response.body = R"({"status":"ok","version":")" + std::string(Version()) + "\"}\n";
  return response;
}

Result<Response> GetReady(Call& call) {
  FIRN_CHECK(NoQuery(call));
  if (call.backend.draining) return Unavailable("the server is shutting down", "Send requests to another one");
  if (auto ping = call.backend.engine.Ping(call.deadline.Within(call.backend.clock, kReadyTime)); !ping) {
    // Whatever the reason: a balancer understands 503.
    return Unavailable("the database cannot be reached: " + ping.error().message, ping.error().hint);
  }
  Response response;
  response.body = "{\"status\":\"ready\"}\n";
  return response;
}

Result<Response> GetMetrics(Call& call) {
  FIRN_CHECK(NoQuery(call));
  CountTables(call);
  Backend& backend = call.backend;
  Response response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = backend.metrics.Render(
      {.listener = backend.listener_counts(),
       .store = backend.engine.Counts(),
       .start_time_seconds = std::chrono::duration<double>(backend.started.time_since_epoch()).count(),
       .version = Version(),
       .index_builds = backend.builds.RunningCount()});
  return response;
}

Result<Response> GetVersion(Call& call) {
  FIRN_CHECK(NoQuery(call));
  Response response;
  response.body = R"({"name":"firn","version":")" + std::string(Version()) + "\",\"api\":\"v1\",\"database\":";
  AppendJsonString(response.body, call.backend.engine.DescribeStore());
  response.body += "}\n";
  return response;
}

}  // namespace firn::server
