#pragma once
// A store that is further away than it is: for benchmarks and tests of cold reads.

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "store/forwarding.h"

namespace firn::store {

struct ThrottleOptions {
  Duration round_latency{};            // of each call: a whole ReadMany, or ReadManyAndList, waits once
  std::uint64_t bytes_per_second = 0;  // of each call by itself; 0 = no limit
};

/// Sleeps through the clock, on top of what the inner store takes. A call whose deadline would pass meanwhile fails
/// with DeadlineExceeded at the deadline, and does nothing.
class ThrottledStore final : public ForwardingStore {
 public:
  /// `clock` must outlive the store and the uploads it started.
  ThrottledStore(std::unique_ptr<ObjectStore> inner, const ThrottleOptions& options, Clock& clock)
      : ForwardingStore(std::move(inner)), options_(options), clock_(clock) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  const ThrottleOptions options_;
  Clock& clock_;
};

}  // namespace firn::store
