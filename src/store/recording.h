#pragma once
// Collects what was read: the contents of a bundle to be.

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/bundle.h"
#include "store/forwarding.h"

namespace firn::store {

struct RecordingLimits {
  std::uint64_t total_bytes = 16ULL << 20;  // what goes beyond it is passed on and not collected
  std::uint64_t read_bytes = 1ULL << 20;    // so is a read that is larger
};

/// Passes everything on, and keeps what reads gave. A range that is there already costs nothing; writes, uploads and
/// deletes drop what was read of their key.
class RecordingStore final : public ForwardingStore {
 public:
  /// The store must outlive its uploads.
  RecordingStore(std::unique_ptr<ObjectStore> inner, const RecordingLimits& limits)
      : ForwardingStore(std::move(inner)), limits_(limits) {}

  /// What was collected since the last call: in the order of keys and offsets, ranges that overlap or touch as one. An
  /// object that a listing through this store showed has that listing's time.
  std::vector<BundleEntry> TakeEntries();

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  struct Object {
    std::uint64_t size_bytes = 0;
    std::multimap<std::uint64_t, Buffer> parts;  // by offset; they may overlap
  };

  void Collect(std::span<const ReadRequest> requests, std::span<const Result<ReadResult>> answers);
  void CollectOne(const std::string& key, std::uint64_t offset, const ReadResult& read);
  void Note(const Result<ListPage>& page);
  void Drop(std::string_view key);

  const RecordingLimits limits_;
  std::mutex mutex_;
  std::map<std::string, Object, std::less<>> objects_;
  std::map<std::string, WallTime, std::less<>> modified_;  // as listed
  std::uint64_t total_bytes_ = 0;
};

}  // namespace firn::store
