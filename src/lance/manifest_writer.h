#pragma once
// Private to lance/: the bytes of the next version. Everything that the old manifest holds and that does not change is
// carried over as it is - unknown fields, the index section, configuration, base paths - so that nothing which other
// writers keep there is lost.

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lance/manifest.h"

namespace firn::lance {

/// What every version is stamped with.
struct VersionStamp {
  std::uint64_t version = 0;
  WallTime timestamp{};
  std::string transaction;  // a serialised Transaction; stands inline in the manifest
};

/// Version 1 of a table.
Result<std::string> EncodeFirstManifest(const VersionStamp& stamp, const Schema& schema,
                                        std::vector<Fragment> fragments, FileVersion data_version,
                                        const std::map<std::string, std::string>& config);
/// `base` plus fragments: they get the ids after base.max_fragment_id, and row ids when the table has stable ones.
Result<std::string> EncodeAppend(const VersionStamp& stamp, const Manifest& base, std::vector<Fragment> fragments);
/// `base` with another schema and other fragments, and without indexes. Ids are not used again.
Result<std::string> EncodeReplace(const VersionStamp& stamp, const Manifest& base, const Schema& schema,
                                  std::vector<Fragment> fragments);

}  // namespace firn::lance
