#pragma once
// The indexes of a table as its manifest lists them. What an index's files hold is for others to know (index/).

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "lance/manifest.h"

namespace firn::lance {

/// One segment of an index; segments with the same name are one index over different fragments.
struct IndexMetadata {
  std::string uuid;  // 36 characters; its files lie below _indices/{uuid}/
  std::string name;
  std::vector<std::int32_t> field_ids;
  std::uint64_t dataset_version = 0;                 // it was built from
  std::optional<std::set<std::uint32_t>> fragments;  // absent: not recorded
  std::string details_type;                          // "/lance.index.pb.VectorIndexDetails"; "" = not recorded
  std::string details;                               // a message of that type
  std::int32_t index_version = 0;
  std::optional<std::uint32_t> base_id;             // its files lie in another base path
  std::map<std::string, std::uint64_t> file_sizes;  // by name; empty: not recorded
};

/// From the manifest's index section; none when it has no section. DataCorruption when that cannot be decoded.
Result<std::vector<IndexMetadata>> DecodeIndexes(const Manifest& manifest);

}  // namespace firn::lance
