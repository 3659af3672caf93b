#pragma once
// The hint object of a table, `_firn/head`: a bundle (store/bundle.h) of all that a search needs before it reads lists
// and rows - the newest manifest, the index catalog, the hot parts of the segments, deletion files, and what the data
// files say of their pages: of each some hundred bytes for each of its pages, and where values lie inside them as far
// as there is room. One read instead of several rounds. It is overwritten after each change that Firn makes to
// a table that has an index. Manifests are listed in the same round as it is read: a stale, missing or damaged hint
// costs rounds, never an answer.

#include <string>
#include <string_view>
#include <vector>

#include "index/catalog.h"
#include "table/table.h"

namespace firn::table {

/// Of one hint: it must stay small beside what it saves. What does not fit costs searches a round more.
inline constexpr std::uint64_t kMaxHeadBytes = 16ULL << 20;
/// Of that, of page indexes: every search reads them, and those save a round that show such columns.
inline constexpr std::uint64_t kMaxHeadIndexBytes = 4ULL << 20;

std::string HeadKey(std::string_view root);

/// A catalog, where one that cannot be used is an empty one: that costs time and a warning, never an answer.
struct UsableCatalog {
  index::Catalog catalog;
  std::vector<std::string> warnings;  // why it cannot be used, and what to do; for the reply of a search
};
Result<UsableCatalog> ReadUsableCatalog(const Environment& environment, std::string_view root,
                                        const Deadline& deadline);

/// The newest version and its catalog. With a hint that is up to date: one round. `environment.primed` takes the hint's
/// entries; without it no hint is read. NotFound: no table.
struct NewestState {
  lance::Manifest manifest;
  UsableCatalog indexes;
};
Result<NewestState> ReadNewest(const Environment& environment, std::string_view root, const Deadline& deadline);

/// Writes the hint for the state that is newest now. When that fails, the old hint is removed: it may name an index
/// that is gone.
Status WriteHead(const Environment& environment, std::string_view root, const Deadline& deadline);

/// WriteHead if there is a hint, or an index that wants one; a failure is logged and no more. For after a commit.
void RefreshHead(const Environment& environment, std::string_view root, const Deadline& deadline);

}  // namespace firn::table
