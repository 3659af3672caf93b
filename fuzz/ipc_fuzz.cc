// Arbitrary bytes as an Arrow IPC stream or file: read whole, and in pieces; every value looked at; written again.

#include <cstdint>
#include <cstdlib>

#include "arrow/ipc.h"

namespace {

using namespace firn;
using namespace firn::arrow;

constexpr IpcReadOptions kOptions = {.max_batch_bytes = 1 << 20};

void Require(bool holds) {
  if (!holds) std::abort();
}

/// Only these may come of bad input.
void RequireCause(const Error& error) {
  Require(error.kind == ErrorKind::kDataCorruption || error.kind == ErrorKind::kUnsupported ||
          error.kind == ErrorKind::kResourceExhausted);
}

void Pull(Result<std::unique_ptr<BatchSource>> source) {
  if (!source) return RequireCause(source.error());
  for (int i = 0; i < 100; i++) {
    const auto batch = (*source)->Next();
    if (!batch) return RequireCause(batch.error());
    if (!*batch) return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Buffer bytes = Buffer::Copy({data, size});
  Pull(OpenIpcStream(
      [rest = bytes]() mutable -> Result<Buffer> {
        Buffer piece = rest.Slice(0, std::min<std::size_t>(rest.size(), 37));
        rest = rest.Slice(piece.size());
        return piece;
      },
      kOptions));

  const auto contents = ReadIpc(bytes, kOptions);
  if (!contents) {
    RequireCause(contents.error());
    return 0;
  }
  for (const RecordBatch& batch : contents->batches) Require(Equal(batch, batch));
  const auto again = WriteIpc(contents->schema, contents->batches, {IpcForm::kFile, IpcCompression::kLz4});
  Require(again.has_value());
  const auto reread = ReadIpc(*again, {.max_batch_bytes = 64 << 20});
  Require(reread.has_value() && reread->batches.size() == contents->batches.size());
  for (std::size_t i = 0; i < reread->batches.size(); i++) Require(Equal(reread->batches[i], contents->batches[i]));
  return 0;
}
