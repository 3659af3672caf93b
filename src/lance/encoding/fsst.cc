#include "lance/encoding/fsst.h"

#include <bit>

namespace firn::lance {
namespace {
constexpr std::uint32_t kMagic = 0x46535354;  // "FSST"
constexpr std::uint8_t kEscape = 255;
}  // namespace

Result<FsstTable> FsstTable::Parse(ByteSpan table) {
  if (table.size() < 8) return DataCorruption("an FSST symbol table ends early");
  const auto header = LoadLe<std::uint64_t>(table.data());
  if (header >> 32 != kMagic) return DataCorruption("an FSST symbol table does not begin with its magic");
  FsstTable parsed;
  parsed.compressed_ = (header >> 24 & 1) != 0;
  const std::size_t count = header & 255;
  if (table.size() < 8 + 9 * count) return DataCorruption("an FSST symbol table ends early");
  CopyBytes(parsed.symbols_.data(), table.subspan(8, 8 * count));
  CopyBytes(parsed.lengths_.data(), table.subspan(8 + 8 * count, count));
  for (const std::uint8_t length : parsed.lengths_) {
    if (length > 8) return DataCorruption("an FSST symbol is longer than 8 bytes");
  }
  return parsed;
}

std::uint8_t* FsstTable::Decode(ByteSpan coded, std::uint8_t* out) const {
  const std::uint8_t* at = coded.data();
  const std::uint8_t* const end = at + coded.size();
  // Four codes at a time while none of them is an escape: which symbol comes next is not worth a branch each.
  while (end - at >= 4) {
    const auto codes = LoadLe<std::uint32_t>(at);
    const std::uint32_t escapes = (codes & 0x80808080U) & ((((~codes) & 0x7F7F7F7FU) + 0x7F7F7F7FU) ^ 0x80808080U);
    const int before_escape = escapes == 0 ? 4 : std::countr_zero(escapes) / 8;
    switch (before_escape) {
      case 4:
        Put(*at++, out);
        [[fallthrough]];
      case 3:
        Put(*at++, out);
        [[fallthrough]];
      case 2:
        Put(*at++, out);
        [[fallthrough]];
      case 1:
        Put(*at++, out);
        [[fallthrough]];
      default:
        break;
    }
    if (escapes == 0) continue;
    if (end - at < 2) break;
    *out++ = at[1];
    at += 2;
  }
  while (at < end) {
    const std::uint8_t code = *at++;
    if (code != kEscape) {
      Put(code, out);
    } else {
      if (at == end) return nullptr;
      *out++ = *at++;
    }
  }
  return out;
}

}  // namespace firn::lance
