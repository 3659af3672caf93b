#pragma once
// Remembers what was read from a far store.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/log.h"
#include "base/random.h"
#include "store/disk_cache.h"
#include "store/forwarding.h"
#include "store/range_cache.h"

namespace firn::store {

struct CacheOptions {
  std::uint64_t memory_bytes = 64ULL << 20;
  std::string disk_folder{};  // "" = none
  std::uint64_t disk_bytes = 4ULL << 30;
  std::string identity{};  // of the inner store, among all that share the disk folder
};

/// Serves reads from memory, then disk, then the inner store. Equal reads under way at the same time are one read of
/// the inner store. Errors, listings and written bytes are not cached. A write, upload or delete through this store
/// drops what is cached of its key. What others do to the bucket is noticed when a listing through this store shows an
/// object with another size or time; until then, and for objects that nobody lists, a cached answer may be old. (Firn's
/// objects never change; a table dropped and made again reuses the names of its manifests, which are listed before they
/// are read; what is overwritten is read with `uncached`.)
class CachingStore final : public ForwardingStore {
 public:
  /// `random` and `log` must outlive the store; the store must outlive its uploads.
  CachingStore(std::unique_ptr<ObjectStore> inner, const CacheOptions& options, Random& random, Log& log);

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  struct Flight;

  /// One round of the inner store.
  using ReadFar = std::function<std::vector<Result<ReadResult>>(std::span<const ReadRequest>)>;

  /// Calls `read_far` at least once when there are requests, with those that are not here and not under way.
  std::vector<Result<ReadResult>> Serve(std::span<const ReadRequest> requests, const ReadFar& read_far,
                                        const Deadline& deadline);
  std::optional<ReadResult> FindInMemory(const ReadRequest& request);
  /// The flight that reads this, and whether the caller is to fly it.
  std::pair<std::shared_ptr<Flight>, bool> Join(const ReadRequest& request);
  void Fly(std::span<const std::shared_ptr<Flight>> flights, const ReadFar& read_far);
  void Land(Flight& flight, const Result<ReadResult>& answer, bool from_disk);
  void Drop(std::string_view key);
  void Remember(const ListPage& page);

  RangeCache memory_;
  std::optional<DiskCache> disk_;

  std::mutex mutex_;
  std::multimap<std::string, std::shared_ptr<Flight>, std::less<>> flights_;  // under way, by object key
  std::unordered_map<std::string, ListedVersion> listed_;
};

}  // namespace firn::store
