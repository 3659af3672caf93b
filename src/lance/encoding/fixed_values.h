#pragma once
// Values of fixed width from one buffer each (runs: two). All append `count` values; DataCorruption when the buffer is
// too small for them, Unsupported when the items have another width.

#include "lance/encoding/items.h"
#include "lance/encoding/page_layout.h"

namespace firn::lance {

Status DecodeFlat(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out);
Status DecodeInline(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out);
Status DecodeOutOfLine(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out);
Status DecodeRle(const Encoding& encoding, ByteSpan values, ByteSpan lengths, std::uint64_t count, Items& out);
Status DecodeByteStreamSplit(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out);

}  // namespace firn::lance
