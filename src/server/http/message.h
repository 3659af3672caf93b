#pragma once
// What comes in and goes out over HTTP/1.1, as plain values. Knows nothing of sockets.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace firn::server {

struct Header {
  std::string name;
  std::string value;
};

/// A request before its body.
struct RequestHead {
  std::string method;  // as sent: "GET"
  std::string target;  // as sent: "/v1/tables?limit=10"
  std::vector<Header> headers;
  std::string peer;  // the client's address

  /// The first header of that name, in any case; "" when there is none.
  std::string_view HeaderOf(std::string_view name) const;
};

/// A target taken apart: the path split at '/', then each part percent-decoded, so that an encoded '/' stays inside its
/// part.
struct Target {
  std::vector<std::string> segments;                       // "/v1/tables" = {"v1", "tables"}
  std::vector<std::pair<std::string, std::string>> query;  // decoded, in order; '+' is a space
};

/// InvalidArgument: not an absolute path, a broken percent escape, an escaped zero byte, more than 64 query parameters.
Result<Target> ParseTarget(std::string_view target);

/// Takes the body of a streamed response, on a worker thread.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;
  /// Blocks while the client is slower than the caller. Fails (DeadlineExceeded) when the client is gone.
  virtual Status Write(std::string_view bytes) = 0;
};

struct Response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<Header> headers;  // without Content-Type, Content-Length, Transfer-Encoding, Connection, Date
  std::string body;
  /// When set, makes the body instead of `body`, on a worker thread. An error before the first bytes have left becomes
  /// an error response; a later one cuts the connection, so that the client sees that the body is not whole.
  std::function<Status(BodyWriter&)> stream;
};

/// "OK", "Not Found"; "Status" for a number that has no name here.
std::string_view ReasonOf(int status);

/// ASCII, without regard to case.
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

}  // namespace firn::server
