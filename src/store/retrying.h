#pragma once
// Tries again what failed for a reason that may pass.

#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/log.h"
#include "base/random.h"
#include "store/forwarding.h"

namespace firn::store {

struct RetryPolicy {
  std::uint32_t max_attempts = 5;  // 1 = never retry
  /// Exponential backoff with full jitter: before attempt n + 1, a random time below min(max, first * 2^(n-1)).
  Duration first_backoff = std::chrono::milliseconds(50);
  Duration max_backoff = std::chrono::seconds(5);
  /// A store that fails as a whole must not get every request five times: each retry takes one token, each success
  /// gives `refill` back, and without a token nothing is retried.
  double budget = 500;
  double refill = 0.1;
};

/// The token bucket of RetryPolicy. Thread-safe.
class RetryBudget {
 public:
  RetryBudget(double capacity, double refill) : capacity_(capacity), refill_(refill), tokens_(capacity) {}
  /// How many of `wanted` retries may be made; takes their tokens.
  std::size_t Take(std::size_t wanted);
  void Succeeded(std::size_t requests);

 private:
  const double capacity_;
  const double refill_;
  std::mutex mutex_;
  double tokens_;
};

/// Retries the retryable kinds of error, as far as the deadline, the policy and the budget allow; then the last error
/// stands. Inside a ReadMany only the requests that failed go again; after a ReadManyAndList the reads and the listing
/// each for themselves. A Put with kIfAbsent whose answer was lost meets
/// its own object on the retry: it is told from another writer's by its bytes, so racing writers must write different
/// bytes.
class RetryingStore final : public ForwardingStore {
 public:
  /// All three must outlive the store.
  RetryingStore(std::unique_ptr<ObjectStore> inner, const RetryPolicy& policy, Clock& clock, Random& random, Log& log);
  ~RetryingStore() override;

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  class Backoff;

  /// Tries the failed ones of `answers` again.
  void ReadAgain(std::span<const ReadRequest> requests, std::vector<Result<ReadResult>>& answers,
                 const Deadline& deadline);
  Status PutIfAbsent(std::string_view key, ByteSpan bytes, const Deadline& deadline);

  std::unique_ptr<Backoff> backoff_;
};

}  // namespace firn::store
