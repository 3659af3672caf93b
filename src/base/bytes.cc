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

namespace {

#if defined(__x86_64__)

/// The processor's own instruction: some four times as fast as tables.
__attribute__((target("sse4.2"))) std::uint32_t Crc32cBySse42(ByteSpan bytes, std::uint32_t crc) {
  std::uint64_t wide = crc;
  while (bytes.size() >= 8) {
    wide = __builtin_ia32_crc32di(wide, LoadLe<std::uint64_t>(bytes.data()));
    bytes = bytes.subspan(8);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (const std::uint8_t byte : bytes) crc = __builtin_ia32_crc32qi(crc, byte);
  return crc;
}

#endif

std::uint32_t Crc32cByTables(ByteSpan bytes, std::uint32_t crc) {
  // Eight bytes a step (Kounavis & Berry 2005): table k holds the sum of a byte that k more zero bytes follow.
  static constexpr auto kTables = [] {
    std::array<std::array<std::uint32_t, 256>, 8> tables{};
    for (std::uint32_t i = 0; i < 256; i++) {
      std::uint32_t sum = i;
      for (int bit = 0; bit < 8; bit++) sum = (sum >> 1) ^ ((sum & 1) != 0 ? 0x82F63B78U : 0U);
      tables[0][i] = sum;
    }
    for (std::uint32_t i = 0; i < 256; i++) {
      for (std::size_t k = 1; k < 8; k++) tables[k][i] = (tables[k - 1][i] >> 8) ^ tables[0][tables[k - 1][i] & 0xFF];
    }
    return tables;
  }();
  while (bytes.size() >= 8) {
    const std::uint64_t word = LoadLe<std::uint64_t>(bytes.data()) ^ crc;
    crc = 0;
    for (std::size_t k = 0; k < 8; k++) crc ^= kTables[7 - k][word >> (8 * k) & 0xFF];
    bytes = bytes.subspan(8);
  }
  for (const std::uint8_t byte : bytes) crc = kTables[0][(crc ^ byte) & 0xFF] ^ (crc >> 8);
  return crc;
}

}  // namespace

std::uint32_t Crc32c(ByteSpan bytes, std::uint32_t seed) {
#if defined(__x86_64__)
  static const bool native = __builtin_cpu_supports("sse4.2") != 0;
  if (native) return ~Crc32cBySse42(bytes, ~seed);
#endif
  return ~Crc32cByTables(bytes, ~seed);
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
