#include "store/range_cache.h"

namespace firn::store {
namespace {

constexpr std::uint64_t kBytesPerPart = 256;  // about what the containers take for one

std::uint64_t CostOf(const std::string& key, std::uint64_t bytes) { return bytes + key.size() + kBytesPerPart; }

}  // namespace

std::optional<ReadResult> RangeCache::Find(const ReadRequest& request, const std::optional<ListedVersion>& listed) {
  const std::lock_guard lock(mutex_);
  const auto object = objects_.find(request.key);
  if (object == objects_.end()) return std::nullopt;
  if (!StillCurrent(object->second.listed, listed)) {
    Erase(object);
    return std::nullopt;
  }
  const auto& [size_bytes, etag, unused, parts] = object->second;
  const Result<ByteRange> range = RangeOf(request, size_bytes);
  if (!range) return std::nullopt;
  const auto after = parts.upper_bound(range->offset);
  if (after == parts.begin()) return std::nullopt;
  const Parts::iterator part = std::prev(after)->second;
  if (part->end() < range->offset + range->length) return std::nullopt;
  parts_.splice(parts_.begin(), parts_, part);
  return ReadResult{part->bytes.Slice(range->offset - part->offset, range->length), size_bytes, etag};
}

void RangeCache::Insert(const std::string& key, std::uint64_t offset, const ReadResult& read,
                        const std::optional<ListedVersion>& listed) {
  if (CostOf(key, read.bytes.size()) > capacity_bytes_ / 4) return;
  const std::lock_guard lock(mutex_);
  auto object = objects_.find(key);
  if (object != objects_.end()) {
    const Object& known = object->second;
    if (known.size_bytes != read.object_size_bytes || known.etag != read.etag || known.listed != listed) {
      Erase(object);
      object = objects_.end();
    }
  }
  if (object == objects_.end()) {
    object = objects_.try_emplace(key, Object{read.object_size_bytes, read.etag, listed, {}}).first;
  }

  auto& parts = object->second.parts;
  const std::uint64_t end = offset + read.bytes.size();
  auto next = parts.upper_bound(offset);
  if (next != parts.begin()) {
    const auto before = std::prev(next);
    if (before->second->end() >= end) return;  // covered already
    if (before->first == offset) next = before;
  }
  while (next != parts.end() && next->second->end() <= end) {
    const Parts::iterator inside = next->second;
    size_bytes_ -= CostOf(key, inside->bytes.size());
    parts_.erase(inside);
    next = parts.erase(next);
  }
  parts_.push_front({&object->first, offset, read.bytes});
  parts.emplace(offset, parts_.begin());
  size_bytes_ += CostOf(key, read.bytes.size());
  while (size_bytes_ > capacity_bytes_) ErasePart(std::prev(parts_.end()));
}

void RangeCache::Drop(std::string_view key) {
  const std::lock_guard lock(mutex_);
  if (const auto object = objects_.find(std::string(key)); object != objects_.end()) Erase(object);
}

std::uint64_t RangeCache::size_bytes() const {
  const std::lock_guard lock(mutex_);
  return size_bytes_;
}

void RangeCache::Erase(Objects::iterator object) {
  for (const auto& [offset, part] : object->second.parts) {
    size_bytes_ -= CostOf(object->first, part->bytes.size());
    parts_.erase(part);
  }
  objects_.erase(object);
}

void RangeCache::ErasePart(Parts::iterator part) {
  const auto object = objects_.find(*part->key);
  size_bytes_ -= CostOf(object->first, part->bytes.size());
  object->second.parts.erase(part->offset);
  parts_.erase(part);
  if (object->second.parts.empty()) objects_.erase(object);
}

}  // namespace firn::store
