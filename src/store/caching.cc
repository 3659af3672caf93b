#include "store/caching.h"

#include <algorithm>
#include <condition_variable>
#include <vector>

#include "store/dropping_upload.h"

namespace firn::store {
namespace {

constexpr std::size_t kMostListedObjects = 16'384;
/// How soon a waiting reader notices that its caller went away.
constexpr auto kWaitSlice = std::chrono::milliseconds(20);

bool SameRead(const ReadRequest& a, const ReadRequest& b) {
  return a.part == b.part && a.offset == b.offset && a.length == b.length && a.uncached == b.uncached && a.key == b.key;
}

}  // namespace

/// One read of the inner store, and all who wait for it.
struct CachingStore::Flight {
  Flight(const ReadRequest& read, std::optional<ListedVersion> version) : request(read), listed(version) {}

  const ReadRequest request;
  const std::optional<ListedVersion> listed;  // when it started
  bool outdated = false;                      // the object was written meanwhile; under the store's mutex

  /// DeadlineExceeded when the waiter's own time runs out first.
  Result<ReadResult> Wait(const Deadline& deadline) {
    std::unique_lock lock(mutex);
    while (!answer) {
      FIRN_CHECK(deadline.Check("Reading an object"));
      landed.wait_for(lock, kWaitSlice);
    }
    return *answer;
  }

  std::mutex mutex;
  std::condition_variable landed;
  std::optional<Result<ReadResult>> answer;
};

CachingStore::CachingStore(std::unique_ptr<ObjectStore> inner, const CacheOptions& options, Random& random, Log& log)
    : ForwardingStore(std::move(inner)), memory_(options.memory_bytes) {
  if (!options.disk_folder.empty())
    disk_.emplace(options.disk_folder, options.disk_bytes, options.identity, random, log);
}

std::vector<Result<ReadResult>> CachingStore::ReadMany(std::span<const ReadRequest> requests,
                                                       const Deadline& deadline) {
  const auto read_far = [&](std::span<const ReadRequest> far) {
    return far.empty() ? std::vector<Result<ReadResult>>() : inner().ReadMany(far, deadline);
  };
  return Serve(requests, read_far, deadline);
}

ReadAndListResult CachingStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                                const Deadline& deadline) {
  std::optional<Result<ListPage>> page;
  const auto read_far = [&](std::span<const ReadRequest> far) -> std::vector<Result<ReadResult>> {
    // What is read once more, because the caller that read it gave up, is a round without the listing.
    if (page) return far.empty() ? std::vector<Result<ReadResult>>() : inner().ReadMany(far, deadline);
    ReadAndListResult both = inner().ReadManyAndList(far, list, deadline);
    page = std::move(both.list);
    return std::move(both.reads);
  };
  std::vector<Result<ReadResult>> reads = Serve(requests, read_far, deadline);
  if (!page) page = inner().List(list, deadline);
  if (*page) Remember(**page);
  return {std::move(reads), *std::move(page)};
}

std::vector<Result<ReadResult>> CachingStore::Serve(std::span<const ReadRequest> requests, const ReadFar& read_far,
                                                    const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers(requests.size());
  if (const Status in_time = deadline.Check("Reading objects"); !in_time) {
    answers.assign(requests.size(), in_time.error());
    return answers;
  }
  std::vector<std::size_t> open(requests.size());
  for (std::size_t i = 0; i < open.size(); i++) open[i] = i;
  while (!open.empty()) {
    std::vector<std::pair<std::size_t, std::shared_ptr<Flight>>> waiting;
    std::vector<std::shared_ptr<Flight>> own;
    for (const std::size_t i : open) {
      if (std::optional<ReadResult> hit = FindInMemory(requests[i])) {
        answers[i] = *std::move(hit);
        continue;
      }
      auto [flight, is_own] = Join(requests[i]);
      if (is_own) own.push_back(flight);
      waiting.emplace_back(i, std::move(flight));
    }
    // First fly, then wait: two batches that wait for each other's flights both get on.
    Fly(own, read_far);
    open.clear();
    for (const auto& [i, flight] : waiting) {
      answers[i] = flight->Wait(deadline);
      // It was another caller's time that ran out, not ours.
      const bool theirs = !answers[i] && answers[i].error().kind == ErrorKind::kDeadlineExceeded && !deadline.Expired();
      if (theirs && std::ranges::find(own, flight) == own.end()) open.push_back(i);
    }
  }
  return answers;
}

std::optional<ReadResult> CachingStore::FindInMemory(const ReadRequest& request) {
  if (request.uncached) return std::nullopt;
  std::optional<ListedVersion> listed;
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = listed_.find(request.key); found != listed_.end()) listed = found->second;
  }
  return memory_.Find(request, listed);
}

std::pair<std::shared_ptr<CachingStore::Flight>, bool> CachingStore::Join(const ReadRequest& request) {
  const std::lock_guard lock(mutex_);
  const auto [first, last] = flights_.equal_range(request.key);
  for (auto at = first; at != last; ++at) {
    if (SameRead(at->second->request, request)) return {at->second, false};
  }
  std::optional<ListedVersion> listed;
  if (const auto found = listed_.find(request.key); found != listed_.end()) listed = found->second;
  auto flight = std::make_shared<Flight>(request, listed);
  flights_.emplace(request.key, flight);
  return {std::move(flight), true};
}

void CachingStore::Fly(std::span<const std::shared_ptr<Flight>> flights, const ReadFar& read_far) {
  std::vector<Flight*> far;
  std::vector<ReadRequest> requests;
  for (const std::shared_ptr<Flight>& flight : flights) {
    const bool may_be_on_disk = disk_ && !flight->request.uncached;
    if (std::optional<ReadResult> hit = may_be_on_disk ? disk_->Find(flight->request, flight->listed) : std::nullopt) {
      Land(*flight, *hit, true);
    } else {
      far.push_back(flight.get());
      requests.push_back(flight->request);
    }
  }
  std::vector<Result<ReadResult>> answers = read_far(requests);
  for (std::size_t i = 0; i < far.size(); i++) Land(*far[i], answers[i], false);
}

void CachingStore::Land(Flight& flight, const Result<ReadResult>& answer, bool from_disk) {
  const std::string& key = flight.request.key;
  bool keep = false;
  if (answer && !flight.request.uncached) {
    // A store that does not keep its contract: its answer is for the caller to judge, not to be kept.
    const Result<ByteRange> range = RangeOf(flight.request, answer->object_size_bytes);
    keep = range && range->length == answer->bytes.size();
    const std::lock_guard lock(mutex_);
    if (keep && !flight.outdated) memory_.Insert(key, range->offset, *answer, flight.listed);
  }
  {
    const std::lock_guard lock(flight.mutex);
    flight.answer = answer;
  }
  flight.landed.notify_all();

  // The flight stays known until the disk has it, so that a write in between is seen here.
  if (keep && disk_ && !from_disk) disk_->Insert(flight.request, *answer, flight.listed);
  std::unique_lock lock(mutex_);
  if (!flight.outdated) {
    const auto [first, last] = flights_.equal_range(key);
    flights_.erase(std::find_if(first, last, [&](const auto& entry) { return entry.second.get() == &flight; }));
  } else if (disk_) {
    lock.unlock();
    disk_->Drop(key);
  }
}

void CachingStore::Drop(std::string_view key) {
  {
    const std::lock_guard lock(mutex_);
    const auto [first, last] = flights_.equal_range(key);
    for (auto at = first; at != last; ++at) at->second->outdated = true;
    flights_.erase(first, last);
    listed_.erase(std::string(key));
    memory_.Drop(key);
  }
  if (disk_) disk_->Drop(key);
}

void CachingStore::Remember(const ListPage& page) {
  const std::lock_guard lock(mutex_);
  if (listed_.size() + page.objects.size() > kMostListedObjects) listed_.clear();
  for (const ObjectInfo& object : page.objects)
    listed_.insert_or_assign(object.key, ListedVersion{object.size_bytes, object.modified});
}

Status CachingStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  Status status = inner().Put(key, bytes, condition, deadline);
  Drop(key);  // after a failure too: it may have happened
  return status;
}

Result<std::unique_ptr<Upload>> CachingStore::StartUpload(std::string_view key, const Deadline& deadline) {
  FIRN_TRY(std::unique_ptr<Upload> upload, inner().StartUpload(key, deadline));
  auto drop = [this, key = std::string(key)] { Drop(key); };
  return std::unique_ptr<Upload>(std::make_unique<DroppingUpload>(std::move(upload), std::move(drop)));
}

Result<ListPage> CachingStore::List(const ListRequest& request, const Deadline& deadline) {
  Result<ListPage> page = inner().List(request, deadline);
  if (page) Remember(*page);
  return page;
}

Status CachingStore::Delete(std::string_view key, const Deadline& deadline) {
  Status status = inner().Delete(key, deadline);
  Drop(key);
  return status;
}

}  // namespace firn::store
