#pragma once
// An HTTP/1.1 client that keeps its connections: one thread, any number of requests under way, TLS by OpenSSL.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/http/http_message.h"
#include "store/http/tls_roots.h"

namespace firn::store {

struct HttpClientOptions {
  std::uint32_t max_connections = 64;                    // to one endpoint; further requests wait their turn
  Duration connect_timeout = std::chrono::seconds(5);    // name lookup, TCP and TLS together
  Duration progress_timeout = std::chrono::seconds(30);  // without a byte sent or received
  Duration keep_alive = std::chrono::seconds(15);        // an older idle connection is not used again
  TlsRoots tls_roots;
};

/// Thread-safe. The thread starts with the first request; making and dropping an unused client costs nothing.
/// `clock` measures every timeout, and must outlive the client.
///
/// Error kinds: InvalidArgument (a header or a target that cannot be sent), Unavailable (no connection, a broken one,
/// one of the timeouts above, a malformed answer), PermissionDenied (the server's certificate is not trusted),
/// ResourceExhausted (the answer is longer than allowed), DeadlineExceeded (within some 10 ms of the deadline's end or
/// its cancellation). Every status that a server answers, 500 too, is a response and no error.
class HttpClient {
 public:
  HttpClient(HttpClientOptions options, const Clock& clock);
  /// Ends what is under way (Unavailable).
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Result<HttpResponse> Send(HttpRequest request, const Deadline& deadline);

  /// All under way together; the answers come in order.
  std::vector<Result<HttpResponse>> SendAll(std::vector<HttpRequest> requests, const Deadline& deadline);

  /// Returns at once. `done` runs exactly once, on the client's thread or on this one: it must be short, must not
  /// throw, and must not destroy the client.
  void Start(HttpRequest request, const Deadline& deadline, std::function<void(Result<HttpResponse>)> done);

 private:
  class Loop;
  std::unique_ptr<Loop> loop_;
};

}  // namespace firn::store
