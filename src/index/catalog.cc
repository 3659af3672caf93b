#include "index/catalog.h"

namespace firn::index {
namespace {

constexpr std::string_view kMagic = "FIRNCAT1";
constexpr std::uint32_t kVersion = 2;
constexpr std::uint8_t kVectorKind = 1;

void AppendText(std::string& out, std::string_view text) {
  AppendLe(out, static_cast<std::uint16_t>(text.size()));
  out += text;
}

Result<std::string> ReadText(ByteReader& reader) {
  FIRN_TRY(const auto length, reader.Read<std::uint16_t>());
  FIRN_TRY(const ByteSpan bytes, reader.Take(length));
  return std::string(AsChars(bytes));
}

void AppendEntry(std::string& out, const SegmentEntry& entry) {
  AppendText(out, entry.name);
  AppendText(out, entry.column);
  AppendLe(out, entry.field_id);
  AppendLe(out, kVectorKind);
  AppendLe(out, static_cast<std::uint8_t>(entry.metric));
  AppendLe(out, entry.dim);
  AppendText(out, entry.object);
  AppendLe(out, entry.object_bytes);
  AppendLe(out, entry.footer.hot_offset);
  AppendLe(out, entry.footer.hot_bytes);
  AppendLe(out, entry.footer.hot_crc);
  AppendLe(out, entry.rows);
  AppendLe(out, entry.lists);
  AppendLe(out, entry.build_s);
  AppendLe<std::int64_t>(out, entry.created.time_since_epoch().count());
  AppendLe(out, static_cast<std::uint32_t>(entry.fragments.size()));
  for (const SegmentFragment& fragment : entry.fragments) {
    AppendLe(out, fragment.id);
    AppendLe(out, fragment.rows);
    AppendText(out, fragment.data_file);
  }
  AppendLe(out, entry.sparse_shift);
  AppendLe(out, entry.measured_queries);
  AppendLe(out, entry.real_queries);
  AppendLe(out, static_cast<std::uint32_t>(entry.calibrations.size()));
  for (const Calibration& calibration : entry.calibrations) {
    AppendLe(out, calibration.recall);
    AppendLe(out, calibration.stop);
    AppendLe(out, calibration.filtered_stop);
    AppendLe(out, calibration.slack);
    AppendLe(out, calibration.lists);
  }
}

Result<SegmentEntry> ReadEntry(ByteReader& reader, std::uint32_t version, std::string_view object) {
  SegmentEntry entry;
  FIRN_TRY(entry.name, ReadText(reader));
  FIRN_TRY(entry.column, ReadText(reader));
  FIRN_TRY(entry.field_id, reader.Read<std::int32_t>());
  FIRN_TRY(const auto kind, reader.Read<std::uint8_t>());
  FIRN_TRY(const auto metric, reader.Read<std::uint8_t>());
  if (kind != kVectorKind || metric > static_cast<std::uint8_t>(simd::Metric::kDot))
    return Unsupported(
        "index catalog " + std::string(object) + " lists an index of a kind or metric that this program does not know",
        "Use a newer firn, or build the index again");
  entry.metric = static_cast<simd::Metric>(metric);
  FIRN_TRY(entry.dim, reader.Read<std::uint32_t>());
  FIRN_TRY(entry.object, ReadText(reader));
  FIRN_TRY(entry.object_bytes, reader.Read<std::uint64_t>());
  FIRN_TRY(entry.footer.hot_offset, reader.Read<std::uint64_t>());
  FIRN_TRY(entry.footer.hot_bytes, reader.Read<std::uint64_t>());
  FIRN_TRY(entry.footer.hot_crc, reader.Read<std::uint32_t>());
  FIRN_TRY(entry.rows, reader.Read<std::uint64_t>());
  FIRN_TRY(entry.lists, reader.Read<std::uint32_t>());
  FIRN_TRY(entry.build_s, reader.Read<double>());
  FIRN_TRY(const auto created, reader.Read<std::int64_t>());
  entry.created = WallTime(Duration(created));
  FIRN_TRY(const auto fragments, reader.Read<std::uint32_t>());
  for (std::uint32_t i = 0; i < fragments; i++) {  // each takes bytes of the object, so the loop ends
    SegmentFragment fragment;
    FIRN_TRY(fragment.id, reader.Read<std::uint64_t>());
    FIRN_TRY(fragment.rows, reader.Read<std::uint64_t>());
    FIRN_TRY(fragment.data_file, ReadText(reader));
    entry.fragments.push_back(std::move(fragment));
  }
  if (version >= 2) {
    FIRN_TRY(entry.sparse_shift, reader.Read<float>());
    FIRN_TRY(entry.measured_queries, reader.Read<std::uint32_t>());
    FIRN_TRY(entry.real_queries, reader.Read<std::uint32_t>());
  }
  FIRN_TRY(const auto calibrations, reader.Read<std::uint32_t>());
  for (std::uint32_t i = 0; i < calibrations; i++) {
    Calibration calibration;
    FIRN_TRY(calibration.recall, reader.Read<float>());
    FIRN_TRY(calibration.stop, reader.Read<float>());
    calibration.filtered_stop = calibration.stop;
    if (version >= 2) {
      FIRN_TRY(calibration.filtered_stop, reader.Read<float>());
    }
    FIRN_TRY(calibration.slack, reader.Read<float>());
    FIRN_TRY(calibration.lists, reader.Read<std::uint32_t>());
    entry.calibrations.push_back(calibration);
  }
  return entry;
}

}  // namespace

std::uint64_t SegmentEntry::PhysicalRows() const {
  std::uint64_t sum = 0;
  for (const SegmentFragment& fragment : fragments) sum += fragment.rows;
  return sum;
}

std::string EncodeCatalog(const Catalog& catalog) {
  std::string out(kMagic);
  AppendLe(out, kVersion);
  AppendLe(out, catalog.number);
  AppendLe(out, static_cast<std::uint32_t>(catalog.segments.size()));
  for (const SegmentEntry& entry : catalog.segments) AppendEntry(out, entry);
  AppendLe(out, Crc32c(AsBytes(out)));
  return out;
}

Result<Catalog> DecodeCatalog(ByteSpan bytes, std::string_view object) {
  const std::string what = "index catalog " + std::string(object);
  const auto corrupt = [&](std::string_view why) {
    return DataCorruption(what + ": " + std::string(why), "Build the index again");
  };
  if (bytes.size() < kMagic.size() + 8 || AsChars(bytes.first(kMagic.size())) != kMagic)
    return corrupt("it does not begin as a catalog does");
  const ByteSpan body = bytes.first(bytes.size() - 4);
  ByteReader reader(body.subspan(kMagic.size()), what);
  FIRN_TRY(const auto version, reader.Read<std::uint32_t>());
  if (version < 1 || version > kVersion) {
    return Unsupported(what + " has format version " + std::to_string(version) + ", this program reads versions 1 to " +
                           std::to_string(kVersion),
                       "Use a newer firn, or build the index again");
  }
  if (Crc32c(body) != LoadLe<std::uint32_t>(bytes.data() + body.size())) return corrupt("its checksum does not match");
  Catalog catalog;
  FIRN_TRY(catalog.number, reader.Read<std::uint64_t>());
  FIRN_TRY(const auto segments, reader.Read<std::uint32_t>());
  if (segments > kMaxSegments) return corrupt("it lists " + std::to_string(segments) + " segments");
  for (std::uint32_t i = 0; i < segments; i++) {
    FIRN_TRY(SegmentEntry entry, ReadEntry(reader, version, object));
    catalog.segments.push_back(std::move(entry));
  }
  if (!reader.rest().empty()) return corrupt("something follows its last segment");
  return catalog;
}

}  // namespace firn::index
