// The store's contract against a real S3 server.
#include "store/contract_testing.h"
#include "store/s3/s3_store.h"
#include "store/s3/versitygw_testing.h"

namespace firn::store {
namespace {

using testing::VersityGateway;

std::unique_ptr<ObjectStore> OpenFresh(StoreOptions options, std::string_view prefix) {
  const auto bucket = VersityGateway::Shared()->MakeFreshBucket();
  if (!bucket) {
    [&] { FAIL() << bucket.error().ToString(); }();
    return nullptr;
  }
  auto store = OpenS3(*bucket, prefix, options, testing::TestContext());
  if (!store) {
    [&] { FAIL() << store.error().ToString(); }();
    return nullptr;
  }
  return *std::move(store);
}

std::unique_ptr<ObjectStore> PathStyle() {
  VersityGateway* gateway = VersityGateway::Shared();
  return gateway ? OpenFresh(gateway->Options(), "") : nullptr;
}

std::unique_ptr<ObjectStore> VirtualHostStyleUnderAPrefix() {
  VersityGateway* gateway = VersityGateway::Shared();
  if (!gateway) return nullptr;
  StoreOptions options = gateway->Options("localhost");
  options.virtual_host = true;
  return OpenFresh(options, "some/prefix");
}

INSTANTIATE_TEST_SUITE_P(S3, StoreContract,
                         ::testing::Values(StoreFactory{"path_style", PathStyle},
                                           StoreFactory{"virtual_host_under_a_prefix", VirtualHostStyleUnderAPrefix}),
                         FactoryName);

}  // namespace
}  // namespace firn::store
