#include "server/version.h"

namespace firn::server {

std::string_view Version() { return FIRN_VERSION; }

}  // namespace firn::server
