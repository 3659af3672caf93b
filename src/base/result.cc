#include "base/result.h"

#include <array>

namespace firn {

const ErrorKindInfo& InfoOf(ErrorKind kind) {
  using enum ErrorKind;
  static constexpr std::array<ErrorKindInfo, 11> kTable = {{
      {kInvalidArgument, "InvalidArgument", 400, 2, false},
      {kNotFound, "NotFound", 404, 3, false},
      {kAlreadyExists, "AlreadyExists", 409, 4, false},
      {kConflict, "Conflict", 409, 5, true},
      {kPermissionDenied, "PermissionDenied", 403, 6, false},
      {kResourceExhausted, "ResourceExhausted", 429, 7, true},
      {kUnavailable, "Unavailable", 503, 8, true},
      {kDeadlineExceeded, "DeadlineExceeded", 504, 9, true},
      {kDataCorruption, "DataCorruption", 500, 10, false},
      {kUnsupported, "Unsupported", 501, 11, false},
      {kInternal, "Internal", 500, 1, false},
  }};
  return kTable[static_cast<std::size_t>(kind)];
}

std::string Error::ToString() const { return hint.empty() ? message : message + ". " + hint; }

Error&& Error::In(std::string_view context) && {
  message.insert(0, ": ").insert(0, context);
  return std::move(*this);
}

}  // namespace firn
