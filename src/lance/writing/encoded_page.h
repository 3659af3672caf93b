#pragma once
// Private to lance/: a page as it goes into the file.

#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "encodings.pb.h"

namespace firn::lance {

struct EncodedPage {
  pb::PageLayout layout;
  std::vector<std::vector<Buffer>>
      buffers;  // of the page; each may be in pieces, which stand one after another in the file
  std::uint64_t rows = 0;

  void AddBuffer(Buffer bytes) { buffers.push_back({std::move(bytes)}); }
};

inline pb::CompressiveEncoding FlatEncoding(std::uint64_t bits) {
  pb::CompressiveEncoding encoding;
  encoding.mutable_flat()->set_bits_per_value(bits);
  return encoding;
}

inline pb::CompressiveEncoding VariableEncoding(std::uint64_t offset_bits) {
  pb::CompressiveEncoding encoding;
  *encoding.mutable_variable()->mutable_offsets() = FlatEncoding(offset_bits);
  return encoding;
}

}  // namespace firn::lance
