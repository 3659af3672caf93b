// Which tables this program may touch. A table sets a flag for each feature that a reader (or writer) must understand;
// one that is not known means that what we would read, or leave out when writing, could be wrong.
#include <array>
#include <bit>

#include "lance/manifest.h"

namespace firn::lance {
namespace {

struct Feature {
  std::uint64_t flag;
  std::string_view name;
  bool may_read;
  bool may_write;
  std::string_view way_out;  // for a table that has it
};
constexpr std::string_view kNewer = "use a newer Firn, or LanceDB";

constexpr std::array kFeatures = {
    Feature{kFlagDeletionFiles, "deletion files", true, true, kNewer},
    Feature{kFlagStableRowIds, "stable row ids", true, true, kNewer},
    Feature{4, "the second file format", true, true, kNewer},
    Feature{8, "table configuration", true, true, kNewer},
    Feature{16, "base paths", true, true, kNewer},
    Feature{32, "no transaction files", true, true, kNewer},
    Feature{64, "overlay files", false, false,
            "open it with LanceDB and run optimize(), which folds overlays into data files, or use a newer Firn"},
    Feature{128, "covering indexes", false, false, "drop the covering index with LanceDB, or use a newer Firn"},
    Feature{256, "data files of mixed versions", false, false,
            "open it with LanceDB and run optimize(), or use a newer Firn"},
    Feature{512, "a fragment reuse index", false, false,
            "open it with LanceDB and run optimize() until its indexes have caught up, or use a newer Firn"},
    Feature{1024, "a fragment reuse index", false, false,
            "open it with LanceDB and run optimize() until its indexes have caught up, or use a newer Firn"},
};

Feature FeatureOf(std::uint64_t flag) {
  for (const Feature& feature : kFeatures) {
    if (feature.flag == flag) return feature;
  }
  return {flag, "unknown to this Firn", false, false, kNewer};
}

Error Refusal(std::string_view table, const Feature& feature, std::string_view verb) {
  std::string message = "table ";
  message.append(table).append(" uses Lance feature ").append(std::to_string(feature.flag));
  message.append(" (").append(feature.name).append("), with which this Firn cannot ").append(verb).append(" it");
  return Unsupported(std::move(message), std::string(feature.way_out));
}

Status CheckFlags(std::uint64_t flags, bool Feature::* allowed, std::string_view table, std::string_view verb) {
  for (std::uint64_t left = flags; left != 0; left &= left - 1) {
    const Feature feature = FeatureOf(std::uint64_t{1} << std::countr_zero(left));
    if (!(feature.*allowed)) return Refusal(table, feature, verb);
  }
  return {};
}

Error ElsewhereRefusal(std::string_view table, std::string_view what, std::uint32_t base_id) {
  return Unsupported("table " + std::string(table) + " keeps " + std::string(what) +
                         " under another base path (number " + std::to_string(base_id) +
                         "), which this Firn does not follow",
                     "copy the table into one place with LanceDB (create_table from its rows), or use LanceDB");
}

// A shallow clone keeps files elsewhere.
Status CheckBases(const Manifest& manifest, std::string_view table) {
  for (const Fragment& fragment : manifest.fragments) {
    for (const DataFile& file : fragment.files) {
      if (file.base_id) return ElsewhereRefusal(table, "data files", *file.base_id);
    }
    if (fragment.deletion && fragment.deletion->base_id) {
      return ElsewhereRefusal(table, "deletion files", *fragment.deletion->base_id);
    }
  }
  return {};
}

// The first format (0.1) has no column indices, so that its columns would read as absent; 2.0 stands in manifests
// as 2.0 or 0.3.
Status CheckFileVersions(const Manifest& manifest, std::string_view table) {
  for (const Fragment& fragment : manifest.fragments) {
    for (const DataFile& file : fragment.files) {
      if (file.version >= FileVersion{2, 1} && file.version <= FileVersion{2, 2}) continue;
      const bool two = file.version == FileVersion{0, 3};
      return Unsupported(
          "table " + std::string(table) + " has data files of Lance file format " +
              (two ? "2.0" : std::to_string(file.version.major) + "." + std::to_string(file.version.minor)) +
              "; this Firn reads 2.1 and 2.2",
          "rewrite the table with LanceDB: db.create_table(name, old.to_arrow(), "
          "storage_options={\"new_table_data_storage_version\": \"2.1\"})");
    }
  }
  return {};
}

}  // namespace

Status CheckReadable(const Manifest& manifest, std::string_view table) {
  FIRN_CHECK(CheckFlags(manifest.reader_flags, &Feature::may_read, table, "read"));
  FIRN_CHECK(CheckBases(manifest, table));
  return CheckFileVersions(manifest, table);
}

Status CheckWritable(const Manifest& manifest, std::string_view table) {
  FIRN_CHECK(CheckReadable(manifest, table));
  FIRN_CHECK(CheckFlags(manifest.writer_flags, &Feature::may_write, table, "write"));
  if (manifest.data_version < FileVersion{2, 1} || manifest.data_version > FileVersion{2, 2}) {
    return Unsupported("table " + std::string(table) + " has data files of version " +
                           std::to_string(manifest.data_version.major) + "." +
                           std::to_string(manifest.data_version.minor) + "; this Firn writes 2.1 and 2.2",
                       "append with LanceDB, or copy the table into a new one");
  }
  return {};
}

}  // namespace firn::lance
