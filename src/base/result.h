#pragma once
// How a call says that it failed. Every fallible function of Firn returns Result<T>; nothing throws across a
// module's edge. An Error says what happened, where, and what to try; its kind says what the caller can do.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace firn {

enum class ErrorKind : std::uint8_t {
  kInvalidArgument,    // the caller's input is wrong; the same call never works
  kNotFound,           // a table, column, version, bucket or object is not there
  kAlreadyExists,      // create found one already
  kConflict,           // another writer won and our change does not commute with theirs
  kPermissionDenied,   // credentials or key scope
  kResourceExhausted,  // a limit of ours or of the store: memory, body size, rate
  kUnavailable,        // the other side is not answering now; retry
  kDeadlineExceeded,   // the caller's time is up, or the caller went away
  kDataCorruption,     // bytes in the store are not what their format says
  kUnsupported,        // valid, but this version of Firn cannot do it
  kInternal,           // a bug in Firn
};

/// What follows from a kind: one row per kind, the only place that maps them.
struct ErrorKindInfo {
  ErrorKind kind;
  std::string_view name;  // "InvalidArgument", as it stands in logs and JSON replies
  int http_status;
  int exit_code;  // of the `firn` command
  bool retryable;
};
const ErrorKindInfo& InfoOf(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;  // one sentence: what and where
  std::string hint;     // what to try; may be empty

  /// "message. hint" for people.
  std::string ToString() const;
  /// Puts `context` and ": " before the message, on the way up.
  Error&& In(std::string_view context) &&;
};

inline Error InvalidArgument(std::string message, std::string hint = {}) {
  return {ErrorKind::kInvalidArgument, std::move(message), std::move(hint)};
}
inline Error NotFound(std::string message, std::string hint = {}) {
  return {ErrorKind::kNotFound, std::move(message), std::move(hint)};
}
inline Error AlreadyExists(std::string message, std::string hint = {}) {
  return {ErrorKind::kAlreadyExists, std::move(message), std::move(hint)};
}
inline Error Conflict(std::string message, std::string hint = {}) {
  return {ErrorKind::kConflict, std::move(message), std::move(hint)};
}
inline Error PermissionDenied(std::string message, std::string hint = {}) {
  return {ErrorKind::kPermissionDenied, std::move(message), std::move(hint)};
}
inline Error ResourceExhausted(std::string message, std::string hint = {}) {
  return {ErrorKind::kResourceExhausted, std::move(message), std::move(hint)};
}
inline Error Unavailable(std::string message, std::string hint = {}) {
  return {ErrorKind::kUnavailable, std::move(message), std::move(hint)};
}
inline Error DeadlineExceeded(std::string message, std::string hint = {}) {
  return {ErrorKind::kDeadlineExceeded, std::move(message), std::move(hint)};
}
inline Error DataCorruption(std::string message, std::string hint = {}) {
  return {ErrorKind::kDataCorruption, std::move(message), std::move(hint)};
}
inline Error Unsupported(std::string message, std::string hint = {}) {
  return {ErrorKind::kUnsupported, std::move(message), std::move(hint)};
}
inline Error Internal(std::string message, std::string hint = {}) {
  return {ErrorKind::kInternal, std::move(message), std::move(hint)};
}

/// std::expected with Error, and [[nodiscard]] on the class, so that an unchecked failure does not compile.
template <class T>
class [[nodiscard]] Result : public std::expected<T, Error> {
 public:
  using Base = std::expected<T, Error>;
  using Base::Base;
  Result(Error error) : Base(std::unexpect, std::move(error)) {}  // NOLINT: `return NotFound(...)` is the point
};

template <>
class [[nodiscard]] Result<void> : public std::expected<void, Error> {
 public:
  using Base = std::expected<void, Error>;
  using Base::Base;
  Result(Error error) : Base(std::unexpect, std::move(error)) {}  // NOLINT
};

using Status = Result<void>;

}  // namespace firn

#define FIRN_CONCAT_INNER(a, b) a##b
#define FIRN_CONCAT(a, b) FIRN_CONCAT_INNER(a, b)

/// FIRN_TRY(auto x, Call()): x is the value, or this function returns the error.
#define FIRN_TRY(declaration, ...) FIRN_TRY_INNER(FIRN_CONCAT(firn_result_, __COUNTER__), declaration, __VA_ARGS__)
#define FIRN_TRY_INNER(result, declaration, ...) \
  auto result = (__VA_ARGS__);                   \
  if (!result) [[unlikely]]                      \
    return std::move(result).error();            \
  declaration = *std::move(result)

/// FIRN_CHECK(Call()): goes on, or this function returns the error. For Status, or a value not needed.
#define FIRN_CHECK(...) FIRN_CHECK_INNER(FIRN_CONCAT(firn_status_, __COUNTER__), __VA_ARGS__)
#define FIRN_CHECK_INNER(status, ...)                      \
  do {                                                     \
    if (auto status = (__VA_ARGS__); !status) [[unlikely]] \
      return std::move(status).error();                    \
  } while (false)
