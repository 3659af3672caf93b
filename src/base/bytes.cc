#include "base/bytes.h"

#include <array>

namespace firn {

Buffer Buffer::Copy(ByteSpan bytes) { return Of(std::vector<std::uint8_t>(bytes.begin(), bytes.end())); }

Buffer Buffer::Of(std::string bytes) {
  auto owner = std::make_shared<const std::string>(std::move(bytes));
  const ByteSpan view = AsBytes(*owner);
  return {std::move(owner), view};
}

Buffer Buffer::Of(std::vector<std::uint8_t> bytes) { return OfValues(std::move(bytes)); }

Result<ByteSpan> ByteReader::Take(std::uint64_t size) {
  if (rest_.size() < size) return Short(size);
  const ByteSpan taken = rest_.first(size);
  rest_ = rest_.subspan(size);
  return taken;
}

Error ByteReader::Short(std::uint64_t wanted) const {
  return DataCorruption(std::string(what_) + " ends early: " + std::to_string(wanted) + " more bytes wanted, " +
                        std::to_string(rest_.size()) + " left");
}

std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t seed) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; i++) {
      std::uint32_t crc = i;
      for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82F63B78U : 0U);
      table[i] = crc;
    }
    return table;
  }();
  std::uint32_t crc = ~seed;
  for (const std::uint8_t byte : bytes) crc = kTable[(crc ^ byte) & 0xFF] ^ (crc >> 8);
  return ~crc;
}

std::string ToHex(ByteSpan bytes) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    hex += kDigits[byte >> 4];
    hex += kDigits[byte & 15];
  }
  return hex;
}

}  // namespace firn
