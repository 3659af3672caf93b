#include "store/http/http_message.h"

#include <algorithm>
#include <charconv>

namespace firn::store {
namespace {

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

Error BadUrl(std::string_view url, std::string_view why) {
  return InvalidArgument("'" + std::string(url) + "' is not an endpoint: " + std::string(why),
                         "Write it as http://host:port or https://host");
}

/// Letters, digits and what else may stand in a host name or an address.
bool IsHost(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    const char l = Lower(c);
    return (l >= 'a' && l <= 'z') || (l >= '0' && l <= '9') || l == '-' || l == '.' || l == '_' || l == ':' || l == '%';
  });
}

}  // namespace

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return Lower(x) == Lower(y); });
}

std::string HttpEndpoint::Authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

bool HttpEndpoint::IsLoopback() const {
  const bool dotted = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "::1" || (dotted && host.starts_with("127."));
}

std::string_view HttpResponse::Header(std::string_view name) const {
  for (const HttpHeader& header : headers) {
    if (EqualsIgnoringCase(header.name, name)) return header.value;
  }
  return {};
}

Result<HttpUrl> ParseHttpUrl(std::string_view url) {
  HttpUrl parsed;
  std::string_view rest = url;
  if (rest.starts_with("https://")) {
    parsed.endpoint.tls = true;
    rest.remove_prefix(8);
  } else if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else {
    return BadUrl(url, "it starts with neither http:// nor https://");
  }
  if (std::ranges::any_of(url, [](unsigned char c) { return c <= ' ' || c == 0x7f || c == '#'; })) {
    return BadUrl(url.substr(0, 64), "it holds a space, a control character or a '#'");
  }
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  std::string_view authority = rest.substr(0, end);
  parsed.target = rest.substr(end);
  if (!parsed.target.starts_with('/')) parsed.target.insert(0, "/");
  // Not echoed: what stands before the '@' may be a password.
  if (authority.find('@') != std::string_view::npos) {
    return InvalidArgument("an endpoint must not hold a user name or a password", "Give keys by AWS_ACCESS_KEY_ID");
  }

  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return BadUrl(url, "the '[' is not closed");
    parsed.endpoint.host = authority.substr(1, bracket - 1);
    port = authority.substr(bracket + 1);
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    parsed.endpoint.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (!IsHost(parsed.endpoint.host)) return BadUrl(url, "it names no host");
  parsed.endpoint.port = parsed.endpoint.tls ? 443 : 80;
  if (!port.empty()) {
    const char* first = port.data() + 1;
    const char* last = port.data() + port.size();
    const auto [stop, error] = std::from_chars(first, last, parsed.endpoint.port);
    if (port[0] != ':' || error != std::errc{} || stop != last || parsed.endpoint.port == 0) {
      return BadUrl(url, "the port is not a number from 1 to 65535");
    }
  }
  return parsed;
}

}  // namespace firn::store
