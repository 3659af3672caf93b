#include "store/s3/credentials.h"

#include <array>
#include <fstream>

#include "store/s3/child_process.h"
#include "store/s3/credential_providers.h"

namespace firn::store {
namespace {

constexpr Duration kRenewBefore = std::chrono::minutes(5);
constexpr Duration kUsableBefore = std::chrono::seconds(30);  // clocks differ, and requests take time
constexpr Duration kRetryAfterFailure = std::chrono::seconds(30);
constexpr auto kPoll = std::chrono::milliseconds(10);  // a cancel flag cannot wake a waiter
constexpr std::size_t kMaxFileBytes = 1u << 20;

Result<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return NotFound("no file " + path);
  std::string text(kMaxFileBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kMaxFileBytes) return InvalidArgument(path + " is larger than 1 MiB");
  return text;
}

}  // namespace

CredentialContext ProcessCredentialContext(Environment environment, HttpSend http, const Clock& clock) {
  return {std::move(environment), ReadWholeFile, std::move(http), RunCommand, &clock};
}

Result<Credentials> FindCredentials(const CredentialContext& context, const Deadline& deadline) {
  static constexpr std::array kChain = {FromEnvironment, FromProfile, FromWebIdentity, FromContainer,
                                        FromInstanceMetadata};
  std::string looked_at;
  for (const auto provider : kChain) {
    FIRN_CHECK(deadline.Check("looking for AWS credentials"));
    FIRN_TRY(ProviderAnswer answer, provider(context, deadline));
    if (answer.credentials) return *std::move(answer.credentials);
    looked_at += (looked_at.empty() ? "" : "; ") + answer.missing;
  }
  return PermissionDenied(
      "no AWS credentials were found: " + looked_at,
      "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or for a bucket that anyone "
      "may read AWS_NO_SIGN_REQUEST=true");
}

CredentialCache::CredentialCache(Source source, const Clock& clock, Log& log)
    : source_(std::move(source)), clock_(clock), log_(log) {}

bool CredentialCache::ValidFor(Duration duration) const {
  return current_ && (!current_->expires || clock_.WallNow() + duration < *current_->expires);
}

Result<Credentials> CredentialCache::Get(const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  while (true) {
    if (ValidFor(kRenewBefore)) return *current_;
    if (ValidFor(kUsableBefore) && (refreshing_ || clock_.Now() < not_again_before_)) return *current_;
    if (!refreshing_) return Refresh(lock, deadline);

    const std::uint64_t before = refreshes_;
    while (refreshes_ == before) {
      FIRN_CHECK(deadline.Check("waiting for AWS credentials"));
      refreshed_.wait_for(lock, kPoll);
    }
    if (current_) return *current_;
    // Another caller's deadline is not ours.
    if (last_failure_ && last_failure_->kind != ErrorKind::kDeadlineExceeded) return *last_failure_;
  }
}

Result<Credentials> CredentialCache::Refresh(std::unique_lock<std::mutex>& lock, const Deadline& deadline) {
  refreshing_ = true;
  lock.unlock();
  Result<Credentials> found = source_(deadline);
  lock.lock();
  refreshing_ = false;
  ++refreshes_;
  refreshed_.notify_all();

  if (found) {
    current_ = *found;
    return found;
  }
  last_failure_ = found.error();
  if (!ValidFor(kUsableBefore)) {
    current_.reset();
    return found;
  }
  not_again_before_ = clock_.Now() + kRetryAfterFailure;
  log_.Warn("AWS credentials could not be renewed; those at hand are still valid", {{"error", found.error().message}});
  return *current_;
}

bool CredentialCache::Reject(const Credentials& refused) {
  const std::lock_guard lock(mutex_);
  if (!refused.expires) return false;
  if (current_ == refused) {
    current_.reset();
    not_again_before_ = {};
  }
  return true;
}

}  // namespace firn::store
