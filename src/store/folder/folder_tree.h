#pragma once
// The folders under a store's root: made when a write needs them, removed when a delete empties them.

#include <mutex>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.h"

namespace firn::store {

/// Thread-safe.
class FolderTree {
 public:
  /// `sync`: folders survive a power cut.
  FolderTree(std::string root, bool sync) : root_(std::move(root)), sync_(sync) {}

  const std::string& root() const { return root_; }
  /// `key` is checked.
  std::string PathOf(std::string_view key) const;

  /// Makes the folder ("a/b", "" is the root) and those above it. A folder that a racing delete removes again is not an
  /// error here: the caller's next step finds it missing, calls Forget, and asks again.
  Status Make(const std::string& folder);
  /// What Make knows of this folder and those above it does not hold any more.
  void Forget(std::string_view folder);
  /// Removes the folder, and those above it, as far as they are empty. Best effort; never the root.
  void RemoveEmpty(std::string_view folder);

 private:
  Status MakeRoot(const std::string& path);

  const std::string root_;
  const bool sync_;
  std::mutex mutex_;
  std::unordered_set<std::string> made_;  // and synced
};

/// "a/b" of "a/b/c"; "" of "c".
std::string_view FolderOf(std::string_view key);

}  // namespace firn::store
