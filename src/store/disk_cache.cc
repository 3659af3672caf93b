#include "store/disk_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "store/folder/file.h"

namespace firn::store {
namespace {

namespace fs = std::filesystem;

// A cache file, little-endian:
//
//    0  magic "FIRNCACH"
//    8  u32  format, 1
//   12  u32  CRC-32C of all that follows
//   16  u64  size of the whole object
//   24  u64  size of the object in the listing that was newest then, or 0
//   32  i64  time of the object in that listing (Unix ns), or kNotListed
//   40  u32  length of the name (whose answer this is), u32 length of the etag
//   48  name, etag, and to the end of the file the bytes
constexpr std::string_view kMagic = "FIRNCACH";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kChecksummedFrom = 16;
constexpr std::int64_t kNotListed = INT64_MIN;

constexpr std::string_view kSuffix = ".firn-cache";
constexpr std::string_view kTemporarySuffix = ".firn-cache-tmp";

/// FNV-1a: stable over builds, as file names must be. Collisions only cost a miss.
std::string HashName(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  std::string bytes;
  AppendLe(bytes, hash);
  return ToHex(AsBytes(bytes));
}

std::string Header(const std::string& name, const ReadResult& read, const std::optional<ListedVersion>& listed) {
  std::string body;
  AppendLe(body, read.object_size_bytes);
  AppendLe(body, listed ? listed->size_bytes : std::uint64_t{0});
  AppendLe(body, listed ? std::int64_t{listed->modified.time_since_epoch().count()} : kNotListed);
  AppendLe(body, static_cast<std::uint32_t>(name.size()));
  AppendLe(body, static_cast<std::uint32_t>(read.etag.size()));
  body += name;
  body += read.etag;
  std::string header(kMagic);
  AppendLe(header, kFormat);
  AppendLe(header, Crc32c(read.bytes.bytes(), Crc32c(AsBytes(body))));
  return header + body;
}

struct Decoded {
  ReadResult read;
  std::optional<ListedVersion> listed;
};

/// DataCorruption when damaged; nothing when whole but another's.
Result<std::optional<Decoded>> Decode(const Buffer& file, const std::string& name, const ReadRequest& request) {
  ByteReader reader(file.bytes(), "a cache file");
  FIRN_TRY(const ByteSpan magic, reader.Take(kMagic.size()));
  FIRN_TRY(const auto format, reader.Read<std::uint32_t>());
  FIRN_TRY(const auto checksum, reader.Read<std::uint32_t>());
  if (AsChars(magic) != kMagic || format != kFormat || Crc32c(file.bytes().subspan(kChecksummedFrom)) != checksum) {
    return DataCorruption("a cache file is damaged");
  }
  Decoded decoded;
  FIRN_TRY(decoded.read.object_size_bytes, reader.Read<std::uint64_t>());
  ListedVersion listed;
  FIRN_TRY(listed.size_bytes, reader.Read<std::uint64_t>());
  FIRN_TRY(const auto modified, reader.Read<std::int64_t>());
  listed.modified = WallTime(Duration(modified));
  if (modified != kNotListed) decoded.listed = listed;
  FIRN_TRY(const auto name_length, reader.Read<std::uint32_t>());
  FIRN_TRY(const auto etag_length, reader.Read<std::uint32_t>());
  FIRN_TRY(const ByteSpan found_name, reader.Take(name_length));
  FIRN_TRY(const ByteSpan etag, reader.Take(etag_length));
  if (AsChars(found_name) != name) return std::optional<Decoded>();
  const Result<ByteRange> range = RangeOf(request, decoded.read.object_size_bytes);
  if (!range || range->length != reader.rest().size()) return DataCorruption("a cache file has the wrong size");
  decoded.read.etag = AsChars(etag);
  decoded.read.bytes = file.Slice(file.size() - reader.rest().size());
  return std::optional(std::move(decoded));
}

/// Missing is NotFound.
Result<Buffer> ReadFile(const std::string& path) {
  FIRN_TRY(const OpenedFile opened, OpenForRead(path));
  return ReadPart(opened, 0, opened.size_bytes, path);
}

Status WriteFile(const std::string& path, std::string_view header, ByteSpan bytes) {
  File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file.open()) return FileError(errno, "write", path);
  FIRN_CHECK(WriteAll(file, AsBytes(header), path));
  FIRN_CHECK(WriteAll(file, bytes, path));
  return file.Close(path);
}

}  // namespace

DiskCache::DiskCache(std::string folder, std::uint64_t capacity_bytes, std::string identity, Random& random, Log& log)
    : folder_(std::move(folder)),
      capacity_bytes_(capacity_bytes),
      identity_(std::move(identity)),
      random_(random),
      log_(log) {}

std::string DiskCache::NameOf(const ReadRequest& request) const {
  return identity_ + '\n' + request.key + '\n' + std::to_string(static_cast<int>(request.part)) + ' ' +
         std::to_string(request.offset) + ' ' + std::to_string(request.length);
}

fs::path DiskCache::FolderFor(std::string_view key) const {
  return folder_ / HashName(identity_ + '\n' + std::string(key));
}

fs::path DiskCache::PathFor(const ReadRequest& request) const {
  return FolderFor(request.key) / (HashName(NameOf(request)) + std::string(kSuffix));
}

std::optional<ReadResult> DiskCache::Find(const ReadRequest& request, const std::optional<ListedVersion>& listed) {
  const std::string path = PathFor(request).string();
  const Result<Buffer> file = ReadFile(path);
  if (!file) {
    if (file.error().kind != ErrorKind::kNotFound) LogOnce(file.error());
    return std::nullopt;
  }
  Result<std::optional<Decoded>> decoded = Decode(*file, NameOf(request), request);
  if (!decoded || (*decoded && !StillCurrent((*decoded)->listed, listed))) {
    unlink(path.c_str());
    return std::nullopt;
  }
  if (!*decoded) return std::nullopt;
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);  // the time tells a sweep what was used last
  return std::move((*decoded)->read);
}

void DiskCache::Insert(const ReadRequest& request, const ReadResult& read, const std::optional<ListedVersion>& listed) {
  const std::string header = Header(NameOf(request), read, listed);
  const std::uint64_t bytes = header.size() + read.bytes.size();
  if (bytes > capacity_bytes_ / 4) return;
  MakeRoomFor(bytes);
  const fs::path folder = FolderFor(request.key);
  std::error_code failed;
  fs::create_directories(folder, failed);
  std::string number;
  AppendLe(number, random_.Next());
  const std::string temporary = (folder / (ToHex(AsBytes(number)) + std::string(kTemporarySuffix))).string();
  Status status = WriteFile(temporary, header, read.bytes.bytes());
  if (status && rename(temporary.c_str(), PathFor(request).c_str()) != 0) status = FileError(errno, "write", temporary);
  if (status) return;
  unlink(temporary.c_str());
  LogOnce(status.error());
}

void DiskCache::Drop(std::string_view key) {
  std::error_code ignored;
  const fs::path folder = FolderFor(key);
  for (fs::directory_iterator at(folder, ignored), end; !ignored && at != end; at.increment(ignored)) {
    if (at->path().extension() == kSuffix) unlink(at->path().c_str());
  }
  rmdir(folder.c_str());
}

void DiskCache::MakeRoomFor(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (!size_bytes_ || *size_bytes_ + bytes > capacity_bytes_) size_bytes_ = Sweep();
  *size_bytes_ += bytes;
}

std::uint64_t DiskCache::Sweep() const {
  struct Entry {
    fs::file_time_type used;
    std::uint64_t size_bytes;
    fs::path path;
  };
  std::vector<Entry> entries;
  std::uint64_t total_bytes = 0;
  std::error_code ignored;
  for (fs::directory_iterator folder(folder_, ignored), end; !ignored && folder != end; folder.increment(ignored)) {
    std::error_code none_inside;  // not a folder, or not ours
    for (fs::directory_iterator file(folder->path(), none_inside); !none_inside && file != end;
         file.increment(none_inside)) {
      const fs::path extension = file->path().extension();
      if (extension != kSuffix && extension != kTemporarySuffix) continue;
      std::error_code gone;
      Entry entry{file->last_write_time(gone), 0, file->path()};
      if (!gone) entry.size_bytes = file->file_size(gone);
      if (gone) continue;
      total_bytes += entry.size_bytes;
      entries.push_back(std::move(entry));
    }
  }
  if (total_bytes <= capacity_bytes_ / 10 * 9) return total_bytes;
  std::ranges::sort(entries, {}, &Entry::used);
  for (const Entry& entry : entries) {
    if (total_bytes <= capacity_bytes_ / 10 * 9) break;
    if (unlink(entry.path.c_str()) == 0) total_bytes -= entry.size_bytes;
    rmdir(entry.path.parent_path().c_str());  // succeeds with the last file
  }
  return total_bytes;
}

void DiskCache::LogOnce(const Error& error) {
  if (!logged_.exchange(true))
    log_.Warn("store: the disk cache does not work", {{"folder", folder_.string()}, {"error", error.message}});
}

}  // namespace firn::store
