#include "table/index_catalog.h"

#include <algorithm>
#include <charconv>
#include <limits>

namespace firn::table {
namespace {

constexpr std::size_t kDigits = 20;
constexpr int kMaxRaces = 100;

std::string Folder(std::string_view root) { return std::string(root) + "/_firn/catalog/"; }

}  // namespace

std::string CatalogKey(std::string_view root, std::uint64_t number) {
  const std::string digits = std::to_string(std::numeric_limits<std::uint64_t>::max() - number);
  return Folder(root) + std::string(kDigits - digits.size(), '0') + digits;
}

store::ListRequest NewestCatalogListing(std::string_view root) {
  // A few more than one: what others leave in a folder (such as an object for the folder itself) may sort before.
  return {.prefix = Folder(root), .limit = 8};
}

std::optional<std::uint64_t> NewestCatalogOf(const store::ListPage& page) {
  for (const store::ObjectInfo& object : page.objects) {
    const std::string_view name = std::string_view(object.key).substr(object.key.rfind('/') + 1);
    std::uint64_t inverted = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), inverted);
    if (name.size() == kDigits && error == std::errc() && end == name.data() + name.size())
      return std::numeric_limits<std::uint64_t>::max() - inverted;
  }
  return std::nullopt;
}

Result<index::Catalog> ReadCatalog(store::ObjectStore& store, std::string_view root, const Deadline& deadline) {
  FIRN_TRY(const store::ListPage page, store.List(NewestCatalogListing(root), deadline));
  const std::optional<std::uint64_t> newest = NewestCatalogOf(page);
  if (!newest) return index::Catalog{};
  return ReadCatalog(store, root, *newest, deadline);
}

Result<index::Catalog> ReadCatalog(store::ObjectStore& store, std::string_view root, std::uint64_t number,
                                   const Deadline& deadline) {
  const std::string key = CatalogKey(root, number);
  FIRN_TRY(const store::ReadResult object, store::Read(store, store::ReadRequest::Whole(key), deadline));
  FIRN_TRY(index::Catalog catalog, index::DecodeCatalog(object.bytes.bytes(), key));
  if (catalog.number != number)
    return DataCorruption("index catalog " + key + " says that it is number " + std::to_string(catalog.number));
  return catalog;
}

Result<index::Catalog> EditCatalog(store::ObjectStore& store, std::string_view root, const CatalogEdit& edit,
                                   const Deadline& deadline) {
  for (int race = 0; race < kMaxRaces; race++) {
    Result<index::Catalog> catalog = ReadCatalog(store, root, deadline);
    if (!catalog) {
      // An index is derived data: a catalog that cannot be read is begun anew after it.
      if (catalog.error().kind != ErrorKind::kDataCorruption) return std::move(catalog).error();
      FIRN_TRY(const store::ListPage page, store.List(NewestCatalogListing(root), deadline));
      catalog = index::Catalog{NewestCatalogOf(page).value_or(0), {}};
    }
    FIRN_CHECK(edit(*catalog));
    catalog->number++;
    const std::string bytes = index::EncodeCatalog(*catalog);
    const std::string key = CatalogKey(root, catalog->number);
    const Status put = store.Put(key, AsBytes(bytes), store::PutCondition::kIfAbsent, deadline);
    if (put) return catalog;
    if (put.error().kind != ErrorKind::kAlreadyExists) return put.error();
    // Ours, when the answer to an earlier try of the same put was lost.
    const Result<store::ReadResult> there = store::Read(store, store::ReadRequest::Whole(key), deadline);
    if (there && there->bytes.chars() == bytes) return catalog;
  }
  return Conflict("the index catalog of " + std::string(root) + " changed " + std::to_string(kMaxRaces) +
                      " times while this change was tried",
                  "Try again when fewer programs build indexes at once");
}

store::ReadRequest HotPartRequest(std::string_view root, const index::SegmentEntry& entry) {
  return store::ReadRequest::Range(std::string(root) + "/" + entry.object, entry.footer.hot_offset,
                                   entry.footer.hot_bytes + index::kSegmentFooterBytes);
}

const lance::DataFile* DataFileOf(const lance::Fragment& fragment, std::int32_t field_id) {
  for (const lance::DataFile& file : fragment.files) {
    if (std::ranges::find(file.field_ids, field_id) != file.field_ids.end()) return &file;
  }
  return nullptr;
}

bool StillCovers(const index::SegmentFragment& covered, const lance::Manifest& manifest, std::int32_t field_id) {
  const lance::Fragment* fragment = manifest.FindFragment(covered.id);
  if (fragment == nullptr || fragment->physical_rows != covered.rows) return false;
  const lance::DataFile* file = DataFileOf(*fragment, field_id);
  return file != nullptr && file->path == covered.data_file;
}

}  // namespace firn::table
