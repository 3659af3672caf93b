// Arbitrary bytes as a bundle: an error, or entries that lie where they say; written again they give the same. The
// checksum is put right first, so that what stands before it is looked at too.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "store/bundle.h"
#include "store/memory/memory_store.h"
#include "store/primed.h"

namespace {

using namespace firn;
using namespace firn::store;

void Require(bool holds) {
  if (!holds) std::abort();
}

/// A store primed with the entries gives answers of the right length.
void Serve(const std::vector<BundleEntry>& entries) {
  PrimedStore primed(OpenMemory("fuzz", SystemClock()), 1 << 20);
  primed.Add(entries);
  for (const BundleEntry& entry : entries) {
    const auto read = Read(primed, ReadRequest::Range(entry.key, entry.offset, entry.bytes.size()), Deadline::Never());
    Require(!read || read->bytes.size() == entry.bytes.size());
    const auto tail = Read(primed, ReadRequest::Tail(entry.key, 100), Deadline::Never());
    Require(!tail || tail->bytes.size() == std::min<std::uint64_t>(100, tail->object_size_bytes));
  }
}

void Decode(const Buffer& bundle) {
  const auto entries = DecodeBundle(bundle, "fuzz");
  if (!entries) {
    const ErrorKind kind = entries.error().kind;
    return Require(kind == ErrorKind::kDataCorruption || kind == ErrorKind::kUnsupported);
  }
  const auto again = DecodeBundle(Buffer::Of(EncodeBundle(*entries)), "again");
  Require(again && again->size() == entries->size());
  for (std::size_t i = 0; i < entries->size(); i++) {
    const BundleEntry& a = (*entries)[i];
    const BundleEntry& b = (*again)[i];
    Require(InBounds(a.offset, a.bytes.size(), a.object_size_bytes));
    Require(a.key == b.key && a.offset == b.offset && a.object_size_bytes == b.object_size_bytes);
    Require(a.modified == b.modified && a.bytes.chars() == b.bytes.chars());
  }
  Serve(*entries);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(AsChars({data, size}));
  Decode(Buffer::Of(bytes));
  if (bytes.size() < 4) return 0;
  bytes.resize(bytes.size() - 4);
  AppendLe(bytes, Crc32c(AsBytes(bytes)));
  Decode(Buffer::Of(std::move(bytes)));
  return 0;
}
