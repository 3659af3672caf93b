#pragma once
// From encoded buffers to values. A buffer holds values in one of three manners:
//   mini-block   a chunk's values in a few buffers side by side
//   block        one buffer on its own: levels, dictionaries
//   one value    among the control words of a full-zip page

#include <span>

#include "lance/encoding/items.h"
#include "lance/encoding/page_layout.h"

namespace firn::lance {

/// Appends `count` values. DataCorruption when buffers are too few or too small, Unsupported when the encoding does not
/// yield values of the items' type.
Status DecodeMiniBlock(const Encoding& encoding, std::span<const ByteSpan> buffers, std::uint64_t count, Items& out);
Status DecodeBlock(const Encoding& encoding, ByteSpan block, std::uint64_t count, Items& out);

/// Bytes of one value of fixed width in a full-zip page; 0 when the encoding has none.
std::uint64_t ZippedBytes(const Encoding& encoding);
/// Appends one such value; `value` has ZippedBytes.
Status DecodeZippedFixed(const Encoding& encoding, ByteSpan value, Items& out);
/// Appends one value that had a length in front.
Status DecodeZippedVariable(const Encoding& encoding, ByteSpan value, Items& out);

}  // namespace firn::lance
