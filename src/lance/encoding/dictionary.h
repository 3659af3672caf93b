#pragma once
// Dictionary-coded values: indices into a dictionary that the page holds once.

#include "lance/encoding/items.h"

namespace firn::lance {

/// Appends the values of `dictionary` at `indices` (unsigned, 1, 2, 4 or 8 bytes wide).
Status AppendFromDictionary(const Items& dictionary, const Items& indices, Items& out);

}  // namespace firn::lance
