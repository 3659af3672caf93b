#pragma once

#include <string_view>

namespace firn::server {

/// Of this program: "0.1.0".
std::string_view Version();

}  // namespace firn::server
