#pragma once
// From a method and a path to the function that answers.

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "engine/engine.h"
#include "server/auth.h"
#include "server/http/listener.h"
#include "server/http/message.h"
#include "server/index_builds.h"
#include "server/metrics.h"
#include "server/query.h"

namespace firn::server {

/// What handlers work on; lives as long as the server.
struct Backend {
  engine::Engine& engine;
  Metrics& metrics;
  IndexBuilds& builds;
  const Clock& clock;
  WallTime started{};
  std::atomic<bool> draining{false};
  std::function<ListenerCounts()> listener_counts;
  std::atomic<std::int64_t> tables_counted_ns{-1};  // steady time; < 0: never
};

/// One request, as a handler sees it.
struct Call {
  Backend& backend;
  const RequestHead& head;
  std::vector<std::string> parameters;  // of the path, in order
  Query query;
  std::string body;
  Deadline deadline;
  std::uint64_t max_body_bytes = 0;
  int error_status = 0;  // of the answer to the error that the handler returns; 0 = by its kind

  const std::string& table() const { return parameters.front(); }
  const std::string& index() const { return parameters[1]; }
};

using Handler = Result<Response> (*)(Call& call);

/// Whose time a request may take.
enum class Pace : std::uint8_t {
  kQuick,    // microseconds: answered on the io thread
  kNormal,   // the request timeout
  kStreams,  // the stream timeout
};

struct Route {
  std::string_view method;
  std::string_view path;       // "/v1/tables/{table}/rows": the template that logs and metrics show
  std::optional<Scope> scope;  // empty: health, metrics, version; see ServerConfig
  Pace pace = Pace::kNormal;
  Handler handler = nullptr;
};

/// Every route there is (api/openapi.yaml describes them).
std::span<const Route> Routes();

struct RouteMatch {
  const Route* route = nullptr;  // null: no such path (`allow` empty), or not by this method
  std::string_view path;         // the template, when any method matches
  std::vector<std::string> parameters;
  std::string allow;  // "GET, HEAD, OPTIONS"
};
/// HEAD finds what GET finds.
RouteMatch FindRoute(std::string_view method, std::span<const std::string> segments);

}  // namespace firn::server
