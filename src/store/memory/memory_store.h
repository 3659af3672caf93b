#pragma once
// Objects in this process's memory: for tests, and for tables that nobody needs to keep.

#include <memory>
#include <string>

#include "base/clock.h"
#include "store/object_store.h"

namespace firn::store {

/// A new, empty store; its objects die with it, but bytes already read stay valid. `name` is only for messages. `clock`
/// (for ObjectInfo::modified) must outlive it. Reads do not copy.
std::unique_ptr<ObjectStore> OpenMemory(std::string name, const Clock& clock);

}  // namespace firn::store
