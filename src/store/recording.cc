#include "store/recording.h"

#include <algorithm>
#include <utility>

#include "store/dropping_upload.h"

namespace firn::store {
namespace {

constexpr std::size_t kMostListedObjects = 16'384;

std::uint64_t End(const std::pair<const std::uint64_t, Buffer>& part) { return part.first + part.second.size(); }

/// Parts [first, last) overlap or touch, and end at `end`.
template <class Parts>
Buffer Join(Parts first, Parts last, std::uint64_t end) {
  if (std::next(first) == last) return first->second;
  std::string joined;
  joined.reserve(end - first->first);
  for (auto part = first; part != last; ++part) {
    const std::uint64_t known = first->first + joined.size() - part->first;  // of this part's bytes
    if (known < part->second.size()) joined += part->second.chars().substr(known);
  }
  return Buffer::Of(std::move(joined));
}

}  // namespace

std::vector<BundleEntry> RecordingStore::TakeEntries() {
  const std::lock_guard lock(mutex_);
  std::vector<BundleEntry> entries;
  for (const auto& [key, object] : objects_) {
    const auto listed = modified_.find(key);
    const WallTime modified = listed == modified_.end() ? WallTime{} : listed->second;
    for (auto first = object.parts.begin(); first != object.parts.end();) {
      std::uint64_t end = End(*first);
      auto last = std::next(first);
      for (; last != object.parts.end() && last->first <= end; ++last) end = std::max(end, End(*last));
      entries.push_back({key, first->first, object.size_bytes, modified, Join(first, last, end)});
      first = last;
    }
  }
  objects_.clear();
  total_bytes_ = 0;
  return entries;
}

void RecordingStore::Collect(std::span<const ReadRequest> requests, std::span<const Result<ReadResult>> answers) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < std::min(requests.size(), answers.size()); i++) {
    if (!answers[i] || requests[i].uncached) continue;
    const std::uint64_t size = answers[i]->object_size_bytes, length = answers[i]->bytes.size();
    Result<ByteRange> range = RangeOf(requests[i], size);
    const bool shorter = range && requests[i].enough_bytes != 0 && requests[i].part != ReadRequest::Part::kRange &&
                         length < range->length && length >= std::min(requests[i].enough_bytes, size);
    if (shorter) range = ByteRange{size - length, length};
    // A store that does not keep its contract: its answer is for the caller to judge, not to be kept.
    if (!range || range->length != length) continue;
    CollectOne(requests[i].key, range->offset, *answers[i]);
  }
}

void RecordingStore::CollectOne(const std::string& key, std::uint64_t offset, const ReadResult& read) {
  const std::uint64_t length = read.bytes.size();
  if (length > limits_.read_bytes || length > limits_.total_bytes - total_bytes_) return;
  if (const auto known = objects_.find(key); known != objects_.end()) {
    if (known->second.size_bytes != read.object_size_bytes) {
      for (const auto& part : known->second.parts) total_bytes_ -= part.second.size();
      objects_.erase(known);
    } else if (std::ranges::any_of(known->second.parts, [&](const auto& part) {
                 return part.first <= offset && End(part) >= offset + length;
               })) {
      return;
    }
  }
  Object& object = objects_[key];
  object.size_bytes = read.object_size_bytes;
  object.parts.emplace(offset, read.bytes);
  total_bytes_ += length;
}

void RecordingStore::Note(const Result<ListPage>& page) {
  if (!page) return;
  const std::lock_guard lock(mutex_);
  if (modified_.size() + page->objects.size() > kMostListedObjects) modified_.clear();
  for (const ObjectInfo& object : page->objects) modified_.insert_or_assign(object.key, object.modified);
}

void RecordingStore::Drop(std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (const auto known = objects_.find(key); known != objects_.end()) {
    for (const auto& part : known->second.parts) total_bytes_ -= part.second.size();
    objects_.erase(known);
  }
  if (const auto listed = modified_.find(key); listed != modified_.end()) modified_.erase(listed);
}

std::vector<Result<ReadResult>> RecordingStore::ReadMany(std::span<const ReadRequest> requests,
                                                         const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers = inner().ReadMany(requests, deadline);
  Collect(requests, answers);
  return answers;
}

ReadAndListResult RecordingStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                                  const Deadline& deadline) {
  ReadAndListResult both = inner().ReadManyAndList(requests, list, deadline);
  Note(both.list);
  Collect(requests, both.reads);
  return both;
}

Result<ListPage> RecordingStore::List(const ListRequest& request, const Deadline& deadline) {
  Result<ListPage> page = inner().List(request, deadline);
  Note(page);
  return page;
}

Status RecordingStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  Status status = inner().Put(key, bytes, condition, deadline);
  Drop(key);  // after a failure too: it may have happened
  return status;
}

Result<std::unique_ptr<Upload>> RecordingStore::StartUpload(std::string_view key, const Deadline& deadline) {
  FIRN_TRY(std::unique_ptr<Upload> upload, inner().StartUpload(key, deadline));
  auto drop = [this, key = std::string(key)] { Drop(key); };
  return std::unique_ptr<Upload>(std::make_unique<DroppingUpload>(std::move(upload), std::move(drop)));
}

Status RecordingStore::Delete(std::string_view key, const Deadline& deadline) {
  Status status = inner().Delete(key, deadline);
  Drop(key);
  return status;
}

}  // namespace firn::store
