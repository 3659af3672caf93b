#pragma once
// A TOML file as flat settings.

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace firn::server {

/// "server.port" -> "8080": every leaf of the tables in `text`, as text. InvalidArgument: not TOML (line and column),
/// or a value that is neither string, number nor boolean. `path` is for messages.
Result<std::map<std::string, std::string, std::less<>>> ReadToml(std::string_view text, std::string_view path);

}  // namespace firn::server
