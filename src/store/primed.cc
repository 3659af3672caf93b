#include "store/primed.h"

#include <algorithm>
#include <utility>

#include "store/dropping_upload.h"

namespace firn::store {
namespace {

constexpr std::size_t kMaxBundles = 16;  // each is looked into
constexpr std::size_t kMostListedObjects = 16'384;

}  // namespace

void PrimedStore::Object::Insert(std::uint64_t offset, Buffer bytes) {
  const std::uint64_t end = offset + bytes.size();
  auto next = parts.upper_bound(offset);
  if (next != parts.begin()) {
    const auto before = std::prev(next);
    if (before->first + before->second.size() >= end) return;  // covered already
    if (before->first == offset) next = before;
  }
  while (next != parts.end() && next->first + next->second.size() <= end) next = parts.erase(next);
  parts.emplace(offset, std::move(bytes));
}

std::optional<ReadResult> PrimedStore::Object::Find(const ReadRequest& request) const {
  const Result<ByteRange> range = RangeOf(request, size_bytes);
  if (!range || parts.empty()) return std::nullopt;
  const auto after = parts.upper_bound(range->offset);
  if (after != parts.begin()) {
    const auto& [offset, bytes] = *std::prev(after);
    if (InBounds(range->offset - offset, range->length, bytes.size()))
      return ReadResult{bytes.Slice(range->offset - offset, range->length), size_bytes, ""};
  }
  const auto& [offset, end] = *parts.rbegin();
  const bool enough = request.enough_bytes != 0 && request.part != ReadRequest::Part::kRange &&
                      offset + end.size() == size_bytes && end.size() >= std::min(request.enough_bytes, size_bytes);
  if (!enough) return std::nullopt;
  return ReadResult{end, size_bytes, ""};
}

void PrimedStore::Add(std::vector<BundleEntry> entries) {
  Bundle bundle;
  for (const BundleEntry& entry : entries) bundle.size_bytes += entry.bytes.size() + entry.key.size();
  if (entries.empty() || bundle.size_bytes > capacity_bytes_) return;
  for (BundleEntry& entry : entries) {
    Object& object = bundle.objects[entry.key];
    if (object.Version() != ListedVersion{entry.object_size_bytes, entry.modified}) {
      object = {entry.object_size_bytes, entry.modified, {}};
    }
    object.Insert(entry.offset, std::move(entry.bytes));
  }

  const std::lock_guard lock(mutex_);
  std::erase_if(bundle.objects, [&](const auto& object) {
    const auto listed = listed_.find(object.first);
    return listed != listed_.end() && listed->second != object.second.Version();
  });
  for (Bundle& older : bundles_) {
    std::erase_if(older.objects, [&](const auto& known) {
      const auto now = bundle.objects.find(known.first);
      return now != bundle.objects.end() && now->second.Version() != known.second.Version();
    });
  }
  size_bytes_ += bundle.size_bytes;
  bundles_.push_front(std::move(bundle));
  while (size_bytes_ > capacity_bytes_ || bundles_.size() > kMaxBundles) {
    size_bytes_ -= bundles_.back().size_bytes;
    bundles_.pop_back();
  }
}

void PrimedStore::Forget(std::string_view prefix) {
  const std::lock_guard lock(mutex_);
  for (Bundle& bundle : bundles_) {
    std::erase_if(bundle.objects, [&](const auto& object) { return object.first.starts_with(prefix); });
  }
  std::erase_if(bundles_, [&](const Bundle& bundle) {
    if (bundle.objects.empty()) size_bytes_ -= bundle.size_bytes;
    return bundle.objects.empty();
  });
}

void PrimedStore::Remember(const Result<ListPage>& page) {
  if (!page) return;
  const std::lock_guard lock(mutex_);
  if (listed_.size() + page->objects.size() > kMostListedObjects) listed_.clear();
  for (const ObjectInfo& object : page->objects) {
    const ListedVersion version{object.size_bytes, object.modified};
    for (Bundle& bundle : bundles_) {
      const auto known = bundle.objects.find(object.key);
      if (known != bundle.objects.end() && known->second.Version() != version) bundle.objects.erase(known);
    }
    listed_.insert_or_assign(object.key, version);
  }
}

void PrimedStore::Drop(std::string_view key) {
  const std::string name(key);
  const std::lock_guard lock(mutex_);
  for (Bundle& bundle : bundles_) bundle.objects.erase(name);
  listed_.erase(name);
}

std::uint64_t PrimedStore::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return size_bytes_;
}

std::optional<ReadResult> PrimedStore::Find(const ReadRequest& request) const {
  if (request.uncached) return std::nullopt;
  for (const Bundle& bundle : bundles_) {
    const auto object = bundle.objects.find(request.key);
    if (object == bundle.objects.end()) continue;
    if (std::optional<ReadResult> found = object->second.Find(request)) return found;
  }
  return std::nullopt;
}

PrimedStore::Sorted PrimedStore::Sort(std::span<const ReadRequest> requests, const Deadline& deadline) const {
  Sorted sorted;
  sorted.answers.resize(requests.size());
  if (const Status in_time = deadline.Check("Reading objects"); !in_time) {
    sorted.answers.assign(requests.size(), in_time.error());
    return sorted;
  }
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < requests.size(); i++) {
    if (std::optional<ReadResult> found = Find(requests[i])) {
      sorted.answers[i] = *std::move(found);
    } else {
      sorted.left.push_back(requests[i]);
      sorted.places.push_back(i);
    }
  }
  return sorted;
}

void PrimedStore::Sorted::Fill(std::vector<Result<ReadResult>> from_inner) {
  for (std::size_t i = 0; i < places.size(); i++) answers[places[i]] = std::move(from_inner[i]);
}

std::vector<Result<ReadResult>> PrimedStore::ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) {
  Sorted sorted = Sort(requests, deadline);
  if (!sorted.left.empty()) sorted.Fill(inner().ReadMany(sorted.left, deadline));
  return std::move(sorted.answers);
}

ReadAndListResult PrimedStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                               const Deadline& deadline) {
  Sorted sorted = Sort(requests, deadline);
  ReadAndListResult both = inner().ReadManyAndList(sorted.left, list, deadline);
  sorted.Fill(std::move(both.reads));
  Remember(both.list);
  return {std::move(sorted.answers), std::move(both.list)};
}

Result<ListPage> PrimedStore::List(const ListRequest& request, const Deadline& deadline) {
  Result<ListPage> page = inner().List(request, deadline);
  Remember(page);
  return page;
}

Status PrimedStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  Status status = inner().Put(key, bytes, condition, deadline);
  Drop(key);  // after a failure too: it may have happened
  return status;
}

Result<std::unique_ptr<Upload>> PrimedStore::StartUpload(std::string_view key, const Deadline& deadline) {
  FIRN_TRY(std::unique_ptr<Upload> upload, inner().StartUpload(key, deadline));
  auto drop = [this, key = std::string(key)] { Drop(key); };
  return std::unique_ptr<Upload>(std::make_unique<DroppingUpload>(std::move(upload), std::move(drop)));
}

Status PrimedStore::Delete(std::string_view key, const Deadline& deadline) {
  Status status = inner().Delete(key, deadline);
  Drop(key);
  return status;
}

}  // namespace firn::store
