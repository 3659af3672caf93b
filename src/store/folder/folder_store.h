#pragma once
// Objects as files under a folder: the key is the path.

#include <memory>
#include <string>

#include "base/random.h"
#include "store/object_store.h"

namespace firn::store {

struct FolderOptions {
  /// Writes are on the disk when they return. Deletes are not synced: after a power cut, deleted objects may be back.
  bool sync = true;
};

/// `root` need not exist: it then lists as empty, and the first write makes it. A file system cannot hold both "a" and
/// "a/b": the second write of the two is InvalidArgument. So is a part of a key that is longer than 255 bytes or starts
/// like a temporary file. Several processes may use one folder at the same time. `random` (for temporary names) must
/// outlive the store.
std::unique_ptr<ObjectStore> OpenFolder(std::string root, FolderOptions options, Random& random);

}  // namespace firn::store
