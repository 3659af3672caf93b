#include "store/folder/folder_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <numeric>

#include "store/folder/file.h"
#include "store/folder/folder_listing.h"
#include "store/folder/folder_tree.h"
#include "store/folder/staged_file.h"

namespace firn::store {
namespace {

constexpr std::size_t kBytesPerDeadlineCheck = 16U << 20;

Status CheckFolderKey(std::string_view key) {
  FIRN_CHECK(CheckKey(key));
  const std::string_view name = key.substr(key.rfind('/') + 1);
  if (!name.starts_with(kTemporaryPrefix)) return {};
  return InvalidArgument("The object key " + std::string(key) + " is a temporary file's");
}

Status AppendAll(StagedFile& file, ByteSpan bytes, const Deadline& deadline) {
  while (!bytes.empty()) {
    FIRN_CHECK(deadline.Check("Writing an object"));
    const ByteSpan piece = bytes.first(std::min(bytes.size(), kBytesPerDeadlineCheck));
    FIRN_CHECK(file.Append(piece));
    bytes = bytes.subspan(piece.size());
  }
  return {};
}

/// After a failure of the file system every further call fails too: who knows what was written.
class FolderUpload final : public Upload {
 public:
  FolderUpload(StagedFile file, bool sync) : file_(std::move(file)), sync_(sync) {}

  Status Append(ByteSpan bytes, const Deadline& deadline) override {
    FIRN_CHECK(deadline.Check("An upload"));
    if (outcome_) outcome_ = file_.Append(bytes);
    return outcome_;
  }
  Status Finish(const Deadline& deadline) override {
    FIRN_CHECK(deadline.Check("An upload"));
    if (outcome_) outcome_ = file_.Publish(PutCondition::kNone, sync_);
    return outcome_;
  }

 private:
  StagedFile file_;
  const bool sync_;
  Status outcome_;
};

class FolderStore final : public ObjectStore {
 public:
  FolderStore(std::string root, FolderOptions options, Random& random)
      : tree_(std::move(root), options.sync), options_(options), random_(random) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;

  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override {
    FIRN_CHECK(CheckFolderKey(key));
    FIRN_CHECK(deadline.Check("Writing an object"));
    // Saves the loser of a race its work; the publishing below decides.
    if (condition == PutCondition::kIfAbsent && access(tree_.PathOf(key).c_str(), F_OK) == 0) {
      return AlreadyExists("There is a file " + tree_.PathOf(key) + " already");
    }
    FIRN_TRY(StagedFile file, StagedFile::Create(tree_, key, random_));
    FIRN_CHECK(AppendAll(file, bytes, deadline));
    return file.Publish(condition, options_.sync);
  }

  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override {
    FIRN_CHECK(CheckFolderKey(key));
    FIRN_CHECK(deadline.Check("Starting an upload"));
    FIRN_TRY(StagedFile file, StagedFile::Create(tree_, key, random_));
    return std::unique_ptr<Upload>(std::make_unique<FolderUpload>(std::move(file), options_.sync));
  }

  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override {
    FIRN_CHECK(CheckList(request));
    FIRN_CHECK(deadline.Check("Listing a folder"));
    return ListFolder(tree_.root(), request, deadline);
  }

  /// One after the other: each takes less time than a thread.
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override {
    return {ReadMany(requests, deadline), List(list, deadline)};
  }

  Status Delete(std::string_view key, const Deadline& deadline) override {
    FIRN_CHECK(CheckFolderKey(key));
    FIRN_CHECK(deadline.Check("Deleting an object"));
    if (const std::string path = tree_.PathOf(key); unlink(path.c_str()) != 0) {
      // A folder is no object; nor is anything below a file.
      const bool no_object = errno == ENOENT || errno == EISDIR || errno == ENOTDIR || errno == ENAMETOOLONG;
      return no_object ? Status() : FileError(errno, "delete", path);
    }
    tree_.RemoveEmpty(FolderOf(key));
    return {};
  }

  std::string Describe() const override { return tree_.root(); }

 private:
  /// NotFound, in the store's words, when there is no such file.
  Result<OpenedFile> Open(const std::string& key) const;

  FolderTree tree_;
  const FolderOptions options_;
  Random& random_;
};

Result<OpenedFile> FolderStore::Open(const std::string& key) const {
  FIRN_CHECK(CheckFolderKey(key));
  Result<OpenedFile> opened = OpenForRead(tree_.PathOf(key));
  if (opened) return opened;
  const ErrorKind kind = opened.error().kind;
  // InvalidArgument: no path like that can exist (below a file, too long a name).
  if (kind != ErrorKind::kNotFound && kind != ErrorKind::kInvalidArgument) return opened;
  return NotFound("There is no object " + key + " in " + Describe());
}

std::vector<Result<ReadResult>> FolderStore::ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers(requests.size());
  // Requests for one file stand together, so that it is opened once.
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {},
                    [&](std::size_t i) { return std::pair<std::string_view, std::size_t>(requests[i].key, i); });

  const auto read = [&](const ReadRequest& request, const Result<OpenedFile>& opened) -> Result<ReadResult> {
    FIRN_CHECK(deadline.Check("Reading an object"));
    if (!opened) return opened.error();
    FIRN_TRY(const ByteRange range, RangeOf(request, opened->size_bytes));
    FIRN_TRY(Buffer bytes, ReadPart(*opened, range.offset, range.length, tree_.PathOf(request.key)));
    return ReadResult{std::move(bytes), opened->size_bytes, ""};
  };
  for (std::size_t i = 0; i < order.size();) {
    const std::string& key = requests[order[i]].key;
    const Result<OpenedFile> opened = Open(key);
    for (; i < order.size() && requests[order[i]].key == key; i++) {
      answers[order[i]] = read(requests[order[i]], opened);
    }
  }
  return answers;
}

}  // namespace

std::unique_ptr<ObjectStore> OpenFolder(std::string root, FolderOptions options, Random& random) {
  return std::make_unique<FolderStore>(std::move(root), options, random);
}

}  // namespace firn::store
