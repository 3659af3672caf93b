#include "store/memory/memory_store.h"

#include <map>
#include <mutex>
#include <shared_mutex>

namespace firn::store {
namespace {

class MemoryStore final : public ObjectStore {
 public:
  MemoryStore(std::string name, const Clock& clock) : name_(std::move(name)), clock_(clock) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override {
    std::vector<Result<ReadResult>> answers;
    answers.reserve(requests.size());
    for (const ReadRequest& request : requests) answers.push_back(ReadOne(request, deadline));
    return answers;
  }

  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override {
    FIRN_CHECK(CheckKey(key));
    FIRN_CHECK(deadline.Check("Writing an object"));
    return Insert(key, Buffer::Copy(bytes), condition);
  }

  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override {
    FIRN_CHECK(CheckKey(key));
    FIRN_CHECK(deadline.Check("Starting an upload"));
    return std::unique_ptr<Upload>(std::make_unique<MemoryUpload>(*this, std::string(key)));
  }

  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;

  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override {
    return {ReadMany(requests, deadline), List(list, deadline)};
  }

  Status Delete(std::string_view key, const Deadline& deadline) override {
    FIRN_CHECK(CheckKey(key));
    FIRN_CHECK(deadline.Check("Deleting an object"));
    const std::unique_lock lock(mutex_);
    if (const auto found = objects_.find(key); found != objects_.end()) objects_.erase(found);
    return {};
  }

  std::string Describe() const override { return name_.empty() ? "memory" : "memory://" + name_; }

 private:
  struct Object {
    Buffer bytes;
    WallTime modified{};
    std::uint64_t version = 0;
  };
  using Objects = std::map<std::string, Object, std::less<>>;

  class MemoryUpload final : public Upload {
   public:
    MemoryUpload(MemoryStore& store, std::string key) : store_(store), key_(std::move(key)) {}

    Status Append(ByteSpan bytes, const Deadline& deadline) override {
      FIRN_CHECK(deadline.Check("An upload"));
      bytes_.append(AsChars(bytes));
      return {};
    }
    Status Finish(const Deadline& deadline) override {
      FIRN_CHECK(deadline.Check("An upload"));
      return store_.Insert(key_, Buffer::Of(std::move(bytes_)), PutCondition::kNone);
    }

   private:
    MemoryStore& store_;
    const std::string key_;
    std::string bytes_;
  };

  Result<ReadResult> ReadOne(const ReadRequest& request, const Deadline& deadline) const {
    FIRN_CHECK(CheckKey(request.key));
    FIRN_CHECK(deadline.Check("Reading an object"));
    const std::shared_lock lock(mutex_);
    const auto found = objects_.find(request.key);
    if (found == objects_.end()) return NotFound("There is no object " + request.key + " in " + Describe());
    const Object& object = found->second;
    FIRN_TRY(const ByteRange range, RangeOf(request, object.bytes.size()));
    return ReadResult{object.bytes.Slice(range.offset, range.length), object.bytes.size(),
                      std::to_string(object.version)};
  }

  Status Insert(std::string_view key, Buffer bytes, PutCondition condition) {
    const std::unique_lock lock(mutex_);
    const auto [place, is_new] = objects_.try_emplace(std::string(key));
    if (!is_new && condition == PutCondition::kIfAbsent) {
      return AlreadyExists("The object " + std::string(key) + " is already in " + Describe());
    }
    place->second = {std::move(bytes), clock_.WallNow(), ++last_version_};
    return {};
  }

  const std::string name_;
  const Clock& clock_;
  mutable std::shared_mutex mutex_;
  Objects objects_;
  std::uint64_t last_version_ = 0;
};

Result<ListPage> MemoryStore::List(const ListRequest& request, const Deadline& deadline) {
  FIRN_CHECK(CheckList(request));
  FIRN_CHECK(deadline.Check("Listing objects"));
  ListPage page;
  const std::shared_lock lock(mutex_);
  std::string last;  // entry of the page
  auto at = request.start_after < request.prefix ? objects_.lower_bound(request.prefix)
                                                 : objects_.upper_bound(request.start_after);
  while (at != objects_.end() && at->first.starts_with(request.prefix)) {
    const std::size_t slash = request.by_folder ? at->first.find('/', request.prefix.size()) : std::string::npos;
    const bool is_folder = slash != std::string::npos;
    const std::string entry = at->first.substr(0, is_folder ? slash + 1 : slash);
    if (entry > request.start_after) {
      if (page.objects.size() + page.folders.size() == request.limit) {
        page.next_start_after = last;
        break;
      }
      last = entry;
      if (is_folder) {
        page.folders.push_back(entry);
      } else {
        page.objects.push_back({entry, at->second.bytes.size(), at->second.modified});
      }
    }
    // Past a folder lies the first key that does not start with its name: '0' follows '/'.
    at = is_folder ? objects_.lower_bound(entry.substr(0, entry.size() - 1) + '0') : std::next(at);
  }
  return page;
}

}  // namespace

std::unique_ptr<ObjectStore> OpenMemory(std::string name, const Clock& clock) {
  return std::make_unique<MemoryStore>(std::move(name), clock);
}

}  // namespace firn::store
