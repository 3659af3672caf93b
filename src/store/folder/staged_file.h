#pragma once
// A file that is written under a temporary name beside its place, and takes its place only when it is whole and on the
// disk.

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "store/folder/file.h"
#include "store/folder/folder_tree.h"
#include "store/object_store.h"

namespace firn::store {

/// Temporary files are ".firn-tmp-<16 hex digits>". A store never shows them; one older than the longest write is
/// garbage that a killed process left.
inline constexpr std::string_view kTemporaryPrefix = ".firn-tmp-";

/// Not thread-safe.
class StagedFile {
 public:
  /// `tree` must outlive it. Makes the folders that `key` needs.
  static Result<StagedFile> Create(FolderTree& tree, std::string_view key, Random& random);
  /// Removes the temporary file, unless it was published.
  ~StagedFile();
  StagedFile(StagedFile&& other) noexcept;
  StagedFile& operator=(StagedFile&&) = delete;

  Status Append(ByteSpan bytes) { return WriteAll(file_, bytes, temporary_path_); }

  /// Makes it the object. AlreadyExists (kIfAbsent): one is there. With `sync`, the object is durable when this
  /// returns. kill -9 at any point leaves the object absent (or as it was) or whole. Last call.
  Status Publish(PutCondition condition, bool sync);

 private:
  StagedFile(FolderTree& tree, std::string_view key, std::string temporary_path, File file);
  Status TakePlace(PutCondition condition) const;

  FolderTree* tree_;
  std::string folder_;
  std::string path_;
  std::string temporary_path_;  // "" once it is gone
  File file_;
};

}  // namespace firn::store
