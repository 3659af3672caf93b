// Arbitrary bytes as an index catalog, as they are and with the right checksum at their end. Whatever they hold: an
// error, or a catalog that is written again as the same bytes - of an older version, as bytes that are then the same.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "index/catalog.h"

namespace firn::index {
namespace {

void Check(const std::string& bytes) {
  const auto catalog = DecodeCatalog(AsBytes(bytes), "fuzz");
  if (!catalog) return;
  if (catalog->segments.size() > kMaxSegments) std::abort();
  for (const SegmentEntry& entry : catalog->segments) (void)entry.PhysicalRows();
  const std::string written = EncodeCatalog(*catalog);
  constexpr std::size_t kVersionAt = 8;
  if (written[kVersionAt] == bytes[kVersionAt]) {
    if (written != bytes) std::abort();
    return;
  }
  const auto again = DecodeCatalog(AsBytes(written), "fuzz");
  if (!again || EncodeCatalog(*again) != written) std::abort();
}

}  // namespace
}  // namespace firn::index

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(firn::AsChars({data, size}));
  firn::index::Check(bytes);
  if (size < 4) return 0;
  bytes.resize(size - 4);
  firn::AppendLe(bytes, firn::Crc32c(firn::AsBytes(bytes)));
  firn::index::Check(bytes);
  return 0;
}
