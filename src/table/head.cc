#include "table/head.h"

#include <algorithm>

#include "lance/commit.h"
#include "lance/deletion.h"
#include "store/primed.h"
#include "store/recording.h"
#include "table/index_catalog.h"

namespace firn::table {
namespace {

/// Data files whose metadata is read at once.
constexpr std::size_t kFragmentsAtOnce = 128;
constexpr std::uint64_t kNearBytes = 128ULL << 20;

/// A catalog that cannot be used is no reason to fail: the table is right without it.
Result<UsableCatalog> OrNone(const Environment& environment, std::string_view root, Result<index::Catalog> catalog) {
  if (catalog) return UsableCatalog{*std::move(catalog), {}};
  const Error& error = catalog.error();
  if (error.kind != ErrorKind::kDataCorruption && error.kind != ErrorKind::kUnsupported &&
      error.kind != ErrorKind::kNotFound)
    return error;
  environment.log.Warn("indexes not used", {{"table", root}, {"error", error.message}});
  return UsableCatalog{{}, {"no index is used: " + error.ToString()}};
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

std::uint64_t SizeOf(std::span<const store::BundleEntry> entries) {
  std::uint64_t bytes = 0;
  for (const store::BundleEntry& entry : entries) bytes += entry.bytes.size();
  return bytes;
}

/// Collects what a search would read before it knows its rows, the most useful first.
class Ahead {
 public:
  Ahead(const Environment& environment, std::string_view root, const Deadline& deadline)
      : environment_(environment),
        root_(root),
        deadline_(deadline),
        last_(store::Borrow(environment.store), kNearBytes),
        near_(store::Borrow(last_), kNearBytes),
        first_(store::Borrow(near_), {.total_bytes = kMaxHeadBytes, .read_bytes = kMaxHeadBytes}),
        indexes_(store::Borrow(near_), {.total_bytes = kMaxHeadIndexBytes, .read_bytes = kMaxHeadIndexBytes}) {}

  Result<std::vector<store::BundleEntry>> Collect() {
    TakeLast();
    FIRN_TRY(const lance::Manifest manifest, ReadStates());
    FIRN_CHECK(ReadMetadata(manifest));
    std::vector<store::BundleEntry> entries = first_.TakeEntries();
    std::uint64_t bytes = SizeOf(entries);
    for (store::BundleEntry& entry : indexes_.TakeEntries()) {
      if (entry.bytes.size() > kMaxHeadBytes - bytes) continue;
      bytes += entry.bytes.size();
      entries.push_back(std::move(entry));
    }
    return entries;
  }

 private:
  /// What the last hint says of data files, whose names are used once: only new ones are read.
  void TakeLast() {
    const Result<store::ReadResult> head =
        store::Read(environment_.store, store::ReadRequest::WholeUncached(HeadKey(root_)), deadline_);
    if (!head) return;
    Result<std::vector<store::BundleEntry>> entries = store::DecodeBundle(head->bytes, HeadKey(root_));
    if (!entries) return;
    const std::string files = std::string(root_) + "/data/";
    std::erase_if(*entries, [&](const store::BundleEntry& entry) { return !entry.key.starts_with(files); });
    last_.Add(*std::move(entries));
  }

  /// The manifest, the catalog, hot parts and deletion files.
  Result<lance::Manifest> ReadStates() {
    FIRN_TRY(store::ListPage versions, first_.List(lance::LatestVersionListing(root_), deadline_));
    FIRN_TRY(lance::Manifest manifest, lance::ReadLatestManifest(first_, root_, std::move(versions), deadline_));
    FIRN_TRY(const index::Catalog catalog, ReadCatalog(first_, root_, deadline_));
    std::vector<store::ReadRequest> hot;
    for (const index::SegmentEntry& entry : catalog.segments) {
      const bool useful = std::ranges::any_of(entry.fragments, [&](const index::SegmentFragment& each) {
        return StillCovers(each, manifest, entry.field_id);
      });
      if (useful) hot.push_back(HotPartRequest(root_, entry));
    }
    if (!hot.empty()) (void)first_.ReadMany(hot, deadline_);  // what cannot be read now is not in the hint
    std::vector<const lance::Fragment*> deleted;
    for (const lance::Fragment& fragment : manifest.fragments) {
      if (fragment.deletion) deleted.push_back(&fragment);
    }
    if (!deleted.empty()) {
      FIRN_CHECK(lance::ReadDeletionVectors(first_, root_, deleted, deadline_));
    }
    return manifest;
  }

  Status ReadMetadata(const lance::Manifest& manifest) {
    FIRN_TRY(const arrow::SchemaPtr schema, lance::ToArrow(manifest.schema));
    std::vector<std::string> columns;
    for (const arrow::Field& field : schema->fields) columns.push_back(field.name);
    std::vector<const lance::Fragment*> fragments;
    for (const lance::Fragment& fragment : manifest.fragments) fragments.push_back(&fragment);
    for (std::size_t at = 0; at < fragments.size(); at += kFragmentsAtOnce) {
      const auto some = std::span(fragments).subspan(at, std::min(kFragmentsAtOnce, fragments.size() - at));
      FIRN_CHECK(ReadMetadata(manifest, some, columns));
    }
    return {};
  }

  /// Once as any reader does, in few requests for more bytes than it needs; then out of these the very bytes.
  Status ReadMetadata(const lance::Manifest& manifest, std::span<const lance::Fragment* const> fragments,
                      std::span<const std::string> columns) {
    const auto read = [&](store::ObjectStore& from, lance::FileMetadataCache& cache, const lance::MetadataRead& what) {
      const lance::ReadContext context{from, std::string(root_), manifest.schema, cache, &environment_.pool};
      return lance::ReadMetadata(context, fragments, columns, deadline_, what);
    };
    store::RecordingStore wide(store::Borrow(last_), {.total_bytes = kNearBytes, .read_bytes = kMaxHeadBytes});
    lance::FileMetadataCache none, known;
    FIRN_CHECK(read(wide, none, {}));
    near_.Add(wide.TakeEntries());
    FIRN_CHECK(read(first_, known, {.page_indexes = false, .sparing = true}));
    return read(indexes_, known, {.page_indexes = true, .sparing = true});
  }

  const Environment& environment_;
  const std::string_view root_;
  const Deadline& deadline_;
  store::PrimedStore last_;
  store::PrimedStore near_;        // with what was read at once
  store::RecordingStore first_;    // what every search needs
  store::RecordingStore indexes_;  // of pages: what one needs that shows such columns
};

}  // namespace

std::string HeadKey(std::string_view root) { return std::string(root) + "/_firn/head"; }

Result<UsableCatalog> ReadUsableCatalog(const Environment& environment, std::string_view root,
                                        const Deadline& deadline) {
  return OrNone(environment, root, ReadCatalog(environment.store, root, deadline));
}

Result<NewestState> ReadNewest(const Environment& environment, std::string_view root, const Deadline& deadline) {
  store::ObjectStore& store = environment.store;
  if (environment.primed == nullptr) {
    FIRN_TRY(lance::Manifest manifest, lance::ReadLatestManifest(store, root, deadline));
    FIRN_TRY(UsableCatalog indexes, ReadUsableCatalog(environment, root, deadline));
    return NewestState{std::move(manifest), std::move(indexes)};
  }
  const store::ReadRequest hint = store::ReadRequest::WholeUncached(HeadKey(root));
  store::ReadAndListResult round = store.ReadManyAndList({&hint, 1}, lance::LatestVersionListing(root), deadline);
  if (!round.list) return std::move(round.list).error();
  const std::optional<std::uint64_t> number =
      round.reads.empty() ? std::nullopt : TakeHint(environment, root, round.reads.front());
  FIRN_TRY(lance::Manifest manifest, lance::ReadLatestManifest(store, root, *std::move(round.list), deadline));
  Result<index::Catalog> catalog =
      number ? ReadCatalog(store, root, *number, deadline) : ReadCatalog(store, root, deadline);
  FIRN_TRY(UsableCatalog usable, OrNone(environment, root, std::move(catalog)));
  return NewestState{std::move(manifest), std::move(usable)};
}

Status WriteHead(const Environment& environment, std::string_view root, const Deadline& deadline) {
  const auto write = [&]() -> Status {
    FIRN_TRY(const std::vector<store::BundleEntry> entries, Ahead(environment, root, deadline).Collect());
    return environment.store.Put(HeadKey(root), AsBytes(store::EncodeBundle(entries)), store::PutCondition::kNone,
                                 deadline);
  };
  Status written = write();
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
