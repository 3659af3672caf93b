#include "index/vector/segment_format.h"

#include <cmath>

namespace firn::index {
namespace {

void AppendFloats(std::string& out, std::span<const float> values) {
  out.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
}

Error Corrupt(std::string_view object, std::string_view what) {
  return DataCorruption("index object " + std::string(object) + ": " + std::string(what),
                        "Searches go on without it; build the index again");
}

Status CheckShape(const SegmentHeader& header, std::uint32_t lists, std::string_view object) {
  if (header.dim == 0 || header.dim > kMaxIndexDim || header.padded_dim % 16 != 0 || header.padded_dim < header.dim ||
      header.padded_dim >= header.dim + 16) {
    return Corrupt(
        object, "its dimension is " + std::to_string(header.dim) + ", padded to " + std::to_string(header.padded_dim));
  }
  if (lists == 0 || lists > kMaxLists) return Corrupt(object, "it has " + std::to_string(lists) + " lists");
  return {};
}

Status CheckLists(const SegmentHeader& header, std::string_view object) {
  std::uint64_t rows = 0;
  for (const ListEntry& list : header.lists) {
    rows += list.rows;
    if (list.ref_bits > 32 || !std::isfinite(list.norm2) || !std::isfinite(list.radius) || !std::isfinite(list.bias))
      return Corrupt(object, "a list's entry is not what the format says");
  }
  std::uint64_t physical = 0;
  for (const SegmentFragment& fragment : header.fragments) {
    if (fragment.rows > kMaxSegmentRows || (physical += fragment.rows) > kMaxSegmentRows)
      return Corrupt(object, "its fragments have too many rows");
  }
  if (rows != header.rows || rows > physical)
    return Corrupt(object, "its lists hold " + std::to_string(rows) + " rows of " + std::to_string(physical));
  return {};
}

}  // namespace

std::string EncodeHotPart(const SegmentHeader& header) {
  std::string out;
  AppendLe<std::uint32_t>(out, header.dim);
  AppendLe<std::uint32_t>(out, header.padded_dim);
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(header.lists.size()));
  AppendLe<std::uint8_t>(out, static_cast<std::uint8_t>(header.metric));
  AppendLe<std::uint8_t>(out, static_cast<std::uint8_t>(header.element));
  AppendLe<std::uint16_t>(out, 0);
  AppendLe<std::uint64_t>(out, header.rows);
  AppendLe<std::uint64_t>(out, header.seed);
  AppendLe<float>(out, header.centroid_low);
  AppendLe<float>(out, header.centroid_step);
  AppendFloats(out, header.mean);
  for (const ListEntry& list : header.lists) {
    AppendLe(out, list.rows);
    AppendLe(out, list.ref_low);
    AppendLe(out, list.ref_bits);
    AppendLe(out, list.codes_crc);
    AppendLe(out, list.supplement_crc);
    AppendLe(out, list.norm2);
    AppendLe(out, list.radius);
    AppendLe(out, list.bias);
  }
  out.append(header.centroids.chars());
  AppendLe<std::uint32_t>(out, static_cast<std::uint32_t>(header.fragments.size()));
  for (const SegmentFragment& fragment : header.fragments) {
    AppendLe<std::uint64_t>(out, fragment.id);
    AppendLe<std::uint64_t>(out, fragment.rows);
    AppendLe<std::uint16_t>(out, static_cast<std::uint16_t>(fragment.data_file.size()));
    out += fragment.data_file;
  }
  return out;
}

Result<SegmentHeader> DecodeHotPart(Buffer hot, std::string_view object) {
  const std::string what = "index object " + std::string(object);
  ByteReader reader(hot.bytes(), what);
  SegmentHeader header;
  FIRN_TRY(header.dim, reader.Read<std::uint32_t>());
  FIRN_TRY(header.padded_dim, reader.Read<std::uint32_t>());
  FIRN_TRY(const auto lists, reader.Read<std::uint32_t>());
  FIRN_CHECK(CheckShape(header, lists, object));
  FIRN_TRY(const auto metric, reader.Read<std::uint8_t>());
  FIRN_TRY(const auto element, reader.Read<std::uint8_t>());
  if (metric > static_cast<std::uint8_t>(simd::Metric::kDot) || element > static_cast<std::uint8_t>(simd::Element::kI8))
    return Corrupt(object, "its metric or element type is not known");
  header.metric = static_cast<simd::Metric>(metric);
  header.element = static_cast<simd::Element>(element);
  FIRN_CHECK(reader.Read<std::uint16_t>());
  FIRN_TRY(header.rows, reader.Read<std::uint64_t>());
  FIRN_TRY(header.seed, reader.Read<std::uint64_t>());
  FIRN_TRY(header.centroid_low, reader.Read<float>());
  FIRN_TRY(header.centroid_step, reader.Read<float>());

  FIRN_TRY(const ByteSpan mean, reader.Take(std::uint64_t{header.padded_dim} * sizeof(float)));
  header.mean.resize(header.padded_dim);
  std::memcpy(header.mean.data(), mean.data(), mean.size());
  FIRN_TRY(const ByteSpan entries, reader.Take(std::uint64_t{lists} * kListEntryBytes));
  header.lists.resize(lists);
  for (std::size_t i = 0; i < lists; i++) {
    const std::uint8_t* at = entries.data() + i * kListEntryBytes;
    header.lists[i] = {LoadLe<std::uint32_t>(at),      LoadLe<std::uint32_t>(at + 4),  LoadLe<std::uint32_t>(at + 8),
                       LoadLe<std::uint32_t>(at + 12), LoadLe<std::uint32_t>(at + 16), LoadLe<float>(at + 20),
                       LoadLe<float>(at + 24),         LoadLe<float>(at + 28)};
  }
  FIRN_TRY(const ByteSpan centroids, reader.Take(std::uint64_t{lists} * header.padded_dim));
  header.centroids = hot.Slice(static_cast<std::size_t>(centroids.data() - hot.data()), centroids.size());

  FIRN_TRY(const auto fragments, reader.Read<std::uint32_t>());
  for (std::uint32_t i = 0; i < fragments; i++) {  // each takes bytes of the buffer, so the loop ends
    SegmentFragment fragment;
    FIRN_TRY(fragment.id, reader.Read<std::uint64_t>());
    FIRN_TRY(fragment.rows, reader.Read<std::uint64_t>());
    FIRN_TRY(const auto length, reader.Read<std::uint16_t>());
    FIRN_TRY(const ByteSpan path, reader.Take(length));
    fragment.data_file = AsChars(path);
    header.fragments.push_back(std::move(fragment));
  }
  FIRN_CHECK(CheckLists(header, object));
  return header;
}

std::string EncodeSegmentFooter(const SegmentFooter& footer) {
  std::string out;
  AppendLe(out, footer.hot_offset);
  AppendLe(out, footer.hot_bytes);
  AppendLe(out, footer.hot_crc);
  AppendLe(out, kSegmentVersion);
  out += kSegmentMagic;
  return out;
}

Result<SegmentFooter> DecodeSegmentFooter(ByteSpan tail, std::uint64_t object_bytes, std::string_view object) {
  if (tail.size() < kSegmentFooterBytes) return Corrupt(object, "it is shorter than its footer");
  const std::uint8_t* at = tail.data() + tail.size() - kSegmentFooterBytes;
  if (AsChars({at + 24, 8}) != kSegmentMagic) return Corrupt(object, "it does not end as a vector segment does");
  if (const auto version = LoadLe<std::uint32_t>(at + 20); version != kSegmentVersion) {
    return Unsupported("index object " + std::string(object) + " has format version " + std::to_string(version) +
                           ", this program reads version " + std::to_string(kSegmentVersion),
                       "Build the index again, or use a newer firn");
  }
  const SegmentFooter footer{LoadLe<std::uint64_t>(at), LoadLe<std::uint64_t>(at + 8), LoadLe<std::uint32_t>(at + 16)};
  if (object_bytes < kSegmentHeaderBytes + kSegmentFooterBytes ||
      !InBounds(footer.hot_offset, footer.hot_bytes, object_bytes - kSegmentFooterBytes)) {
    return Corrupt(object, "its footer points outside of it");
  }
  return footer;
}

}  // namespace firn::index
