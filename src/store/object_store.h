#pragma once
// The one side effect of Firn: objects under keys. Backends: a folder, memory, S3. Wrappers (retrying, caching,
// counting, faulty, throttled) are stores around a store. Every backend and wrapper passes contract_test.cc.
//
// Keys are '/'-separated, relative to the store's root, without a leading '/'; no empty, "." or ".." part, no control
// character. Objects that Firn writes are immutable, so a reader may cache any range for ever.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace firn::store {

/// Which bytes of an object: all of them, [offset, offset + length), or the last `length`.
struct ReadRequest {
  enum class Part : std::uint8_t { kWhole, kRange, kTail };
  std::string key;
  Part part = Part::kWhole;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  bool uncached = false;  // for the few objects that are overwritten: no wrapper answers it from memory, or keeps it
  /// Not 0, for kWhole and kTail: an answer from memory may be shorter than asked for, when it ends where the object
  /// does and has at least so many bytes. The rest is a guess at what the reader will want next.
  std::uint64_t enough_bytes = 0;

  static ReadRequest WholeUncached(std::string key) { return {std::move(key), Part::kWhole, 0, 0, true, 0}; }
  static ReadRequest Whole(std::string key) { return {std::move(key), Part::kWhole}; }
  static ReadRequest Range(std::string key, std::uint64_t offset, std::uint64_t length) {
    return {std::move(key), Part::kRange, offset, length, false, 0};
  }
  static ReadRequest Tail(std::string key, std::uint64_t length) {
    return {std::move(key), Part::kTail, 0, length, false, 0};
  }
};

struct ReadResult {
  Buffer bytes;  // kRange: exactly `length` bytes; kTail: at most `length`, fewer when the object is smaller (and see
                 // enough_bytes)
  std::uint64_t object_size_bytes = 0;  // of the whole object
  std::string etag;                     // opaque; "" when the backend has none
};

enum class PutCondition : std::uint8_t {
  kNone,      // overwrite
  kIfAbsent,  // AlreadyExists when the key exists; of many racing writers exactly one wins
};

struct ObjectInfo {
  std::string key;
  std::uint64_t size_bytes = 0;
  WallTime modified{};
};

struct ListRequest {
  std::string prefix{};        // "" = everything
  std::string start_after{};   // entries (keys, and with by_folder also folders) strictly greater, "" = from the start
  bool by_folder = false;      // stop at the next '/' after the prefix; deeper keys show as `folders`
  std::uint32_t limit = 1000;  // entries (objects + folders) wanted at most, 1..1000
};

/// Folders exist only through the objects in them: one without objects is never listed.
struct ListPage {
  std::vector<ObjectInfo> objects;   // in byte order of their keys
  std::vector<std::string> folders;  // ends in '/', in byte order
  std::string next_start_after;      // "" = this was the last page
};

struct ReadAndListResult {
  std::vector<Result<ReadResult>> reads;
  Result<ListPage> list;
};

/// A large object written in parts; it appears whole with Finish, or never. Dropping it without Finish aborts (best
/// effort). A backend retries its parts itself, as only it knows which went through: after a call has failed, the
/// upload can only be dropped. Not thread-safe.
class Upload {
 public:
  virtual ~Upload() = default;
  /// Any size; the backend forms its parts.
  virtual Status Append(ByteSpan bytes, const Deadline& deadline) = 0;
  virtual Status Finish(const Deadline& deadline) = 0;
};

/// Thread-safe. Error kinds of every call: NotFound (object, bucket), AlreadyExists (kIfAbsent), PermissionDenied,
/// Unavailable (retryable), DeadlineExceeded, InvalidArgument (bad key, range past the end), Unsupported (the server
/// has no conditional writes), Internal.
class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  /// One dependent round: all requests are under way together, and the answers come back together, in order.
  /// A request that fails does not fail the others.
  virtual std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) = 0;

  /// Durable when it returns. An error leaves the object absent, or whole: Unavailable and DeadlineExceeded may mean
  /// either.
  virtual Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) = 0;

  virtual Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) = 0;

  virtual Result<ListPage> List(const ListRequest& request, const Deadline& deadline) = 0;

  /// One dependent round: the reads and the listing are under way together. The answers are those of ReadMany and of
  /// List; neither fails the other. (Unless a store overrides it, the listing runs on a thread of its own.)
  virtual ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                            const Deadline& deadline);

  /// Deleting what is not there is no error.
  virtual Status Delete(std::string_view key, const Deadline& deadline) = 0;

  /// For messages and explain: "s3://bucket/prefix", "/path", "memory". Never holds a secret.
  virtual std::string Describe() const = 0;
};

/// ReadMany of one.
Result<ReadResult> Read(ObjectStore& store, const ReadRequest& request, const Deadline& deadline);
/// All pages of a listing, at most `limit` entries (ResourceExhausted beyond it).
Result<ListPage> ListAll(ObjectStore& store, ListRequest request, std::size_t limit, const Deadline& deadline);
/// InvalidArgument unless the key has the form described above (at most 1,024 bytes).
Status CheckKey(std::string_view key);
/// InvalidArgument unless 1 <= limit <= 1000.
Status CheckList(const ListRequest& request);

struct ByteRange {
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
/// Where a request's bytes lie in an object of this size. InvalidArgument for a range past the end.
Result<ByteRange> RangeOf(const ReadRequest& request, std::uint64_t object_size_bytes);

}  // namespace firn::store
