#pragma once
// The two ways in which AWS writes a time.

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace firn::store {

/// "20130524T000000Z"
std::string FormatAmzTime(WallTime time);

/// "2015-10-21T07:28:00Z", "2015-10-21T07:28:00.000Z" or with an offset, "2015-10-21T07:28:00+00:00".
std::optional<WallTime> ParseIsoTime(std::string_view text);

}  // namespace firn::store
