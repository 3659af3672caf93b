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

/// The newest version of a table whose first page of LatestVersionListing (commit.h) is `listed`; empty when there is
/// none. No request, unless names are plain and there are more of them: only a whole listing shows the newest then.
Result<std::optional<VersionName>> LatestOf(store::ObjectStore& store, std::string_view root,
                                            const store::ListPage& listed, const Deadline& deadline);
/// LatestOf with its LIST.
Result<std::optional<VersionName>> FindLatest(store::ObjectStore& store, std::string_view root,
                                              const Deadline& deadline);

/// From a manifest object that was read: also checks that it is the version that its name says.
Result<Manifest> DecodeVersion(Buffer object, const VersionName& name, std::string_view key);

}  // namespace firn::lance
