#pragma once
// Firn over HTTP: the native API under /v1, the routes of the service that Firn replaces, health and metrics
// (api/openapi.yaml).

#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "engine/engine.h"
#include "server/http/listener.h"

namespace firn::server {

struct ServerConfig {
  ListenerOptions listener;
  std::uint64_t max_body_bytes = 256ULL << 20;
  Duration request_timeout = std::chrono::seconds(60);  // x-request-timeout-ms may ask for less
  Duration stream_timeout = std::chrono::hours(1);      // of answers that are streamed: GET /v1/tables/{table}/rows
  Duration drain_delay{};  // after SIGTERM: not ready, but still serving, until balancers have noticed
  Duration drain_timeout = std::chrono::seconds(30);
  std::string keys_file;             // "" = no keys: whoever reaches the port may do everything
  bool open_health = true;           // /health* needs no key
  bool open_metrics = true;          // /metrics needs no key
  std::size_t max_index_builds = 2;  // at once
};

/// Thread-safe.
class Server {
 public:
  /// Listens when it returns. `engine` and what `world` refers to outlive it. InvalidArgument: bad host or keys file;
  /// NotFound: no such keys file; Unavailable: the port is taken.
  static Result<std::unique_ptr<Server>> Start(const ServerConfig& config, engine::Engine& engine,
                                               const engine::World& world);
  ~Server();  // Stop()

  std::uint16_t port() const;
  /// "http://127.0.0.1:8080"
  std::string address() const;

  /// Turns unready, waits `drain_delay`, takes no more connections, lets running requests finish for at most
  /// `drain_timeout`, then stops. True when every request was answered.
  bool Drain();
  /// Cuts everything and waits for the handlers.
  void Stop();
  /// Blocks until SIGTERM or SIGINT, then drains. What `firn serve` does after Start. Returns what Drain returned.
  bool RunUntilSignal();

 private:
  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace firn::server
