#pragma once

#include <string_view>

namespace firn::cli {

inline constexpr std::string_view kVersion = FIRN_VERSION;

}  // namespace firn::cli
