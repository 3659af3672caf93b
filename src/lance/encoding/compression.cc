#include "lance/encoding/compression.h"

#include <lz4.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <string>

namespace firn::lance {
namespace {

constexpr std::uint64_t kLz4MaxRatio = 255;
constexpr std::uint64_t kTrustedBytes = 1 << 20;  // allocated at once on the word of a header
constexpr std::uint32_t kZstdMagic = 0xFD2FB528;

Error TooLarge(std::uint64_t size) {
  return ResourceExhausted("a compressed buffer says that it holds " + std::to_string(size) + " bytes");
}

Status DecompressLz4(ByteSpan compressed, std::uint64_t max_bytes, ByteBlock& out) {
  if (compressed.size() < 4) return DataCorruption("an LZ4 buffer ends early");
  const auto size = LoadLe<std::uint32_t>(compressed.data());
  const ByteSpan block = compressed.subspan(4);
  if (size > max_bytes || size > LZ4_MAX_INPUT_SIZE) return TooLarge(size);
  if (size > block.size() * kLz4MaxRatio)
    return DataCorruption("an LZ4 buffer is too small for the size that it gives");
  if (size == 0) return {};
  const std::size_t start = out.size();
  auto* to = reinterpret_cast<char*>(out.Extend(size));
  const int got = LZ4_decompress_safe(reinterpret_cast<const char*>(block.data()), to, static_cast<int>(block.size()),
                                      static_cast<int>(size));
  if (got < 0 || static_cast<std::uint32_t>(got) != size) {
    out.Truncate(start);
    return DataCorruption("an LZ4 buffer does not decompress to the size that it gives");
  }
  return {};
}

/// Appends one frame, growing as bytes come.
Status DecompressFrame(ByteSpan frame, std::uint64_t max_bytes, ByteBlock& out) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  if (!context) return ResourceExhausted("no memory for a ZSTD decoder");
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  std::uint64_t total = 0;
  std::uint64_t room = std::min<std::uint64_t>(std::max<std::uint64_t>(frame.size() * 4, 4096), kTrustedBytes);
  for (;;) {
    const std::size_t start = out.size();
    ZSTD_outBuffer to{out.Extend(room), room, 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &to, &in);
    out.Truncate(start + to.pos);
    if (ZSTD_isError(left) != 0)
      return DataCorruption(std::string("a ZSTD frame is broken: ") + ZSTD_getErrorName(left));
    total += to.pos;
    if (total > max_bytes) return TooLarge(total);
    if (left == 0) return {};
    if (to.pos < to.size && in.pos == in.size) return DataCorruption("a ZSTD frame ends early");
    room = std::clamp<std::uint64_t>(total, 4096, 64 << 20);
  }
}

Status DecompressZstd(ByteSpan compressed, std::uint64_t max_bytes, ByteBlock& out) {
  if (compressed.size() >= 4 && LoadLe<std::uint32_t>(compressed.data()) == kZstdMagic) {
    return DecompressFrame(compressed, max_bytes, out);
  }
  if (compressed.size() < 8) return DataCorruption("a ZSTD buffer ends early");
  const auto size = LoadLe<std::uint64_t>(compressed.data());
  const ByteSpan frame = compressed.subspan(8);
  if (size > max_bytes) return TooLarge(size);
  const std::size_t start = out.size();
  if (size <= std::max<std::uint64_t>(kTrustedBytes, frame.size() * 16)) {
    const std::size_t got = ZSTD_decompress(out.Extend(size), size, frame.data(), frame.size());
    if (ZSTD_isError(got) == 0 && got == size) return {};
    out.Truncate(start);
    return DataCorruption("a ZSTD buffer does not decompress to the size that it gives");
  }
  FIRN_CHECK(DecompressFrame(frame, size, out));
  if (out.size() - start != size) return DataCorruption("a ZSTD buffer does not decompress to the size that it gives");
  return {};
}

}  // namespace

Status Decompress(Compression compression, ByteSpan compressed, std::uint64_t max_bytes, ByteBlock& out) {
  return compression == Compression::kLz4 ? DecompressLz4(compressed, max_bytes, out)
                                          : DecompressZstd(compressed, max_bytes, out);
}

}  // namespace firn::lance
