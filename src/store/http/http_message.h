#pragma once
// What goes over HTTP/1.1 and comes back, as plain values. Knows nothing of sockets.

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace firn::store {

/// Whom to connect to.
struct HttpEndpoint {
  bool tls = false;
  std::string host;  // a name or an address; IPv6 without brackets
  std::uint16_t port = 80;

  /// "host", or "host:port" where the port is not the scheme's own: the Host header, and what messages name.
  std::string Authority() const;
  /// The address is this machine's own (127.0.0.0/8, ::1, localhost).
  bool IsLoopback() const;
  friend auto operator<=>(const HttpEndpoint&, const HttpEndpoint&) = default;
};

struct HttpUrl {
  HttpEndpoint endpoint;
  std::string target;  // "/path?query", as it stands in the URL; at least "/"
};

/// "http://host[:port][/path][?query]" or https. InvalidArgument for anything else, for user names and for fragments.
Result<HttpUrl> ParseHttpUrl(std::string_view url);

struct HttpHeader {
  std::string name;
  std::string value;
};

struct HttpRequest {
  HttpEndpoint endpoint;
  std::string method = "GET";
  std::string target = "/";         // encoded: goes on the wire as it is
  std::vector<HttpHeader> headers;  // without Host and Content-Length, which the client adds
  Buffer body;                      // may be borrowed (no owner) if it lives until the answer
  /// Sending it twice does no harm: a kept-alive connection that turns out to be closed is then replaced in silence.
  bool idempotent = true;
  /// A longer answer is ResourceExhausted.
  std::uint64_t max_response_bytes = 16ULL << 20;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers;
  Buffer body;

  /// The first header of that name, in any case; "" when there is none.
  std::string_view Header(std::string_view name) const;
};

/// One exchange. What needs no more than this takes it as a function, so that its tests need no network.
using HttpSend = std::function<Result<HttpResponse>(HttpRequest request, const Deadline& deadline)>;

bool EqualsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace firn::store
