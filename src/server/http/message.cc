#include "server/http/message.h"

#include <algorithm>
#include <cctype>
#include <optional>

namespace firn::server {
namespace {

constexpr std::size_t kMaxQueryParameters = 64;

std::optional<int> HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

Result<std::string> PercentDecode(std::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    if (text[i] == '+' && plus_is_space) {
      decoded += ' ';
    } else if (text[i] != '%') {
      decoded += text[i];
    } else {
      const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
      if (!high || !low) {
        return InvalidArgument("the URL has a '%' that is not followed by two hexadecimal digits",
                               "Write a literal '%' as %25");
      }
      const char byte = static_cast<char>(*high << 4 | *low);
      if (byte == '\0') return InvalidArgument("the URL holds an escaped zero byte");
      decoded += byte;
      i += 2;
    }
  }
  return decoded;
}

Status ParseQuery(std::string_view text, Target& target) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    if (target.query.size() == kMaxQueryParameters) return InvalidArgument("the URL has more than 64 query parameters");
    const std::size_t equals = std::min(pair.find('='), pair.size());
    FIRN_TRY(std::string name, PercentDecode(pair.substr(0, equals), true));
    FIRN_TRY(std::string value, PercentDecode(pair.substr(std::min(equals + 1, pair.size())), true));
    target.query.emplace_back(std::move(name), std::move(value));
  }
  return {};
}

}  // namespace

std::string_view RequestHead::HeaderOf(std::string_view name) const {
  for (const Header& header : headers) {
    if (EqualsIgnoringCase(header.name, name)) return header.value;
  }
  return {};
}

Result<Target> ParseTarget(std::string_view text) {
  if (!text.starts_with('/')) return InvalidArgument("the request target is not an absolute path");
  text = text.substr(0, text.find('#'));
  const std::size_t question = std::min(text.find('?'), text.size());
  std::string_view path = text.substr(1, question - 1);
  Target target;
  FIRN_CHECK(ParseQuery(text.substr(std::min(question + 1, text.size())), target));
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    FIRN_TRY(std::string segment, PercentDecode(path.substr(0, slash), false));
    target.segments.push_back(std::move(segment));
    if (slash == path.size()) return target;
    path.remove_prefix(slash + 1);
  }
}

std::string_view ReasonOf(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 406:
      return "Not Acceptable";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "Status";
  }
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace firn::server
