#pragma once
// A command that prints credentials (credential_process).

#include <string>

#include "base/clock.h"
#include "base/result.h"

namespace firn::store {

/// What `command` prints when /bin/sh runs it, at most 64 KiB. It and its children are killed when the deadline ends.
/// PermissionDenied when it fails or prints more, DeadlineExceeded. Messages hold neither the command nor its output.
Result<std::string> RunCommand(const std::string& command, const Deadline& deadline);

}  // namespace firn::store
