#pragma once
// Byte ranges of several immutable objects, in one object: whoever reads it has, after one request, what would else
// take a request each and several rounds. PrimedStore (primed.h) serves reads from it, RecordingStore (recording.h)
// collects what belongs into one. A bundle is a hint: one that is out of date costs rounds and never an answer.
//
// Integers are little-endian:
//   [8 "FIRNHEAD"][u32 version = 1][u32 entries]                                                    16 bytes
//   entries x [u64 offset][u64 size of the object][i64 modified: ns since 1970, 0 = not known]
//             [u64 length][u16 bytes of the key][key]                                               34 bytes + key
//   entries x [zeros up to a multiple of 64 of the bundle][`length` bytes]
//   [u32 CRC-32C of all before it]                                                                  4 bytes

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace firn::store {

/// Bytes [offset, offset + bytes.size()) of an object.
struct BundleEntry {
  std::string key;
  std::uint64_t offset = 0;
  std::uint64_t object_size_bytes = 0;
  WallTime modified{};  // of the object, as listings show it; {} = not known
  Buffer bytes;
};

/// The entries' keys are valid (CheckKey), and their ranges lie inside their objects.
std::string EncodeBundle(std::span<const BundleEntry> entries);

/// The entries' bytes are views of `bundle`. `object` names it in messages. DataCorruption when it is not a bundle, or
/// a damaged one; Unsupported for a version that is not known.
Result<std::vector<BundleEntry>> DecodeBundle(const Buffer& bundle, std::string_view object);

}  // namespace firn::store
