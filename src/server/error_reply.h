#pragma once
// Every failure that a client sees, in one form:
//   {"error":{"kind":"InvalidArgument","message":"...","hint":"..."},"request_id":"..."}

#include <string_view>

#include "base/result.h"
#include "server/http/message.h"

namespace firn::server {

/// {"kind":"InvalidArgument","message":"...","hint":"..."}
void AppendError(std::string& out, const Error& error);

/// `status` 0 = by the error's kind.
Response ErrorReply(const Error& error, std::string_view request_id, int status = 0);

}  // namespace firn::server
