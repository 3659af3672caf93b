#pragma once
// Where the bytes of a text or file format come from, front to back: memory, a file, a gzip stream around either.

#include <cstdint>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/result.h"

namespace firn::arrow {

/// Not thread-safe.
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  /// The next bytes: at least one and at most `most`; an empty buffer at the end, and again when asked again.
  virtual Result<Buffer> Read(std::size_t most) = 0;
  /// How far it has read, and how far it is to go (0 when nobody knows), both in bytes of the file (compressed ones, if
  /// so).
  virtual std::uint64_t bytes_read() const = 0;
  virtual std::uint64_t bytes_total() const = 0;
};

/// Slices of `bytes`, not copied.
std::unique_ptr<ByteStream> FromBuffer(Buffer bytes);

/// A file, read in blocks rather than mapped: a file that shrinks meanwhile is an error then, not a signal. `-` is the
/// standard input. NotFound, PermissionDenied, InvalidArgument for a folder.
Result<std::unique_ptr<ByteStream>> OpenFileBytes(const std::string& path);

/// What the gzip (or zlib) stream `compressed` holds, several members one after the other. DataCorruption when it is
/// broken or ends early.
std::unique_ptr<ByteStream> Gunzip(std::unique_ptr<ByteStream> compressed);

/// Exactly `size` bytes, fewer only at the end.
Result<Buffer> ReadExactly(ByteStream& source, std::size_t size);

}  // namespace firn::arrow
