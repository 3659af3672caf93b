#pragma once
// Strings and bytes: offsets, then the bytes, plain or FSST-coded. `fsst` is null when there is none.

#include "lance/encoding/items.h"
#include "lance/encoding/page_layout.h"

namespace firn::lance {

/// A mini-block's buffer. `encoding` is of kind kVariable.
Status DecodeVariable(const Encoding& encoding, const FsstTable* fsst, ByteSpan buffer, std::uint64_t count,
                      Items& out);
/// A block on its own, as dictionaries are.
Status DecodeVariableBlock(const Encoding& encoding, const FsstTable* fsst, ByteSpan block, std::uint64_t count,
                           Items& out);
/// One string.
Status AppendString(const FsstTable* fsst, ByteSpan coded, Items& out);

}  // namespace firn::lance
