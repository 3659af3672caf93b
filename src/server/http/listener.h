#pragma once
// An HTTP/1.1 server on one io thread, with handlers on a pool of workers. Everything a client may send is bounded in
// size and time.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "server/http/application.h"

namespace firn::server {

struct ListenerOptions {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;  // 0 = any free one

  std::size_t max_connections = 1024;          // more wait in the kernel's queue
  std::size_t max_header_bytes = 16 << 10;     // request line and headers; 431 beyond
  std::uint64_t max_buffered_bytes = 1 << 30;  // all request bodies in memory together; 503 beyond
  std::size_t max_queued_requests = 1024;      // waiting for a worker; 503 beyond
  std::size_t worker_threads = 32;

  Duration idle_timeout = std::chrono::seconds(75);  // between requests
  Duration header_timeout =
      std::chrono::seconds(10);  // from the first byte of a request to the end of its headers; 408 beyond
  Duration body_stall_timeout = std::chrono::seconds(30);    // no byte of the body for so long; 408 beyond
  Duration body_timeout = std::chrono::minutes(10);          // for the whole body; 408 beyond
  Duration write_timeout = std::chrono::seconds(30);         // for each piece of an answer (64 KiB to 1 MiB)
  Duration check_interval = std::chrono::milliseconds(100);  // how often the timeouts are looked at
};

struct ListenerCounts {
  std::uint64_t accepted = 0;
  std::uint64_t open_connections = 0;
  std::uint64_t running_requests = 0;  // queued or on a worker
  std::uint64_t buffered_bytes = 0;
};

/// Thread-safe, except that Drain and Stop are not called from a handler.
class Listener {
 public:
  /// Listens when it returns. `application` and `clock` outlive it. Unavailable when the port is taken, InvalidArgument
  /// when the host is no address.
  static Result<std::unique_ptr<Listener>> Start(const ListenerOptions& options, Application& application,
                                                 const Clock& clock);
  ~Listener();  // Stop()

  std::uint16_t port() const;
  ListenerCounts Counts() const;

  /// Takes no more connections, closes idle ones, and waits until every request that runs is answered, at most `limit`.
  /// True when all were.
  bool Drain(Duration limit);
  /// Cuts every connection, tells every handler that its client is gone, and waits for the handlers.
  void Stop();
  /// Blocks until the process is told to end (SIGTERM or SIGINT). A second signal then has its usual effect.
  void WaitForSignal();

 private:
  struct Core;
  explicit Listener(std::unique_ptr<Core> core);
  std::unique_ptr<Core> core_;
};

}  // namespace firn::server
