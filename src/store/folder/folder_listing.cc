#include "store/folder/folder_listing.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <vector>

#include "store/folder/file.h"
#include "store/folder/staged_file.h"

namespace firn::store {
namespace {

constexpr std::size_t kNamesPerDeadlineCheck = 4096;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using OpenFolderHandle = std::unique_ptr<DIR, CloseFolder>;

struct FolderIdentity {
  dev_t device;
  ino_t inode;
  bool operator==(const FolderIdentity&) const = default;
};

enum class EntryKind : std::uint8_t { kFile, kFolder, kOther };

EntryKind KindOf(DIR* folder, const dirent& entry) {
  if (entry.d_type == DT_REG) return EntryKind::kFile;
  if (entry.d_type == DT_DIR) return EntryKind::kFolder;
  if (entry.d_type != DT_LNK && entry.d_type != DT_UNKNOWN) return EntryKind::kOther;
  struct stat facts{};
  if (fstatat(dirfd(folder), entry.d_name, &facts, 0) != 0) return EntryKind::kOther;
  return S_ISREG(facts.st_mode) ? EntryKind::kFile : S_ISDIR(facts.st_mode) ? EntryKind::kFolder : EntryKind::kOther;
}

/// What is left of `bound`, a key or the start of one, for the names in `folder` ("" or "a/b/"). A bound that does not
/// lead into the folder has been dealt with on the way there, and bounds nothing.
std::string_view Below(std::string_view folder, std::string_view bound) {
  return bound.starts_with(folder) ? bound.substr(folder.size()) : std::string_view();
}

/// Does everything of that name, be it a file or a folder, come before `bound`?
bool ComesBefore(std::string_view name, std::string_view bound) { return name < bound && !bound.starts_with(name); }

class Walk {
 public:
  Walk(const std::string& root, const ListRequest& request, const Deadline& deadline)
      : root_(root.ends_with('/') ? root : root + '/'), request_(request), deadline_(deadline) {}

  Result<ListPage> Run() {
    // The prefix's whole folders lead straight to where its keys are.
    const std::string start = request_.prefix.substr(0, request_.prefix.rfind('/') + 1);
    const bool all_before = request_.start_after > start && !request_.start_after.starts_with(start);
    const bool can_be = start.empty() || CheckKey(start.substr(0, start.size() - 1));
    if (can_be && !all_before) FIRN_CHECK(Visit(start));
    return std::move(page_);
  }

 private:
  /// Adds what lies in `folder` ("" or "a/b/") to the page, in order, until the page is full.
  Status Visit(const std::string& folder);
  /// The first names after `after`, a folder's with a '/' behind it, sorted by bytes; the same order as that of the
  /// keys behind them.
  Result<std::vector<std::string>> NextNames(DIR* handle, const std::string& folder, const std::string& after,
                                             std::size_t most) const;
  Status AddFile(DIR* handle, const std::string& folder, const std::string& name);
  /// Null without error when it is gone, or a circle.
  Result<OpenFolderHandle> Open(const std::string& folder);
  Result<bool> HoldsObject(const std::string& folder);

  std::size_t Found() const { return page_.objects.size() + page_.folders.size(); }
  /// Makes room for one more entry, or ends the page.
  bool Room(const std::string& entry) {
    if (Found() == request_.limit) {
      page_.next_start_after = last_;
      full_ = true;
      return false;
    }
    last_ = entry;
    return true;
  }

  const std::string root_;
  const ListRequest& request_;
  const Deadline& deadline_;
  ListPage page_;
  std::string last_;
  bool full_ = false;
  std::vector<FolderIdentity> above_;  // the folders that the walk is in
};

Status Walk::Visit(const std::string& folder) {
  FIRN_TRY(const OpenFolderHandle handle, Open(folder));
  if (!handle) return {};
  const std::size_t most = request_.limit - Found() + 1;
  std::string after;
  for (;;) {
    FIRN_TRY(const std::vector<std::string> names, NextNames(handle.get(), folder, after, most));
    for (const std::string& name : names) {
      if (!name.ends_with('/')) {
        FIRN_CHECK(AddFile(handle.get(), folder, name));
      } else if (!request_.by_folder) {
        FIRN_CHECK(Visit(folder + name));
      } else {
        FIRN_TRY(const bool holds_object, HoldsObject(folder + name));
        if (holds_object && Room(folder + name)) page_.folders.push_back(folder + name);
      }
      if (full_) return {};
    }
    if (names.size() < most) break;
    after = names.back();
  }
  above_.pop_back();
  return {};
}

Result<std::vector<std::string>> Walk::NextNames(DIR* handle, const std::string& folder, const std::string& after,
                                                 std::size_t most) const {
  const std::string_view prefix = Below(folder, request_.prefix);
  const std::string_view start_after = Below(folder, request_.start_after);
  std::vector<std::string> names;
  std::string last_wanted;  // once `most` are found: nothing after this one is among the first
  rewinddir(handle);
  std::size_t seen = 0;
  errno = 0;
  for (const dirent* entry; (entry = readdir(handle)) != nullptr; errno = 0) {
    if (++seen % kNamesPerDeadlineCheck == 0) FIRN_CHECK(deadline_.Check("Listing a folder"));
    const std::string_view name = entry->d_name;
    // Cheap tests first: in a big folder they end it for nearly every name.
    if (ComesBefore(name, after) || ComesBefore(name, start_after) || (!last_wanted.empty() && name > last_wanted))
      continue;
    if (name.starts_with(kTemporaryPrefix) || name == "." || name == "..") continue;
    const EntryKind kind = KindOf(handle, *entry);
    if (kind == EntryKind::kOther) continue;
    std::string shown(name);
    if (kind == EntryKind::kFolder) shown += '/';
    const bool leads_into = kind == EntryKind::kFolder && !request_.by_folder && start_after.starts_with(shown);
    if (shown <= after || (shown <= start_after && !leads_into) || !shown.starts_with(prefix) ||
        !CheckKey(folder + std::string(name)))
      continue;
    names.push_back(std::move(shown));
    if (names.size() >= 2 * most) {
      std::ranges::nth_element(names, names.begin() + static_cast<std::ptrdiff_t>(most - 1));
      names.resize(most);
      last_wanted = names.back();
    }
  }
  if (errno != 0) return FileError(errno, "list the folder", root_ + folder);
  std::ranges::sort(names);
  if (names.size() > most) names.resize(most);
  return names;
}

Status Walk::AddFile(DIR* handle, const std::string& folder, const std::string& name) {
  struct stat facts{};
  if (fstatat(dirfd(handle), name.c_str(), &facts, 0) != 0) {
    if (errno == ENOENT || errno == ELOOP) return {};  // deleted since
    return FileError(errno, "list", root_ + folder + name);
  }
  if (!S_ISREG(facts.st_mode) || !Room(folder + name)) return {};
  const Duration modified =
      std::chrono::seconds(facts.st_mtim.tv_sec) + std::chrono::nanoseconds(facts.st_mtim.tv_nsec);
  page_.objects.push_back({folder + name, static_cast<std::uint64_t>(facts.st_size), WallTime(modified)});
  return {};
}

Result<OpenFolderHandle> Walk::Open(const std::string& folder) {
  FIRN_CHECK(deadline_.Check("Listing a folder"));
  const std::string path = root_ + folder;
  OpenFolderHandle handle(opendir(path.c_str()));
  if (!handle) {
    if (errno == ENOENT || (errno == ENOTDIR && !folder.empty())) return handle;
    return FileError(errno, "list the folder", path);
  }
  struct stat facts{};
  if (fstat(dirfd(handle.get()), &facts) != 0) return FileError(errno, "list the folder", path);
  const FolderIdentity identity{facts.st_dev, facts.st_ino};
  if (std::ranges::find(above_, identity) != above_.end()) return OpenFolderHandle();
  above_.push_back(identity);
  return handle;
}

Result<bool> Walk::HoldsObject(const std::string& folder) {
  FIRN_TRY(const OpenFolderHandle handle, Open(folder));
  if (!handle) return false;
  std::vector<std::string> folders;
  bool found = false;
  for (const dirent* entry; !found && (entry = readdir(handle.get())) != nullptr;) {
    const std::string_view name = entry->d_name;
    if (name == "." || name == ".." || name.starts_with(kTemporaryPrefix) || !CheckKey(folder + std::string(name)))
      continue;
    const EntryKind kind = KindOf(handle.get(), *entry);
    found = kind == EntryKind::kFile;
    if (kind == EntryKind::kFolder) folders.push_back(folder + std::string(name) + '/');
  }
  for (std::size_t i = 0; !found && i < folders.size(); i++) {
    FIRN_TRY(found, HoldsObject(folders[i]));
  }
  above_.pop_back();
  return found;
}

}  // namespace

Result<ListPage> ListFolder(const std::string& root, const ListRequest& request, const Deadline& deadline) {
  return Walk(root, request, deadline).Run();
}

}  // namespace firn::store
