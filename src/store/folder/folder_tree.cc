#include "store/folder/folder_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "store/folder/file.h"

namespace firn::store {
namespace {

constexpr std::size_t kMostRemembered = 10'000;
constexpr mode_t kFolderMode = 0777;  // less the umask

}  // namespace

std::string_view FolderOf(std::string_view key) {
  const std::size_t slash = key.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : key.substr(0, slash);
}

std::string FolderTree::PathOf(std::string_view key) const {
  std::string path = root_;
  if (!path.ends_with('/')) path += '/';
  return path.append(key);
}

Status FolderTree::Make(const std::string& folder) {
  {
    const std::lock_guard lock(mutex_);
    if (made_.contains(folder)) return {};
  }
  if (folder.empty()) {
    FIRN_CHECK(MakeRoot(root_));
  } else {
    const std::string above(FolderOf(folder));
    FIRN_CHECK(Make(above));
    const std::string path = PathOf(folder);
    // ENOENT: a racing delete removed `above`; the caller sees it.
    if (mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST && errno != ENOENT) {
      return FileError(errno, "make the folder", path);
    }
    // Also when it was there already: whoever made it may not have come to this point yet.
    if (sync_) {
      const Status synced = SyncFolder(above.empty() ? root_ : PathOf(above));
      if (!synced && synced.error().kind != ErrorKind::kNotFound) return synced;
    }
  }
  const std::lock_guard lock(mutex_);
  if (made_.size() >= kMostRemembered) made_.clear();
  made_.insert(folder);
  return {};
}

Status FolderTree::MakeRoot(const std::string& path) {
  if (mkdir(path.c_str(), kFolderMode) == 0) {
    if (!sync_) return {};
    const std::string_view above = FolderOf(path);
    return SyncFolder(above.empty() ? (path.starts_with('/') ? "/" : ".") : std::string(above));
  }
  if (errno == EEXIST) return {};
  const std::string above(FolderOf(path));
  if (errno != ENOENT || above.empty()) return FileError(errno, "make the folder", path);
  FIRN_CHECK(MakeRoot(above));
  return MakeRoot(path);
}

void FolderTree::Forget(std::string_view folder) {
  const std::lock_guard lock(mutex_);
  for (; !folder.empty(); folder = FolderOf(folder)) made_.erase(std::string(folder));
  made_.erase("");
}

void FolderTree::RemoveEmpty(std::string_view folder) {
  for (; !folder.empty(); folder = FolderOf(folder)) {
    if (rmdir(PathOf(folder).c_str()) != 0) return;
    Forget(folder);
  }
}

}  // namespace firn::store
