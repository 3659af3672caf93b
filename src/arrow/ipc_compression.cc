#include "arrow/ipc_compression.h"

#include <lz4frame.h>
#include <zstd.h>

#include <memory>

#include "arrow/buffers.h"

namespace firn::arrow::ipc {
namespace {

constexpr int kZstdLevel = 1;

Error Damaged(std::string_view codec) {
  return DataCorruption("an Arrow buffer does not decompress with " + std::string(codec) + " to the size it claims");
}

Result<Buffer> DecompressLz4(ByteSpan compressed, std::size_t size) {
  LZ4F_dctx* raw = nullptr;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&raw, LZ4F_VERSION)) != 0U)
    return ResourceExhausted("no memory for LZ4");
  const std::unique_ptr<LZ4F_dctx, decltype(&LZ4F_freeDecompressionContext)> context(raw,
                                                                                     LZ4F_freeDecompressionContext);
  Block block(size);
  std::size_t done = 0;
  for (;;) {
    std::size_t written = size - done;
    std::size_t read = compressed.size();
    const std::size_t state =
        LZ4F_decompress(context.get(), block.data() + done, &written, compressed.data(), &read, nullptr);
    if (LZ4F_isError(state) != 0U) return Damaged("LZ4");
    done += written;
    compressed = compressed.subspan(read);
    if (state == 0) break;                                 // the frame is complete
    if (read == 0 && written == 0) return Damaged("LZ4");  // it wants more than there is, either way
  }
  if (done != size) return Damaged("LZ4");
  return std::move(block).Finish();
}

Result<Buffer> DecompressZstd(ByteSpan compressed, std::size_t size) {
  Block block(size);
  if (ZSTD_decompress(block.data(), size, compressed.data(), compressed.size()) != size) return Damaged("ZSTD");
  return std::move(block).Finish();
}

}  // namespace

Result<Buffer> Decompress(Codec codec, ByteSpan compressed, std::size_t size) {
  return codec == Codec::kLz4Frame ? DecompressLz4(compressed, size) : DecompressZstd(compressed, size);
}

Result<std::string> Compress(Codec codec, ByteSpan bytes) {
  std::string out;
  AppendLe(out, static_cast<std::int64_t>(bytes.size()));
  const bool lz4 = codec == Codec::kLz4Frame;
  out.resize(8 + (lz4 ? LZ4F_compressFrameBound(bytes.size(), nullptr) : ZSTD_compressBound(bytes.size())));
  const std::size_t size = lz4 ? LZ4F_compressFrame(out.data() + 8, out.size() - 8, bytes.data(), bytes.size(), nullptr)
                               : ZSTD_compress(out.data() + 8, out.size() - 8, bytes.data(), bytes.size(), kZstdLevel);
  if (lz4 ? LZ4F_isError(size) != 0U : ZSTD_isError(size) != 0U) return Internal("an Arrow buffer did not compress");
  out.resize(8 + size);
  if (size < bytes.size()) return out;
  out.clear();
  AppendLe(out, std::int64_t{-1});
  out.append(AsChars(bytes));
  return out;
}

}  // namespace firn::arrow::ipc
