#include "server/router.h"

#include <algorithm>

namespace firn::server {
namespace {

bool Matches(std::string_view path, std::span<const std::string> segments, std::vector<std::string>& parameters) {
  parameters.clear();
  path.remove_prefix(1);
  for (std::size_t i = 0;; i++) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const std::string_view part = path.substr(0, slash);
    if (i == segments.size()) return false;
    if (part.starts_with('{')) {
      if (segments[i].empty()) return false;
      parameters.push_back(segments[i]);
    } else if (part != segments[i]) {
      return false;
    }
    if (slash == path.size()) return i + 1 == segments.size();
    path.remove_prefix(slash + 1);
  }
}

void Allow(std::string& methods, std::string_view method) {
  if (!methods.empty()) methods += ", ";
  methods += method;
  if (method == "GET") methods += ", HEAD";
}

}  // namespace

RouteMatch FindRoute(std::string_view method, std::span<const std::string> segments) {
  if (method == "HEAD") method = "GET";
  RouteMatch match;
  std::vector<std::string> parameters;
  for (const Route& route : Routes()) {
    if (!Matches(route.path, segments, parameters)) continue;
    match.path = route.path;
    match.parameters = parameters;
    Allow(match.allow, route.method);
    if (route.method == method) match.route = &route;
  }
  if (!match.allow.empty()) match.allow += ", OPTIONS";
  return match;
}

}  // namespace firn::server
