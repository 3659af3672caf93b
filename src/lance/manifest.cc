#include "lance/manifest.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "lance/manifest_message.h"

namespace firn::lance {
namespace {

// Years 1970 to 2262 fit in nanoseconds; anything else is shown as the epoch.
WallTime TimeFrom(const pb::Timestamp& message) {
  constexpr std::int64_t kMaxSeconds = INT64_MAX / 1'000'000'000 - 1;
  if (message.seconds() < 0 || message.seconds() > kMaxSeconds) return {};
  if (message.nanos() < 0 || message.nanos() >= 1'000'000'000) return {};
  return WallTime(std::chrono::seconds(message.seconds()) + std::chrono::nanoseconds(message.nanos()));
}

Result<FileVersion> VersionFrom(const pb::DataStorageFormat& format) {
  const std::string& text = format.version();
  const std::size_t dot = text.find('.');
  FileVersion version;
  const auto number = [](std::string_view digits, std::uint32_t& to) {
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), to);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  if (format.file_format() == "lance" && dot != std::string::npos &&
      number(std::string_view(text).substr(0, dot), version.major) &&
      number(std::string_view(text).substr(dot + 1), version.minor)) {
    return version;
  }
  return Unsupported("the data format is " + format.file_format() + " " + text + ", which this Firn does not know",
                     "use a newer Firn");
}

std::string WriterFrom(const pb::WriterVersion& message) {
  std::string text = message.library() + " " + message.version();
  if (message.has_prerelease()) text += "-" + message.prerelease();
  if (message.has_build_metadata()) text += "+" + message.build_metadata();
  return text;
}

Result<std::vector<Fragment>> FragmentsFrom(const pb::Manifest& message) {
  std::vector<Fragment> fragments;
  fragments.reserve(static_cast<std::size_t>(message.fragments_size()));
  std::set<std::uint64_t> ids;
  for (const pb::DataFragment& fragment : message.fragments()) {
    FIRN_TRY(Fragment decoded, FragmentFromMessage(fragment));
    if (!ids.insert(decoded.id).second) {
      return DataCorruption("two fragments have the id " + std::to_string(decoded.id));
    }
    fragments.push_back(std::move(decoded));
  }
  return fragments;
}

Result<Manifest> FromMessage(const pb::Manifest& message) {
  Manifest manifest;
  manifest.version = message.version();
  FIRN_TRY(manifest.schema, SchemaFromMessages(message.fields(), message.schema_metadata()));
  FIRN_TRY(manifest.fragments, FragmentsFrom(message));
  manifest.reader_flags = message.reader_feature_flags();
  manifest.writer_flags = message.writer_feature_flags();
  if (message.has_max_fragment_id()) manifest.max_fragment_id = message.max_fragment_id();
  for (const Fragment& fragment : manifest.fragments) {  // the field may be absent, or behind
    manifest.max_fragment_id = std::max(manifest.max_fragment_id.value_or(0), fragment.id);
  }
  manifest.timestamp = TimeFrom(message.timestamp());
  if (message.has_data_format()) {
    FIRN_TRY(manifest.data_version, VersionFrom(message.data_format()));
  } else if (!manifest.fragments.empty() && !manifest.fragments[0].files.empty()) {
    manifest.data_version = manifest.fragments[0].files[0].version;
  }
  manifest.config = MapFrom(message.config());
  for (const pb::BasePath& base : message.base_paths()) manifest.base_paths[base.id()] = base.path();
  manifest.writer = WriterFrom(message.writer_version());
  manifest.transaction_file = message.transaction_file();
  return manifest;
}

}  // namespace

std::string DeletionFile::PathFor(std::uint64_t fragment_id) const {
  return "_deletions/" + std::to_string(fragment_id) + "-" + std::to_string(read_version) + "-" + std::to_string(id) +
         (kind == Kind::kArrow ? ".arrow" : ".bin");
}

std::uint64_t Manifest::LiveRows() const {
  std::uint64_t rows = 0;
  for (const Fragment& fragment : fragments) rows += fragment.LiveRows();
  return rows;
}

const Fragment* Manifest::FindFragment(std::uint64_t id) const {
  const auto found = std::ranges::find(fragments, id, &Fragment::id);
  return found == fragments.end() ? nullptr : &*found;
}

Result<Manifest> DecodeManifest(Buffer object, std::string_view object_name) {
  FIRN_TRY(const ParsedManifest parsed, ParseManifestObject(object.bytes(), object_name));
  auto manifest = FromMessage(parsed.message);
  if (!manifest) return std::move(manifest.error()).In(object_name);
  if (parsed.sections.has_index) {
    const auto position = static_cast<std::size_t>(parsed.sections.index.data() - object.data());
    manifest->index_section = object.Slice(position, parsed.sections.index.size());
  }
  manifest->object = std::move(object);
  return manifest;
}

}  // namespace firn::lance
