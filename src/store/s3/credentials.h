#pragma once
// Who we are to AWS: the chain of places where its tools look for keys, in its order, and a cache that renews them.

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "store/http/http_message.h"
#include "store/open.h"

namespace firn::store {

/// Secret: never in a log or a message, whole or in part, but for the access key's id.
struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;        // "" for long-lived keys
  std::optional<WallTime> expires;  // unset: they do not

  bool operator==(const Credentials&) const = default;
};

/// The outside world of the chain. Each part may be a test's.
struct CredentialContext {
  Environment environment;
  /// A file's text; NotFound when there is none.
  std::function<Result<std::string>(const std::string& path)> read_file;
  HttpSend http;
  /// What a shell command prints; it is ended with the deadline.
  std::function<Result<std::string>(const std::string& command, const Deadline& deadline)> run_command;
  const Clock* clock = nullptr;
};

/// The context of a real process. Files larger than 1 MiB are refused.
CredentialContext ProcessCredentialContext(Environment environment, HttpSend http, const Clock& clock);

/// The first that is configured: AWS_ACCESS_KEY_ID and its companions; the profile (AWS_PROFILE, else "default") of the
/// shared credentials and config files; a web identity; the container's endpoint; the EC2 instance's role. One that is
/// configured and fails ends the search with its error. PermissionDenied when there is none, with all that was looked
/// at.
Result<Credentials> FindCredentials(const CredentialContext& context, const Deadline& deadline);

/// Keeps what a source gave until shortly before it expires. Thread-safe; of many callers one asks, the others wait
/// for its answer, or go on with what is still valid.
class CredentialCache {
 public:
  using Source = std::function<Result<Credentials>(const Deadline& deadline)>;

  CredentialCache(Source source, const Clock& clock, Log& log);

  Result<Credentials> Get(const Deadline& deadline);

  /// The server refused these as expired: the next Get asks the source. False when they are of the kind that does not
  /// expire, and asking again would give the same.
  bool Reject(const Credentials& refused);

 private:
  bool ValidFor(Duration duration) const;
  Result<Credentials> Refresh(std::unique_lock<std::mutex>& lock, const Deadline& deadline);

  const Source source_;
  const Clock& clock_;
  Log& log_;
  std::mutex mutex_;
  std::condition_variable refreshed_;
  bool refreshing_ = false;
  std::uint64_t refreshes_ = 0;  // finished, well or not
  std::optional<Error> last_failure_;
  SteadyTime not_again_before_{};
  std::optional<Credentials> current_;
};

}  // namespace firn::store
