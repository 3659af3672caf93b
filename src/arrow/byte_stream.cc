#include "arrow/byte_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#define ZLIB_CONST
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

constexpr std::size_t kCompressedBlock = 256 << 10;
// No single read takes more memory than this, however much is asked for.
constexpr std::size_t kMaxBlock = 64 << 20;

class BufferBytes final : public ByteStream {
 public:
  explicit BufferBytes(Buffer bytes) : bytes_(std::move(bytes)) {}
  Result<Buffer> Read(std::size_t most) override {
    const std::size_t size = std::min(most, bytes_.size() - at_);
    at_ += size;
    return bytes_.Slice(at_ - size, size);
  }
  std::uint64_t bytes_read() const override { return at_; }
  std::uint64_t bytes_total() const override { return bytes_.size(); }

 private:
  Buffer bytes_;
  std::size_t at_ = 0;
};

Buffer Filled(Block block, std::size_t size) { return std::move(block).Finish().Slice(0, size); }

class FileBytes final : public ByteStream {
 public:
  FileBytes(int fd, std::uint64_t total, std::string path) : fd_(fd), total_(total), path_(std::move(path)) {}
  ~FileBytes() override {
    if (fd_ != STDIN_FILENO) ::close(fd_);
  }
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  Result<Buffer> Read(std::size_t most) override {
    most = std::min(most, kMaxBlock);
    Block block(most);
    ssize_t got = 0;
    do {
      got = ::read(fd_, block.data(), most);
    } while (got < 0 && errno == EINTR);
    if (got < 0) return Unavailable("cannot read " + path_ + ": " + std::strerror(errno));
    read_ += static_cast<std::uint64_t>(got);
    return Filled(std::move(block), static_cast<std::size_t>(got));
  }
  std::uint64_t bytes_read() const override { return read_; }
  std::uint64_t bytes_total() const override { return total_; }

 private:
  const int fd_;
  const std::uint64_t total_;
  const std::string path_;
  std::uint64_t read_ = 0;
};

class GunzipBytes final : public ByteStream {
 public:
  explicit GunzipBytes(std::unique_ptr<ByteStream> compressed) : compressed_(std::move(compressed)) {
    // 32: gzip or zlib, whichever the header says.
    started_ = inflateInit2(&stream_, 15 + 32) == Z_OK;
  }
  ~GunzipBytes() override {
    if (started_) inflateEnd(&stream_);
  }
  GunzipBytes(const GunzipBytes&) = delete;
  GunzipBytes& operator=(const GunzipBytes&) = delete;

  Result<Buffer> Read(std::size_t most) override {
    if (!started_) return ResourceExhausted("no memory to decompress");
    most = std::min(most, kMaxBlock);
    Block block(most);
    stream_.next_out = block.data();
    stream_.avail_out = static_cast<uInt>(most);
    while (stream_.avail_out > 0) {
      if (stream_.avail_in == 0) FIRN_CHECK(Refill());
      if (stream_.avail_in == 0 && between_members_) break;
      FIRN_CHECK(Inflate());
    }
    return Filled(std::move(block), most - stream_.avail_out);
  }
  std::uint64_t bytes_read() const override { return compressed_->bytes_read(); }
  std::uint64_t bytes_total() const override { return compressed_->bytes_total(); }

 private:
  Status Refill() {
    FIRN_TRY(input_, compressed_->Read(kCompressedBlock));
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(input_.size());
    return {};
  }

  Status Inflate() {
    if (between_members_ && members_ > 0) inflateReset(&stream_);
    between_members_ = false;
    const bool at_end = stream_.avail_in == 0;
    const int outcome = inflate(&stream_, Z_NO_FLUSH);
    if (outcome == Z_STREAM_END) {
      between_members_ = true;
      members_++;
      return {};
    }
    if (outcome == Z_OK && !at_end) return {};
    if (at_end) return DataCorruption("the gzip stream ends early", "Fetch or write the file again");
    return DataCorruption(
        std::string("the gzip stream is broken: ") + (stream_.msg != nullptr ? stream_.msg : "bad data"),
        "Fetch or write the file again");
  }

  std::unique_ptr<ByteStream> compressed_;
  z_stream stream_{};
  bool started_ = false;
  Buffer input_;
  bool between_members_ = true;
  std::uint64_t members_ = 0;
};

Error OpenError(const std::string& path, int error) {
  const std::string message = "cannot open " + path + ": " + std::strerror(error);
  if (error == ENOENT || error == ENOTDIR) return NotFound("there is no file " + path, "Check the path");
  if (error == EACCES || error == EPERM) return PermissionDenied(message);
  return InvalidArgument(message);
}

}  // namespace

std::unique_ptr<ByteStream> FromBuffer(Buffer bytes) { return std::make_unique<BufferBytes>(std::move(bytes)); }

Result<std::unique_ptr<ByteStream>> OpenFileBytes(const std::string& path) {
  if (path == "-") return std::make_unique<FileBytes>(STDIN_FILENO, 0, "the standard input");
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return OpenError(path, errno);
  struct stat status{};
  const bool known = ::fstat(fd, &status) == 0;
  auto bytes = std::make_unique<FileBytes>(fd, known && S_ISREG(status.st_mode) ? status.st_size : 0, path);
  if (known && S_ISDIR(status.st_mode)) return InvalidArgument(path + " is a folder", "Name a file in it");
  return bytes;
}

std::unique_ptr<ByteStream> Gunzip(std::unique_ptr<ByteStream> compressed) {
  return std::make_unique<GunzipBytes>(std::move(compressed));
}

Result<Buffer> ReadExactly(ByteStream& source, std::size_t size) {
  FIRN_TRY(auto first, source.Read(size));
  if (first.size() == size || first.empty()) return first;
  // Collected before there is one block for all: `size` may be a lie of the file's.
  std::vector<Buffer> pieces = {std::move(first)};
  std::size_t got = pieces[0].size();
  while (got < size) {
    FIRN_TRY(auto more, source.Read(size - got));
    if (more.empty()) break;
    got += more.size();
    pieces.push_back(std::move(more));
  }
  Block block(got);
  std::size_t filled = 0;
  for (const Buffer& piece : pieces) {
    CopyBytes(block.data() + filled, piece.bytes());
    filled += piece.size();
  }
  return Filled(std::move(block), filled);
}

}  // namespace firn::arrow
