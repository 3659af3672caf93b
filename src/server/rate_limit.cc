#include "server/rate_limit.h"

#include <algorithm>

namespace firn::server {

Duration RateLimits::Take(const Key& key) {
  if (key.requests_per_second <= 0) return Duration::zero();
  const SteadyTime now = clock_.Now();
  const std::lock_guard lock(mutex_);
  Bucket& bucket = buckets_.try_emplace(key.id, Bucket{key.burst, now}).first->second;
  const double elapsed_s = std::chrono::duration<double>(now - bucket.filled).count();
  bucket.tokens = std::min(key.burst, bucket.tokens + elapsed_s * key.requests_per_second);
  bucket.filled = now;
  // A burst below one would never let a request pass.
  const double needed = std::min(1.0, key.burst);
  if (bucket.tokens >= needed) {
    bucket.tokens -= needed;
    return Duration::zero();
  }
  constexpr double kLongestWaitS = 24 * 3600;
  const double wait_s = std::min(kLongestWaitS, (needed - bucket.tokens) / key.requests_per_second);
  return std::max(Duration(1), std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wait_s)));
}

}  // namespace firn::server
