#pragma once
// How a table moves from version N to N+1, on a store whose only promise is put-if-absent. (The safety argument stands
// above the code in commit.cc.)

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::lance {

/// What a commit wants to do. Fragments carry no ids yet: the commit gives them, again after each rebase.
struct CreateTable {
  Schema schema;
  std::vector<Fragment> fragments;
  FileVersion data_version;
  std::map<std::string, std::string> config;
};
struct ReplaceTable {  // overwrite: new schema and fragments, history kept
  Schema schema;
  std::vector<Fragment> fragments;
};
struct AppendFragments {
  std::vector<Fragment> fragments;
};
using Operation = std::variant<CreateTable, ReplaceTable, AppendFragments>;

struct CommitContext {
  store::ObjectStore& store;
  Clock& clock;
  Random& random;
  std::string root;  // the table's folder in the store: "docs.lance"
  std::uint32_t max_attempts = 100;
};

/// The newest version's manifest. One LIST and one read when versions have their default names. NotFound when there is
/// no table.
Result<Manifest> ReadLatestManifest(store::ObjectStore& store, std::string_view root, const Deadline& deadline);
/// The same in two steps, for a caller that has reads for the listing's round: list this with
/// ObjectStore::ReadManyAndList, and give the page to the second. That is one read, unless versions have plain names.
store::ListRequest LatestVersionListing(std::string_view root);
Result<Manifest> ReadLatestManifest(store::ObjectStore& store, std::string_view root, store::ListPage listed,
                                    const Deadline& deadline);
/// NotFound names the versions that exist.
Result<Manifest> ReadManifest(store::ObjectStore& store, std::string_view root, std::uint64_t version,
                              const Deadline& deadline);
/// All versions there are, oldest first.
Result<std::vector<std::uint64_t>> ListVersions(store::ObjectStore& store, std::string_view root,
                                                const Deadline& deadline);

/// Makes `operation` the next version after `base`, or after whatever others committed meanwhile if it commutes with
/// that. `base` is null for CreateTable only. Returns the committed manifest. AlreadyExists: CreateTable on an existing
/// table. Conflict: something that does not commute won (the message says what); or max_attempts were lost. On
/// DeadlineExceeded or Unavailable the commit may have happened or not.
Result<Manifest> Commit(const CommitContext& context, const Manifest* base, const Operation& operation,
                        const Deadline& deadline);

}  // namespace firn::lance
