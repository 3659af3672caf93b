#include "store/folder/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>

namespace firn::store {
namespace {

constexpr std::uint64_t kMostBytesPerCall = 1U << 30;  // Linux moves at most 2 GiB a call

ErrorKind KindOf(int error_number) {
  switch (error_number) {
    case ENOENT:
      return ErrorKind::kNotFound;
    case EEXIST:
      return ErrorKind::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EMLINK:
      return ErrorKind::kResourceExhausted;
    case EIO:
    case ESTALE:
    case EAGAIN:
    case EBUSY:
    case ETIMEDOUT:
      return ErrorKind::kUnavailable;
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case ENAMETOOLONG:
    case ELOOP:
    case EILSEQ:
    case EINVAL:
      return ErrorKind::kInvalidArgument;
    case EOPNOTSUPP:
    case ENOSYS:
    case EXDEV:
      return ErrorKind::kUnsupported;
    default:
      return ErrorKind::kInternal;
  }
}

std::string HintFor(int error_number) {
  switch (error_number) {
    case EACCES:
    case EPERM:
      return "Check who owns it, and its permissions";
    case EROFS:
      return "The file system is mounted read-only";
    case ENOSPC:
      return "The disk is full: free some space";
    case EDQUOT:
      return "The disk quota is used up: free some space";
    case EMFILE:
      return "Raise the limit of open files (ulimit -n)";
    case ENOTDIR:
      return "A part of the path is a file where a folder is needed";
    case EISDIR:
      return "There is a folder of that name";
    default:
      return {};
  }
}

Result<Buffer> ReadCopy(const File& file, std::uint64_t offset, std::uint64_t length, const std::string& path) {
  const auto block = std::make_shared_for_overwrite<std::uint8_t[]>(length);
  for (std::uint64_t done = 0; done < length;) {
    const ssize_t got = pread(file.descriptor(), block.get() + done, std::min(length - done, kMostBytesPerCall),
                              static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno, "read", path);
    if (got == 0)
      return DataCorruption(path + " became shorter while it was read", "Something else changes files here");
    done += static_cast<std::uint64_t>(got);
  }
  return Buffer(block, {block.get(), length});
}

/// Empty when this file system, or this process, cannot map any more.
Buffer Map(const File& file, std::uint64_t offset, std::uint64_t length) {
  static const auto kPage = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  const std::uint64_t before = offset % kPage;
  const std::uint64_t mapped_bytes = before + length;
  void* const start =
      mmap(nullptr, mapped_bytes, PROT_READ, MAP_PRIVATE, file.descriptor(), static_cast<off_t>(offset - before));
  if (start == MAP_FAILED) return {};
  std::shared_ptr<const void> owner(
      start, [mapped_bytes](const void* mapping) { munmap(const_cast<void*>(mapping), mapped_bytes); });
  return {std::move(owner), {static_cast<const std::uint8_t*>(start) + before, length}};
}

}  // namespace

File::~File() {
  if (open()) close(descriptor_);
}

Status File::Close(const std::string& path) {
  if (close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) return FileError(errno, "write", path);
  return {};
}

Error FileError(int error_number, std::string_view verb, const std::string& path) {
  return {KindOf(error_number),
          "Cannot " + std::string(verb) + ' ' + path + ": " + std::generic_category().message(error_number),
          HintFor(error_number)};
}

Result<OpenedFile> OpenForRead(const std::string& path) {
  // Without O_NONBLOCK, opening a named pipe would wait for a writer.
  OpenedFile opened{File(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), 0};
  if (!opened.file.open()) return FileError(errno, "open", path);
  struct stat facts{};
  if (fstat(opened.file.descriptor(), &facts) != 0) return FileError(errno, "open", path);
  if (!S_ISREG(facts.st_mode)) return NotFound("There is no file " + path + ", but something else of that name");
  opened.size_bytes = static_cast<std::uint64_t>(facts.st_size);
  return opened;
}

Result<Buffer> ReadPart(const OpenedFile& opened, std::uint64_t offset, std::uint64_t length, const std::string& path) {
  if (length == 0) return Buffer();
  if (length >= kMapBytes) {
    if (Buffer mapped = Map(opened.file, offset, length); !mapped.empty()) return mapped;
  }
  return ReadCopy(opened.file, offset, length, path);
}

Status WriteAll(const File& file, ByteSpan bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t wrote =
        write(file.descriptor(), bytes.data(), std::min<std::uint64_t>(bytes.size(), kMostBytesPerCall));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError(errno, "write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(wrote));
  }
  return {};
}

Status Sync(const File& file, const std::string& path) {
  while (fsync(file.descriptor()) != 0) {
    if (errno != EINTR) return FileError(errno, "sync", path);
  }
  return {};
}

Status SyncFolder(const std::string& path) {
  const File folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open()) return FileError(errno, "open the folder", path);
  return Sync(folder, path);
}

}  // namespace firn::store
