#pragma once
// A store that has some bytes before anybody asks for them.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "store/bundle.h"
#include "store/forwarding.h"
#include "store/range_cache.h"

namespace firn::store {

/// Serves each read that lies wholly inside one entry of a bundle; the rest of a ReadMany goes on as one round of the
/// inner store, or none when nothing is left. A tail is inside an entry that has the last min(length, size) bytes of
/// the object, and a whole object inside one that has all of it: an answer is always as long as the inner store's would
/// be, unless the request says that less is enough.
///
/// Objects never change, but a table that is dropped and made again reuses names. So an object that a listing through
/// this store showed (before or after Add) is served only from entries with the size and the time that it showed; what
/// nobody lists is believed, and for the caller to Forget. Writes, uploads and deletes through this store forget their
/// key.
class PrimedStore final : public ForwardingStore {
 public:
  /// Bundles beyond `capacity_bytes` of entries, or 16 of them, are dropped, the oldest first; one that is larger alone
  /// is not taken. The store must outlive its uploads.
  PrimedStore(std::unique_ptr<ObjectStore> inner, std::uint64_t capacity_bytes)
      : ForwardingStore(std::move(inner)), capacity_bytes_(capacity_bytes) {}

  /// The entries of one bundle. They keep what their bytes are views of until the bundle is dropped as a whole. Entries
  /// of an object that older bundles know with another size or time replace theirs.
  void Add(std::vector<BundleEntry> entries);
  /// All entries of objects whose keys start so; a bundle that has no others gives its memory back.
  void Forget(std::string_view prefix);
  std::uint64_t size_bytes() const;

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  struct Object {
    std::uint64_t size_bytes = 0;
    WallTime modified{};
    std::map<std::uint64_t, Buffer> parts;  // by offset; none lies inside another, so that their ends ascend too

    ListedVersion Version() const { return {size_bytes, modified}; }
    void Insert(std::uint64_t offset, Buffer bytes);
    std::optional<ReadResult> Find(const ReadRequest& request) const;
  };
  struct Bundle {
    std::unordered_map<std::string, Object> objects;
    std::uint64_t size_bytes = 0;  // of all that was added: a forgotten entry's memory goes with the bundle
  };
  /// What became of a round's requests.
  struct Sorted {
    std::vector<Result<ReadResult>> answers;
    std::vector<ReadRequest> left;    // for the inner store
    std::vector<std::size_t> places;  // of their answers

    void Fill(std::vector<Result<ReadResult>> from_inner);
  };

  Sorted Sort(std::span<const ReadRequest> requests, const Deadline& deadline) const;
  std::optional<ReadResult> Find(const ReadRequest& request) const;
  void Remember(const Result<ListPage>& page);
  void Drop(std::string_view key);

  const std::uint64_t capacity_bytes_;
  mutable std::mutex mutex_;
  std::deque<Bundle> bundles_;  // the newest first
  std::uint64_t size_bytes_ = 0;
  std::unordered_map<std::string, ListedVersion> listed_;
};

}  // namespace firn::store
