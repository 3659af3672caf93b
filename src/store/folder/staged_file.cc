#include "store/folder/staged_file.h"

#include <fcntl.h>
#include <stdio.h>  // NOLINT: renameat2
#include <unistd.h>

#include <cerrno>

namespace firn::store {
namespace {

constexpr mode_t kFileMode = 0666;  // less the umask
constexpr int kMostTries = 100;     // each lost to a delete that removed the folder between two steps

std::string TemporaryName(Random& random) {
  std::string number;
  AppendLe(number, random.Next());
  return std::string(kTemporaryPrefix) + ToHex(AsBytes(number));
}

}  // namespace

Result<StagedFile> StagedFile::Create(FolderTree& tree, std::string_view key, Random& random) {
  const std::string folder(FolderOf(key));
  std::string path;
  for (int tries = 0; tries < kMostTries; tries++) {
    FIRN_CHECK(tree.Make(folder));
    path = tree.PathOf(folder.empty() ? TemporaryName(random) : folder + '/' + TemporaryName(random));
    File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kFileMode));
    if (file.open()) return StagedFile(tree, key, std::move(path), std::move(file));
    if (errno == ENOENT) {
      tree.Forget(folder);
    } else if (errno != EEXIST) {
      return FileError(errno, "write", tree.PathOf(key));
    }
  }
  return Unavailable("Cannot write " + path + ": its folder is removed again and again");
}

StagedFile::StagedFile(FolderTree& tree, std::string_view key, std::string temporary_path, File file)
    : tree_(&tree),
      folder_(FolderOf(key)),
      path_(tree.PathOf(key)),
      temporary_path_(std::move(temporary_path)),
      file_(std::move(file)) {}

StagedFile::StagedFile(StagedFile&& other) noexcept
    : tree_(other.tree_),
      folder_(std::move(other.folder_)),
      path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, std::string())),
      file_(std::move(other.file_)) {}

StagedFile::~StagedFile() {
  if (temporary_path_.empty()) return;
  unlink(temporary_path_.c_str());
  tree_->RemoveEmpty(folder_);
}

Status StagedFile::Publish(PutCondition condition, bool sync) {
  if (sync) FIRN_CHECK(Sync(file_, temporary_path_));
  FIRN_CHECK(file_.Close(temporary_path_));
  FIRN_CHECK(TakePlace(condition));
  temporary_path_.clear();
  return sync ? SyncFolder(folder_.empty() ? tree_->root() : tree_->PathOf(folder_)) : Status();
}

Status StagedFile::TakePlace(PutCondition condition) const {
  const char* const from = temporary_path_.c_str();
  if (condition == PutCondition::kNone) {
    if (rename(from, path_.c_str()) == 0) return {};
    return FileError(errno, "write", path_);
  }
  if (link(from, path_.c_str()) == 0) {
    unlink(from);
    return {};
  }
  // File systems without hard links.
  if ((errno == EPERM || errno == EOPNOTSUPP) &&
      renameat2(AT_FDCWD, from, AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) == 0) {
    return {};
  }
  if (errno == EEXIST) return AlreadyExists("There is a file " + path_ + " already");
  if (errno == EINVAL || errno == EOPNOTSUPP) {
    return Unsupported("The file system of " + path_ + " cannot create a file only if it is absent",
                       "Two writers could overwrite each other's commits; put the database on another file system");
  }
  return FileError(errno, "write", path_);
}

}  // namespace firn::store
