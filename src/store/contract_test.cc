// The contract over every backend and wrapper that needs nothing but this machine (S3: s3/s3_contract_test.cc).

#include "store/contract_testing.h"
#include "store/counting.h"
#include "store/memory/memory_store.h"

namespace firn::store {
namespace {

std::unique_ptr<ObjectStore> Memory() { return OpenMemory("", SystemClock()); }

INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(StoreFactory{"memory", Memory}), FactoryName);

}  // namespace
}  // namespace firn::store
