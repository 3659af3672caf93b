#include "lance/index_metadata.h"

#include <memory>

#include "roaring.h"
#include "table.pb.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kMaxFragments = 1ULL << 24;  // of one bitmap, which may stand for many in a few bytes

struct FreeBitmap {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};

Result<std::set<std::uint32_t>> FragmentsFrom(std::string_view bytes) {
  const std::unique_ptr<roaring_bitmap_t, FreeBitmap> bitmap(
      roaring_bitmap_portable_deserialize_safe(bytes.data(), bytes.size()));
  const char* reason = nullptr;
  if (!bitmap || !roaring_bitmap_internal_validate(bitmap.get(), &reason))
    return DataCorruption("its fragments are not a good roaring bitmap");
  const std::uint64_t count = roaring_bitmap_get_cardinality(bitmap.get());
  if (count > kMaxFragments) return ResourceExhausted("it covers " + std::to_string(count) + " fragments");
  std::vector<std::uint32_t> ids(count);
  roaring_bitmap_to_uint32_array(bitmap.get(), ids.data());
  return std::set<std::uint32_t>(ids.begin(), ids.end());
}

std::string UuidText(std::string_view bytes) {
  std::string text = ToHex(AsBytes(bytes));
  for (const std::size_t dash : {8, 13, 18, 23}) text.insert(dash, "-");
  return text;
}

Result<IndexMetadata> IndexFrom(const pb::IndexMetadata& message) {
  IndexMetadata index;
  if (message.uuid().uuid().size() != 16) return DataCorruption("it has no good uuid");
  index.uuid = UuidText(message.uuid().uuid());
  index.name = message.name();
  index.field_ids.assign(message.fields().begin(), message.fields().end());
  index.dataset_version = message.dataset_version();
  if (!message.fragment_bitmap().empty()) {
    FIRN_TRY(index.fragments, FragmentsFrom(message.fragment_bitmap()));
  }
  index.details_type = message.index_details().type_url();
  index.details = message.index_details().value();
  index.index_version = message.index_version();
  if (message.has_base_id()) index.base_id = message.base_id();
  for (const pb::IndexFile& file : message.files()) index.file_sizes[file.path()] = file.size_bytes();
  return index;
}

}  // namespace

Result<std::vector<IndexMetadata>> DecodeIndexes(const Manifest& manifest) {
  const std::string place = "the index section of version " + std::to_string(manifest.version);
  const ByteSpan bytes = manifest.index_section.bytes();
  pb::IndexSection section;
  if (bytes.size() > INT32_MAX || !section.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
    return DataCorruption(place + " is not a valid message");
  std::vector<IndexMetadata> indexes;
  for (const pb::IndexMetadata& message : section.indices()) {
    Result<IndexMetadata> index = IndexFrom(message);
    if (!index) return std::move(index).error().In(place + ", index " + message.name());
    indexes.push_back(*std::move(index));
  }
  return indexes;
}

}  // namespace firn::lance
