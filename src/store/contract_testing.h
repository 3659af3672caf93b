#pragma once
// The contract of object_store.h as a program. To run it over a store:
//
//   INSTANTIATE_TEST_SUITE_P(Memory, StoreContract, testing::Values(StoreFactory{"memory", [] { return ...; }}),
//   FactoryName);

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "store/object_store.h"

namespace firn::store {

struct StoreFactory {
  std::string name;  // letters, digits and '_' only
  /// A fresh store without objects; what it needs lives as long as the store. Null skips the test (no server here).
  std::function<std::unique_ptr<ObjectStore>()> make;
};

inline std::string FactoryName(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }
inline void PrintTo(const StoreFactory& factory, std::ostream* out) { *out << factory.name; }

class StoreContract : public testing::TestWithParam<StoreFactory> {
 protected:
  void SetUp() override;

  std::unique_ptr<ObjectStore> store_;
};

}  // namespace firn::store
