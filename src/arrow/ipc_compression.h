#pragma once
// The two codecs of Arrow IPC bodies. Each buffer is compressed alone, behind its size: | size i64 | compressed |,
// where size -1 says that the rest is not compressed.

#include <cstdint>
#include <string>

#include "arrow/ipc_format.h"
#include "base/bytes.h"
#include "base/result.h"

namespace firn::arrow::ipc {

/// Exactly `size` bytes; anything else, and damage, is DataCorruption.
Result<Buffer> Decompress(Codec codec, ByteSpan compressed, std::size_t size);

/// With the size in front.
Result<std::string> Compress(Codec codec, ByteSpan bytes);

}  // namespace firn::arrow::ipc
