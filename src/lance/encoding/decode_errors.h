#pragma once
// What decoders have in common: the sentences of their errors, and the check that comes before every copy.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "lance/encoding/items.h"

namespace firn::lance {

/// True when `count` values of `width` bytes fit into `size`.
inline bool Fits(std::uint64_t count, std::uint64_t width, std::uint64_t size) {
  return width == 0 || count <= size / width;
}

inline Error Short(std::string_view what) { return DataCorruption(std::string(what) + " end early"); }

inline Error Mismatch(std::string_view encoding, const Items& out) {
  return Unsupported("the encoding `" + std::string(encoding) + "` of values of type " +
                     (out.type ? out.type->ToString() : std::to_string(8 * out.width_bytes) + " bits") +
                     " is not known");
}

inline Error TooMuchText() {
  return ResourceExhausted("the values of one page have more than 2 GiB of text or bytes", "read fewer rows at once");
}

}  // namespace firn::lance
