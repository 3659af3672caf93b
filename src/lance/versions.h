#pragma once
// Private to lance/: the objects below _versions/, one a version.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::lance {

struct VersionName {
  std::uint64_t version = 0;
  ManifestNaming naming = ManifestNaming::kInverted;
  friend bool operator==(const VersionName&, const VersionName&) = default;
};

/// "docs.lance/_versions/18446744073709551614.manifest"
std::string VersionKey(std::string_view root, const VersionName& name);
/// Of the name below _versions/. Empty for what is not a version: hints, detached versions, files under way.
std::optional<VersionName> ParseVersionName(std::string_view file_name);

/// The newest version's name; empty when there is none. One LIST, unless names are plain.
Result<std::optional<VersionName>> FindLatest(store::ObjectStore& store, std::string_view root,
                                              const Deadline& deadline);

/// From a manifest object that was read: also checks that it is the version that its name says.
Result<Manifest> DecodeVersion(Buffer object, const VersionName& name, std::string_view key);

}  // namespace firn::lance
