#include "lance/deletion.h"

#include <algorithm>

#include "arrow/ipc.h"
#include "roaring.h"

namespace firn::lance {
namespace {

// A bitmap of a few bytes can stand for billions of rows; as offsets these take a gigabyte.
constexpr std::uint64_t kMaxDeletedRows = 1ULL << 28;

struct FreeBitmap {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<roaring_bitmap_t, FreeBitmap>;

Status CheckCount(std::uint64_t count) {
  if (count <= kMaxDeletedRows) return {};
  return ResourceExhausted(
      "deletes " + std::to_string(count) + " rows of one fragment; the limit is " + std::to_string(kMaxDeletedRows),
      "compact the table with LanceDB's optimize()");
}

Result<std::vector<std::uint32_t>> FromBitmap(ByteSpan bytes) {
  const auto* chars = reinterpret_cast<const char*>(bytes.data());
  const Bitmap bitmap(roaring_bitmap_portable_deserialize_safe(chars, bytes.size()));
  const char* reason = nullptr;
  if (!bitmap || !roaring_bitmap_internal_validate(bitmap.get(), &reason)) {
    return DataCorruption(std::string("is not a good roaring bitmap") + (reason != nullptr ? ": " : "") +
                          (reason != nullptr ? reason : ""));
  }
  FIRN_CHECK(CheckCount(roaring_bitmap_get_cardinality(bitmap.get())));
  std::vector<std::uint32_t> offsets(roaring_bitmap_get_cardinality(bitmap.get()));
  roaring_bitmap_to_uint32_array(bitmap.get(), offsets.data());
  return offsets;
}

/// One column of offsets, in any order; the writer's documents and its code disagree on the sign.
Result<std::vector<std::uint32_t>> FromArrow(Buffer object) {
  arrow::IpcReadOptions options;
  options.max_batch_bytes = kMaxDeletedRows * sizeof(std::uint32_t);
  FIRN_TRY(const arrow::IpcContents contents, arrow::ReadIpc(std::move(object), options));
  if (contents.schema->fields.size() != 1) return DataCorruption("has not exactly one column");
  const arrow::TypeId type = contents.schema->fields[0].type->id;
  if (type != arrow::TypeId::kUInt32 && type != arrow::TypeId::kInt32) {
    return DataCorruption("holds " + contents.schema->fields[0].type->ToString() + " instead of uint32");
  }
  std::vector<std::uint32_t> offsets;
  for (const arrow::RecordBatch& batch : contents.batches) {
    if (batch.columns[0].null_count() > 0) return DataCorruption("holds nulls");
    const auto values = batch.columns[0].Values<std::uint32_t>();  // an i32 below zero is past every fragment's end
    offsets.insert(offsets.end(), values.begin(), values.end());
  }
  FIRN_CHECK(CheckCount(offsets.size()));
  std::ranges::sort(offsets);
  offsets.erase(std::ranges::unique(offsets).begin(), offsets.end());
  return offsets;
}

Result<DeletionVector> Decode(DeletionFile::Kind kind, Buffer object, std::uint64_t physical_rows) {
  FIRN_TRY(std::vector<std::uint32_t> offsets,
           kind == DeletionFile::Kind::kBitmap ? FromBitmap(object.bytes()) : FromArrow(std::move(object)));
  if (!offsets.empty() && offsets.back() >= physical_rows) {
    return DataCorruption("deletes row " + std::to_string(offsets.back()) + " of a fragment that has " +
                          std::to_string(physical_rows) + " rows");
  }
  return DeletionVector(std::move(offsets));
}

}  // namespace

DeletionVector::DeletionVector(std::vector<std::uint32_t> sorted_offsets)
    : offsets_(std::make_shared<const std::vector<std::uint32_t>>(std::move(sorted_offsets))) {}

bool DeletionVector::Contains(std::uint32_t offset) const { return std::ranges::binary_search(offsets(), offset); }

std::span<const std::uint32_t> DeletionVector::offsets() const {
  return offsets_ ? std::span<const std::uint32_t>(*offsets_) : std::span<const std::uint32_t>();
}

Result<DeletionVector> DecodeDeletionFile(DeletionFile::Kind kind, Buffer object, std::uint64_t physical_rows,
                                          std::string_view object_name) {
  auto decoded = Decode(kind, std::move(object), physical_rows);
  if (!decoded) return std::move(decoded.error()).In(object_name);
  return decoded;
}

std::string EncodeDeletionBitmap(std::span<const std::uint32_t> sorted_offsets) {
  const Bitmap bitmap(roaring_bitmap_of_ptr(sorted_offsets.size(), sorted_offsets.data()));
  roaring_bitmap_run_optimize(bitmap.get());
  std::string bytes(roaring_bitmap_portable_size_in_bytes(bitmap.get()), '\0');
  roaring_bitmap_portable_serialize(bitmap.get(), bytes.data());
  return bytes;
}

Result<std::map<std::uint64_t, DeletionVector>> ReadDeletionVectors(store::ObjectStore& store, std::string_view root,
                                                                    std::span<const Fragment* const> fragments,
                                                                    const Deadline& deadline) {
  std::vector<const Fragment*> with_deletions;
  std::vector<store::ReadRequest> requests;
  for (const Fragment* fragment : fragments) {
    if (!fragment->deletion) continue;
    with_deletions.push_back(fragment);
    requests.push_back(store::ReadRequest::Whole(std::string(root) + "/" + fragment->deletion->PathFor(fragment->id)));
  }
  std::map<std::uint64_t, DeletionVector> vectors;
  if (requests.empty()) return vectors;
  auto results = store.ReadMany(requests, deadline);
  for (std::size_t i = 0; i < results.size(); i++) {
    if (!results[i]) return std::move(results[i].error());
    const Fragment& fragment = *with_deletions[i];
    FIRN_TRY(DeletionVector vector, DecodeDeletionFile(fragment.deletion->kind, std::move(results[i]->bytes),
                                                       fragment.physical_rows, requests[i].key));
    const std::uint64_t recorded = fragment.deletion->deleted_rows;
    if (recorded != 0 && recorded != vector.offsets().size()) {
      return DataCorruption(requests[i].key + " deletes " + std::to_string(vector.offsets().size()) +
                            " rows, but the manifest says " + std::to_string(recorded));
    }
    vectors.emplace(fragment.id, std::move(vector));
  }
  return vectors;
}

}  // namespace firn::lance
