#pragma once
// Small tables to test with: manifests without data files behind them.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lance/commit.h"

namespace firn::lance {

/// "id int64 not null, text string", with ids 0 and 1.
inline Schema SmallSchema() {
  Schema schema;
  schema.fields = {{0, -1, "id", "int64", false, {}}, {1, -1, "text", "string", true, {{"language", "en"}}}};
  schema.metadata = {{"owner", "tests"}};
  return schema;
}

inline Fragment SmallFragment(std::string file_name, std::uint64_t rows = 10, FileVersion version = {2, 1}) {
  DataFile file;
  file.path = std::move(file_name);
  file.field_ids = {0, 1};
  file.column_indices = {0, 1};
  file.version = version;
  file.size_bytes = 1000;
  Fragment fragment;
  fragment.files = {std::move(file)};
  fragment.physical_rows = rows;
  return fragment;
}

inline CreateTable SmallTable(std::vector<Fragment> fragments = {}) {
  return {SmallSchema(), std::move(fragments), {2, 1}, {}};
}

template <class T>
T Must(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().ToString();
  return std::move(result.value());
}

inline std::vector<std::string> FileNames(const Manifest& manifest) {
  std::vector<std::string> names;
  for (const Fragment& fragment : manifest.fragments) {
    for (const DataFile& file : fragment.files) names.push_back(file.path);
  }
  return names;
}

}  // namespace firn::lance
