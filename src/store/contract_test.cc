// The contract over every backend and wrapper that needs nothing but this machine (S3: s3/s3_contract_test.cc).

#include "store/caching.h"
#include "store/contract_testing.h"
#include "store/counting.h"
#include "store/faulty.h"
#include "store/folder/folder_store.h"
#include "store/memory/memory_store.h"
#include "store/primed.h"
#include "store/recording.h"
#include "store/retrying.h"
#include "store/scratch_folder_testing.h"
#include "store/throttled.h"

namespace firn::store {
namespace {

/// A store and what it needs, which dies after it.
template <class Needs>
class StoreWithNeeds final : private std::unique_ptr<Needs>, public ForwardingStore {
 public:
  StoreWithNeeds(std::unique_ptr<Needs> needs, std::unique_ptr<ObjectStore> store)
      : std::unique_ptr<Needs>(std::move(needs)), ForwardingStore(std::move(store)) {}
};

/// `make` builds the store from a Needs of its own.
template <class Needs>
StoreFactory Factory(std::string name, std::unique_ptr<ObjectStore> (*make)(Needs&)) {
  return {std::move(name), [make]() -> std::unique_ptr<ObjectStore> {
            auto needs = std::make_unique<Needs>();
            std::unique_ptr<ObjectStore> store = make(*needs);
            return std::make_unique<StoreWithNeeds<Needs>>(std::move(needs), std::move(store));
          }};
}

std::unique_ptr<ObjectStore> Memory() { return OpenMemory("", SystemClock()); }

struct FolderNeeds {
  ScratchFolder scratch;
  Random random{1};
};
std::unique_ptr<ObjectStore> Folder(FolderNeeds& needs) { return OpenFolder(needs.scratch / "root", {}, needs.random); }
std::unique_ptr<ObjectStore> UnsyncedFolder(FolderNeeds& needs) {
  return OpenFolder(needs.scratch / "root", {.sync = false}, needs.random);
}

struct BorrowNeeds {
  std::unique_ptr<ObjectStore> store = Memory();
};
std::unique_ptr<ObjectStore> Borrowed(BorrowNeeds& needs) { return Borrow(*needs.store); }

std::unique_ptr<ObjectStore> Counting(StoreCounter& counter) {
  return std::make_unique<CountingStore>(Memory(), counter);
}

struct World {
  ManualClock clock;  // SleepFor returns at once
  Random random{1};
  Log log{LogLevel::kOff, clock};
  ScratchFolder scratch;
};

std::unique_ptr<ObjectStore> Throttled(World& world) {
  const ThrottleOptions options{.round_latency = std::chrono::milliseconds(30), .bytes_per_second = 100'000'000};
  return std::make_unique<ThrottledStore>(Memory(), options, world.clock);
}

std::unique_ptr<ObjectStore> HealthyFaulty(World& world) {
  return std::make_unique<FaultyStore>(Memory(), RandomFaults(1, {}), world.clock);
}

/// A sixth of all requests fail, half of those after they were done. The parts of an upload are the backend's to retry.
std::unique_ptr<ObjectStore> RetryingOverFaulty(World& world) {
  FaultPlan plan = [random = RandomFaults(7, {.fail_before = 0.08, .lose_answer = 0.08})](const OperationInfo& info) {
    const bool in_upload = info.operation == StoreOperation::kAppend || info.operation == StoreOperation::kFinish;
    return in_upload ? FaultDecision{} : random(info);
  };
  auto faulty = std::make_unique<FaultyStore>(Memory(), std::move(plan), world.clock);
  const RetryPolicy policy{.max_attempts = 30, .budget = 1e6};
  return std::make_unique<RetryingStore>(std::move(faulty), policy, world.clock, world.random, world.log);
}

std::unique_ptr<ObjectStore> CachingInMemory(World& world) {
  return std::make_unique<CachingStore>(Memory(), CacheOptions{}, world.random, world.log);
}

std::unique_ptr<ObjectStore> CachingOnDisk(World& world) {
  const CacheOptions options{0, world.scratch / "cache", 30 << 20, "contract"};
  return std::make_unique<CachingStore>(Memory(), options, world.random, world.log);
}

std::unique_ptr<ObjectStore> Primed(World&) { return std::make_unique<PrimedStore>(Memory(), 1 << 20); }

std::unique_ptr<ObjectStore> Recording(World&) { return std::make_unique<RecordingStore>(Memory(), RecordingLimits{}); }

/// Whatever was read once is served from a bundle from then on.
class SelfPriming final : public ForwardingStore {
 public:
  SelfPriming(std::unique_ptr<RecordingStore> recording, PrimedStore& primed)
      : ForwardingStore(std::move(recording)), recording_(static_cast<RecordingStore&>(inner())), primed_(primed) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    std::vector<Result<ReadResult>> answers = ForwardingStore::ReadMany(requests, deadline);
    primed_.Add(recording_.TakeEntries());
    return answers;
  }

 private:
  RecordingStore& recording_;
  PrimedStore& primed_;  // below it
};

std::unique_ptr<ObjectStore> PrimedByRecording(World&) {
  auto owner = std::make_unique<PrimedStore>(Memory(), 64 << 20);
  PrimedStore& primed = *owner;
  auto recording = std::make_unique<RecordingStore>(std::move(owner), RecordingLimits{});
  return std::make_unique<SelfPriming>(std::move(recording), primed);
}

INSTANTIATE_TEST_SUITE_P(
    Store, StoreContract,
    testing::Values(StoreFactory{"memory", Memory}, Factory("folder", Folder),
                    Factory("folder_without_sync", UnsyncedFolder), Factory("borrowed", Borrowed),
                    Factory("counting", Counting), Factory("throttled", Throttled), Factory("faulty", HealthyFaulty),
                    Factory("retrying_over_faulty", RetryingOverFaulty), Factory("caching_in_memory", CachingInMemory),
                    Factory("caching_on_disk", CachingOnDisk), Factory("primed", Primed),
                    Factory("recording", Recording), Factory("primed_by_recording", PrimedByRecording)),
    FactoryName);

}  // namespace
}  // namespace firn::store
