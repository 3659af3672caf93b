#pragma once
// Token buckets, one for each API key that has a rate.

#include <map>
#include <mutex>
#include <string>

#include "base/clock.h"
#include "server/auth.h"

namespace firn::server {

/// Thread-safe.
class RateLimits {
 public:
  explicit RateLimits(const Clock& clock) : clock_(clock) {}

  /// Takes one request of `key`'s rate. Zero: go on. Else: over the rate, one more fits after so long.
  Duration Take(const Key& key);

 private:
  struct Bucket {
    double tokens;
    SteadyTime filled;
  };
  const Clock& clock_;
  std::mutex mutex_;
  std::map<std::string, Bucket, std::less<>> buckets_;  // by key id: as many as there are keys
};

}  // namespace firn::server
