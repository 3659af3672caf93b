#pragma once
// The operating system's files as Results: what a folder store and a disk cache are made of.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::store {

/// Owns a file descriptor. Closing by the destructor ignores errors, which only matter to writers: they call Close.
class File {
 public:
  File() = default;
  explicit File(int descriptor) : descriptor_(descriptor) {}
  File(File&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~File();

  int descriptor() const { return descriptor_; }
  bool open() const { return descriptor_ >= 0; }
  Status Close(const std::string& path);

 private:
  int descriptor_ = -1;
};

/// An errno as an Error: "Cannot <verb> <path>: <the system's words>". ENOENT is NotFound, EACCES PermissionDenied,
/// ENOSPC ResourceExhausted, EIO Unavailable, a path that cannot be InvalidArgument.
Error FileError(int error_number, std::string_view verb, const std::string& path);

struct OpenedFile {
  File file;
  std::uint64_t size_bytes = 0;
};
/// For reading. NotFound also for what is no regular file.
Result<OpenedFile> OpenForRead(const std::string& path);

/// [offset, offset + length), which the caller has checked against the file's size. Parts of kMapBytes and more are
/// mapped, not copied; the mapping lives as long as the Buffer. A file must not shrink while it is mapped: Firn only
/// ever replaces files.
Result<Buffer> ReadPart(const OpenedFile& opened, std::uint64_t offset, std::uint64_t length, const std::string& path);
inline constexpr std::uint64_t kMapBytes = 1U << 20;

Status WriteAll(const File& file, ByteSpan bytes, const std::string& path);
/// Waits until the file's bytes are on the disk.
Status Sync(const File& file, const std::string& path);
/// Waits until the folder's entries are on the disk.
Status SyncFolder(const std::string& path);

}  // namespace firn::store
