#pragma once
// Private to lance/: large values - vectors, long texts - one after another, each readable alone.
//
//   buffer 0   for each item: control word (0, 1, 2 or 4 bytes: rep << def bits | def) | for strings and bytes the
//   length, u32 or u64
//              for the large types | the value. A null fixed-width item still has its bytes; a null string or an item
//              inside no list has only the control word.
//   buffer 1   for strings, bytes and lists: where in buffer 0 each row begins, and the end: 1, 2, 4 or 8 bytes each
//
// A fixed_size_list value is its items; when an item may be null, ceil(n / 8) bytes of validity stand before them.
// Vectors without nulls are therefore the raw matrix, and are not copied.

#include "lance/writing/encoded_page.h"
#include "lance/writing/shred.h"

namespace firn::lance {

/// Values are anything but bools and nulls.
EncodedPage EncodeFullZipPage(const LeafColumn& leaf);

/// Non-null vectors of a top-level column, in pieces that need not be joined: all of `values` are fixed_size_lists of
/// one type, without nulls at either level.
EncodedPage EncodeRawVectorPage(const std::vector<arrow::Array>& values);

}  // namespace firn::lance
