#pragma once
// Deletion vectors: which rows of a fragment are gone. Files are an Arrow IPC file with one u32 column, or a 32-bit
// RoaringBitmap in its portable form; both are read, the bitmap is written.

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::lance {

/// Sorted, unique row offsets. Immutable; a share.
class DeletionVector {
 public:
  DeletionVector() = default;
  explicit DeletionVector(std::vector<std::uint32_t> sorted_offsets);
  bool Contains(std::uint32_t offset) const;
  std::span<const std::uint32_t> offsets() const;
  bool empty() const { return offsets().empty(); }

 private:
  std::shared_ptr<const std::vector<std::uint32_t>> offsets_;
};

/// Bytes of a deletion file of `kind`; every offset must be below `physical_rows`.
Result<DeletionVector> DecodeDeletionFile(DeletionFile::Kind kind, Buffer object, std::uint64_t physical_rows,
                                          std::string_view object_name);
/// The bitmap form.
std::string EncodeDeletionBitmap(std::span<const std::uint32_t> sorted_offsets);

/// The deletion vectors of those `fragments` that have one, in one round; key = fragment id.
Result<std::map<std::uint64_t, DeletionVector>> ReadDeletionVectors(store::ObjectStore& store, std::string_view root,
                                                                    std::span<const Fragment* const> fragments,
                                                                    const Deadline& deadline);

}  // namespace firn::lance
