#pragma once
// One page of a folder store's listing: a walk over files in the byte order of their keys.

#include <string>

#include "base/clock.h"
#include "store/object_store.h"

namespace firn::store {

/// As ObjectStore::List. Keeps at most a few pages' names in memory, however many files a folder holds. Skips what is
/// no object: temporary files, names that cannot be keys, folders without objects, sockets and the like. Follows
/// symbolic links, but never round a circle.
Result<ListPage> ListFolder(const std::string& root, const ListRequest& request, const Deadline& deadline);

}  // namespace firn::store
