#include "table/head.h"

#include <algorithm>

#include "lance/commit.h"
#include "lance/deletion.h"
#include "store/primed.h"
#include "store/recording.h"
#include "table/index_catalog.h"

namespace firn::table {
namespace {

/// A catalog that cannot be used is no reason to fail: the table is right without it.
Result<index::Catalog> OrNone(const Environment& environment, std::string_view root, Result<index::Catalog> catalog) {
  if (catalog) return catalog;
  const ErrorKind kind = catalog.error().kind;
  if (kind != ErrorKind::kDataCorruption && kind != ErrorKind::kUnsupported && kind != ErrorKind::kNotFound)
    return catalog;
  environment.log.Warn("indexes not used", {{"table", root}, {"error", catalog.error().message}});
  return index::Catalog{};
}

/// The number of the newest catalog in a bundle.
std::optional<std::uint64_t> CatalogIn(std::span<const store::BundleEntry> entries, std::string_view root) {
  std::optional<std::uint64_t> newest;
  for (const store::BundleEntry& entry : entries) {
    store::ListPage page;
    page.objects.push_back({entry.key, entry.object_size_bytes, {}});
    if (!entry.key.starts_with(NewestCatalogListing(root).prefix)) continue;
    if (const auto number = NewestCatalogOf(page)) newest = std::max(newest.value_or(0), *number);
  }
  return newest;
}

/// Takes the hint's entries in; the number of the catalog that it holds.
std::optional<std::uint64_t> TakeHint(const Environment& environment, std::string_view root,
                                      const Result<store::ReadResult>& head) {
  if (!head) return std::nullopt;
  auto entries = store::DecodeBundle(head->bytes, HeadKey(root));
  if (!entries) {
    environment.log.Info("hint not used", {{"table", root}, {"error", entries.error().message}});
    return std::nullopt;
  }
  const std::string own = std::string(root) + "/";
  std::erase_if(*entries, [&](const store::BundleEntry& entry) { return !entry.key.starts_with(own); });
  const auto catalog = CatalogIn(*entries, root);
  environment.primed->Add(*std::move(entries));
  return catalog;
}

/// Reads, through a store that records it, what a search would.
Status ReadAhead(store::ObjectStore& store, const Environment& environment, std::string_view root,
                 const Deadline& deadline) {
  FIRN_TRY(store::ListPage versions, store.List(lance::LatestVersionListing(root), deadline));
  FIRN_TRY(const lance::Manifest manifest, lance::ReadLatestManifest(store, root, std::move(versions), deadline));
  FIRN_TRY(const index::Catalog catalog, ReadCatalog(store, root, deadline));
  std::vector<store::ReadRequest> hot;
  for (const index::SegmentEntry& entry : catalog.segments) {
    const bool useful = std::ranges::any_of(entry.fragments, [&](const index::SegmentFragment& each) {
      return StillCovers(each, manifest, entry.field_id);
    });
    if (useful)
      hot.push_back(store::ReadRequest::Range(std::string(root) + "/" + entry.object, entry.footer.hot_offset,
                                              entry.footer.hot_bytes));
  }
  if (!hot.empty()) (void)store.ReadMany(hot, deadline);  // what cannot be read now is not in the hint
  std::vector<const lance::Fragment*> fragments, deleted;
  for (const lance::Fragment& fragment : manifest.fragments) {
    fragments.push_back(&fragment);
    if (fragment.deletion) deleted.push_back(&fragment);
  }
  if (!deleted.empty()) {
    FIRN_CHECK(lance::ReadDeletionVectors(store, root, deleted, deadline));
  }
  std::vector<std::string> columns;
  FIRN_TRY(const arrow::SchemaPtr schema, lance::ToArrow(manifest.schema));
  for (const arrow::Field& field : schema->fields) columns.push_back(field.name);
  lance::FileMetadataCache empty;
  const lance::ReadContext context{store, std::string(root), manifest.schema, empty, &environment.pool};
  return lance::ReadMetadata(context, fragments, columns, deadline);
}

}  // namespace

std::string HeadKey(std::string_view root) { return std::string(root) + "/_firn/head"; }

Result<index::Catalog> ReadUsableCatalog(const Environment& environment, std::string_view root,
                                         const Deadline& deadline) {
  return OrNone(environment, root, ReadCatalog(environment.store, root, deadline));
}

Result<NewestState> ReadNewest(const Environment& environment, std::string_view root, const Deadline& deadline) {
  store::ObjectStore& store = environment.store;
  if (environment.primed == nullptr) {
    FIRN_TRY(lance::Manifest manifest, lance::ReadLatestManifest(store, root, deadline));
    FIRN_TRY(index::Catalog catalog, ReadUsableCatalog(environment, root, deadline));
    return NewestState{std::move(manifest), std::move(catalog)};
  }
  const store::ReadRequest hint = store::ReadRequest::WholeUncached(HeadKey(root));
  store::ReadAndListResult round = store.ReadManyAndList({&hint, 1}, lance::LatestVersionListing(root), deadline);
  if (!round.list) return std::move(round.list).error();
  const std::optional<std::uint64_t> number =
      round.reads.empty() ? std::nullopt : TakeHint(environment, root, round.reads.front());
  FIRN_TRY(lance::Manifest manifest, lance::ReadLatestManifest(store, root, *std::move(round.list), deadline));
  Result<index::Catalog> catalog =
      number ? ReadCatalog(store, root, *number, deadline) : ReadCatalog(store, root, deadline);
  FIRN_TRY(index::Catalog usable, OrNone(environment, root, std::move(catalog)));
  return NewestState{std::move(manifest), std::move(usable)};
}

Status WriteHead(const Environment& environment, std::string_view root, const Deadline& deadline) {
  store::RecordingStore recording(store::Borrow(environment.store),
                                  {.total_bytes = kMaxHeadBytes, .read_bytes = kMaxHeadBytes});
  Status written = ReadAhead(recording, environment, root, deadline);
  if (written)
    written = environment.store.Put(HeadKey(root), AsBytes(store::EncodeBundle(recording.TakeEntries())),
                                    store::PutCondition::kNone, deadline);
  if (!written) (void)environment.store.Delete(HeadKey(root), deadline);
  return written;
}

void RefreshHead(const Environment& environment, std::string_view root, const Deadline& deadline) {
  if (environment.primed == nullptr) return;
  const Result<index::Catalog> catalog = ReadCatalog(environment.store, root, deadline);
  if (!catalog || catalog->segments.empty()) return;
  const Status written = WriteHead(environment, root, deadline);
  if (!written) environment.log.Warn("hint not written", {{"table", root}, {"error", written.error().message}});
}

}  // namespace firn::table
