#pragma once
// The index catalog of a table, in the store: `_firn/catalog/{20 digits that count down}`, so that a listing begins
// with the newest. States are written with put-if-absent, like manifests; an edit that lost a race is made again on
// what won. Older states are kept for readers under way; maintenance removes them.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "index/catalog.h"
#include "lance/manifest.h"
#include "store/object_store.h"

namespace firn::table {

/// Where catalogs of the table at `root` lie, and the listing that begins with the newest.
std::string CatalogKey(std::string_view root, std::uint64_t number);
store::ListRequest NewestCatalogListing(std::string_view root);
/// The number of the newest of a listing; empty when there is none.
std::optional<std::uint64_t> NewestCatalogOf(const store::ListPage& page);

/// The newest state; number 0 and no segments when there never was one. One listing and one read.
Result<index::Catalog> ReadCatalog(store::ObjectStore& store, std::string_view root, const Deadline& deadline);

/// The state of that number: one read.
Result<index::Catalog> ReadCatalog(store::ObjectStore& store, std::string_view root, std::uint64_t number,
                                   const Deadline& deadline);

/// Changes the catalog it is given, or says with an error that there is nothing to change. Called again after a lost
/// race.
using CatalogEdit = std::function<Status(index::Catalog&)>;
/// Conflict after many lost races.
Result<index::Catalog> EditCatalog(store::ObjectStore& store, std::string_view root, const CatalogEdit& edit,
                                   const Deadline& deadline);

/// The hot part of a segment of the table at `root`, and the footer behind it, which says what format they are of.
store::ReadRequest HotPartRequest(std::string_view root, const index::SegmentEntry& entry);

/// The data file of `fragment` that holds the field; null when it has none.
const lance::DataFile* DataFileOf(const lance::Fragment& fragment, std::int32_t field_id);

/// True while `covered` says something of the manifest's fragment: the same id, rows and data file.
bool StillCovers(const index::SegmentFragment& covered, const lance::Manifest& manifest, std::int32_t field_id);

}  // namespace firn::table
