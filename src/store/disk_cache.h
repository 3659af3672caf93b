#pragma once
// Answers of a far store on the local disk, so that they outlive the process.

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.h"
#include "base/random.h"
#include "store/object_store.h"
#include "store/range_cache.h"

namespace firn::store {

/// One file per answer, checksummed; a damaged one is deleted and counts as absent. Several processes and stores may
/// share the folder: a file carries whose answer it is. Only files named as the cache names them are ever deleted.
/// Nothing here fails: what does not work is logged once, and is a miss. Thread-safe.
class DiskCache {
 public:
  /// `identity` tells this store from all others that may use the folder. `random` and `log` must outlive it. Touches
  /// no disk.
  DiskCache(std::string folder, std::uint64_t capacity_bytes, std::string identity, Random& random, Log& log);

  /// Finds only what was inserted under an equal request.
  std::optional<ReadResult> Find(const ReadRequest& request, const std::optional<ListedVersion>& listed);
  void Insert(const ReadRequest& request, const ReadResult& read, const std::optional<ListedVersion>& listed);
  /// All answers about the key.
  void Drop(std::string_view key);

 private:
  std::string NameOf(const ReadRequest& request) const;
  std::filesystem::path FolderFor(std::string_view key) const;
  std::filesystem::path PathFor(const ReadRequest& request) const;
  void MakeRoomFor(std::uint64_t bytes);
  /// Deletes the files longest unused until nine tenths of the capacity are left in use.
  std::uint64_t Sweep() const;
  void LogOnce(const Error& error);

  const std::filesystem::path folder_;
  const std::uint64_t capacity_bytes_;
  const std::string identity_;
  Random& random_;
  Log& log_;
  std::mutex mutex_;
  std::optional<std::uint64_t> size_bytes_;  // as of the last sweep, and what this process wrote since
  std::atomic<bool> logged_{false};
};

}  // namespace firn::store
