#pragma once
// A store that fails when a test says so.

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "store/forwarding.h"

namespace firn::store {

enum class Fault : std::uint8_t {
  kNone,
  kFailBefore,       // nothing happens, and the call fails
  kLoseAnswer,       // it happens, and the call fails all the same
  kCorrupt,          // reads: one bit of the answer is flipped
  kTruncate,         // reads: the answer ends half-way
  kIgnoreCondition,  // puts: kIfAbsent is taken for kNone, as by a server that does not know the header
};

struct FaultDecision {
  Fault fault = Fault::kNone;
  ErrorKind kind = ErrorKind::kUnavailable;  // of kFailBefore and kLoseAnswer
  Duration delay{};  // before anything else, through the clock; a round waits for the slowest of its requests
};

enum class StoreOperation : std::uint8_t { kRead, kPut, kStartUpload, kAppend, kFinish, kList, kDelete };

/// One request: each of a ReadMany is asked about by itself.
struct OperationInfo {
  StoreOperation operation;
  std::string_view key;  // of kList: the prefix
  std::uint64_t number;  // 0, 1, 2, ... over all operations of the store
};

/// Called by one thread at a time.
using FaultPlan = std::function<FaultDecision(const OperationInfo&)>;

/// Each request meets each fault with its probability, decided by the seed alone.
struct FaultRates {
  double fail_before = 0;
  double lose_answer = 0;
  double corrupt = 0;   // of reads
  double truncate = 0;  // of reads
};
FaultPlan RandomFaults(std::uint64_t seed, const FaultRates& rates);

/// An expired deadline comes before every fault.
class FaultyStore final : public ForwardingStore {
 public:
  /// `clock` must outlive the store and the uploads it started.
  FaultyStore(std::unique_ptr<ObjectStore> inner, FaultPlan plan, Clock& clock);
  ~FaultyStore() override;

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  class Decider;
  class FaultyUpload;
  std::shared_ptr<Decider> decider_;
};

}  // namespace firn::store
