#pragma once
// Arrow IPC streams and files
// (arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc).
//
// Reading accepts both forms, buffers compressed with LZ4 or ZSTD, dictionaries (also deltas and replacements) and
// views, which become plain columns. Input is not trusted: damage is DataCorruption, unions, maps, run-end encoding,
// 256-bit decimals and big-endian data are Unsupported, and a batch that unfolds beyond the limit is ResourceExhausted.

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "arrow/array.h"
#include "arrow/batch_source.h"

namespace firn::arrow {

struct IpcReadOptions {
  /// What one batch may take in memory after decompression; dictionaries may take as much again.
  std::uint64_t max_batch_bytes = std::uint64_t{4} << 30;
};

/// The next bytes of an input, in pieces of any size; empty at the end.
using NextBytes = std::function<Result<Buffer>()>;

/// Reads a stream or a file front to back, holding one message at a time. Columns share the pieces' memory where a
/// message lies in one piece, uncompressed. The schema has been read when this returns.
Result<std::unique_ptr<BatchSource>> OpenIpcStream(NextBytes next, const IpcReadOptions& options = {});

/// Reads from memory: a file by its footer, a stream front to back. Uncompressed columns share `bytes`.
Result<std::unique_ptr<BatchSource>> OpenIpc(Buffer bytes, const IpcReadOptions& options = {});

struct IpcContents {
  SchemaPtr schema;
  std::vector<RecordBatch> batches;
};
/// All of it at once; the limit holds for all batches together.
Result<IpcContents> ReadIpc(Buffer bytes, const IpcReadOptions& options = {});

enum class IpcForm : std::uint8_t { kStream, kFile };
enum class IpcCompression : std::uint8_t { kNone, kLz4, kZstd };
struct IpcWriteOptions {
  IpcForm form = IpcForm::kStream;
  IpcCompression compression = IpcCompression::kNone;
};

/// Takes what is written, in order; the bytes are valid during the call.
using ByteSink = std::function<Status(ByteSpan)>;

/// Writes one stream or file: Start once, Write any number of times, Finish once. Calls fail as the sink does; after a
/// failure the output is useless. Not thread-safe.
class IpcWriter {
 public:
  IpcWriter(ByteSink sink, IpcWriteOptions options) : sink_(std::move(sink)), options_(options) {}

  Status Start(const SchemaPtr& schema);
  /// InvalidArgument when the batch is not of the schema.
  Status Write(const RecordBatch& batch);
  Status Finish();

 private:
  struct FileBlock {
    std::int64_t offset;
    std::int32_t metadata_bytes;
    std::int64_t body_bytes;
  };
  Status Send(ByteSpan bytes);
  Result<std::int32_t> SendMetadata(std::string metadata);

  ByteSink sink_;
  IpcWriteOptions options_;
  SchemaPtr schema_;
  std::int64_t written_ = 0;  // bytes
  std::vector<FileBlock> blocks_;
};

/// All batches, written to memory.
Result<Buffer> WriteIpc(const SchemaPtr& schema, std::span<const RecordBatch> batches,
                        const IpcWriteOptions& options = {});

}  // namespace firn::arrow
