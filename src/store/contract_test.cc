// The contract over every backend and wrapper that needs nothing but this machine (S3: s3/s3_contract_test.cc).

#include "store/contract_testing.h"
#include "store/counting.h"
#include "store/folder/folder_store.h"
#include "store/memory/memory_store.h"
#include "store/scratch_folder_testing.h"

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

INSTANTIATE_TEST_SUITE_P(Store, StoreContract,
                         testing::Values(StoreFactory{"memory", Memory}, Factory("folder", Folder),
                                         Factory("folder_without_sync", UnsyncedFolder), Factory("borrowed", Borrowed),
                                         Factory("counting", Counting)),
                         FactoryName);

}  // namespace
}  // namespace firn::store
