#pragma once
// Parts of objects in memory, least recently used first out.

#include <cstdint>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "store/object_store.h"

namespace firn::store {

/// What the newest listing said of an object. Bytes that were read under another version of it are not served any more:
/// that is how a cache notices that a table was dropped and made again by somebody else.
struct ListedVersion {
  std::uint64_t size_bytes = 0;
  WallTime modified{};

  bool operator==(const ListedVersion&) const = default;
};

/// May bytes that were read when the newest listing said `then` be served now that it says `now`?
inline bool StillCurrent(const std::optional<ListedVersion>& then, const std::optional<ListedVersion>& now) {
  return !now || then == now;
}

/// Thread-safe.
class RangeCache {
 public:
  explicit RangeCache(std::uint64_t capacity_bytes) : capacity_bytes_(capacity_bytes) {}

  /// The answer, if one part that is here covers it. Any part tells the object's size, so that a tail can be found too.
  std::optional<ReadResult> Find(const ReadRequest& request, const std::optional<ListedVersion>& listed);

  /// `read` answered a request that began at `offset` of the object. Parts larger than a quarter of the capacity are
  /// not kept.
  void Insert(const std::string& key, std::uint64_t offset, const ReadResult& read,
              const std::optional<ListedVersion>& listed);

  void Drop(std::string_view key);

  /// Of the parts and of what finding them takes.
  std::uint64_t size_bytes() const;

 private:
  struct Part {
    const std::string* key;  // in objects_
    std::uint64_t offset;
    Buffer bytes;

    std::uint64_t end() const { return offset + bytes.size(); }
  };
  using Parts = std::list<Part>;  // the most recently used first
  struct Object {
    std::uint64_t size_bytes = 0;
    std::string etag;
    std::optional<ListedVersion> listed;
    // By offset. No part lies inside another, so that they are sorted by their ends too.
    std::map<std::uint64_t, Parts::iterator> parts;
  };
  using Objects = std::unordered_map<std::string, Object>;

  void Erase(Objects::iterator object);
  void ErasePart(Parts::iterator part);

  const std::uint64_t capacity_bytes_;
  mutable std::mutex mutex_;
  std::uint64_t size_bytes_ = 0;
  Objects objects_;
  Parts parts_;
};

}  // namespace firn::store
