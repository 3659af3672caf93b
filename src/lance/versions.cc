#include "lance/versions.h"

#include <algorithm>
#include <charconv>

#include "lance/commit.h"

namespace firn::lance {
namespace {

constexpr std::string_view kFolder = "/_versions/";
constexpr std::string_view kSuffix = ".manifest";
constexpr std::size_t kInvertedDigits = 20;  // of UINT64_MAX
constexpr std::size_t kMaxListed = 1'000'000;
// Enough to see past foreign objects that sort first.
constexpr std::uint32_t kFirstLook = 16;
constexpr int kReadAttempts = 5;
// Versions that a listing showed may be cleaned up before they are read.
constexpr std::size_t kNamedVersions = 20;

std::string Folder(std::string_view root) { return std::string(root).append(kFolder); }

std::vector<VersionName> NamesIn(const store::ListPage& page, std::size_t prefix_length) {
  std::vector<VersionName> names;
  for (const store::ObjectInfo& object : page.objects) {
    if (const auto name = ParseVersionName(std::string_view(object.key).substr(prefix_length))) {
      names.push_back(*name);
    }
  }
  return names;
}

Result<std::vector<VersionName>> AllNames(store::ObjectStore& store, std::string_view root, const Deadline& deadline) {
  const std::string folder = Folder(root);
  FIRN_TRY(const store::ListPage all, store::ListAll(store, {.prefix = folder}, kMaxListed, deadline));
  std::vector<VersionName> names = NamesIn(all, folder.size());
  std::ranges::sort(names, {}, &VersionName::version);
  return names;
}

Error NoTable(store::ObjectStore& store, std::string_view root) {
  return NotFound("there is no table at " + std::string(root) + " in " + store.Describe());
}

Error NoVersion(std::uint64_t version, std::string_view root, const std::vector<VersionName>& names) {
  std::string text = "table " + std::string(root) + " has no version " + std::to_string(version) + "; it has ";
  const std::size_t first = names.size() > kNamedVersions ? names.size() - kNamedVersions : 0;
  if (first > 0) text += std::to_string(names.size()) + " versions, the last of them ";
  for (std::size_t i = first; i < names.size(); i++) {
    if (i > first) text += ", ";
    text += std::to_string(names[i].version);
  }
  return NotFound(std::move(text));
}

}  // namespace

std::string VersionKey(std::string_view root, const VersionName& name) {
  std::string number = std::to_string(name.naming == ManifestNaming::kPlain ? name.version : ~name.version);
  if (name.naming == ManifestNaming::kInverted) number.insert(0, kInvertedDigits - number.size(), '0');
  return Folder(root) + number + std::string(kSuffix);
}

std::optional<VersionName> ParseVersionName(std::string_view file_name) {
  if (!file_name.ends_with(kSuffix)) return std::nullopt;
  const std::string_view digits = file_name.substr(0, file_name.size() - kSuffix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (digits.size() == kInvertedDigits) return VersionName{~number, ManifestNaming::kInverted};
  return VersionName{number, ManifestNaming::kPlain};
}

store::ListRequest LatestVersionListing(std::string_view root) { return {.prefix = Folder(root), .limit = kFirstLook}; }

Result<std::optional<VersionName>> LatestOf(store::ObjectStore& store, std::string_view root,
                                            const store::ListPage& listed, const Deadline& deadline) {
  std::vector<VersionName> names = NamesIn(listed, Folder(root).size());
  const bool newest_first = !names.empty() && names[0].naming == ManifestNaming::kInverted;
  if (newest_first) return std::optional(names[0]);
  if (!listed.next_start_after.empty()) {
    FIRN_TRY(names, AllNames(store, root, deadline));
  }
  if (names.empty()) return std::optional<VersionName>();
  return std::optional(*std::ranges::max_element(names, {}, &VersionName::version));
}

Result<std::optional<VersionName>> FindLatest(store::ObjectStore& store, std::string_view root,
                                              const Deadline& deadline) {
  FIRN_TRY(const store::ListPage listed, store.List(LatestVersionListing(root), deadline));
  return LatestOf(store, root, listed, deadline);
}

Result<Manifest> DecodeVersion(Buffer object, const VersionName& name, std::string_view key) {
  FIRN_TRY(Manifest manifest, DecodeManifest(std::move(object), key));
  if (manifest.version != name.version) {
    return DataCorruption(std::string(key) + " says that it is version " + std::to_string(manifest.version));
  }
  manifest.naming = name.naming;
  return manifest;
}

Result<Manifest> ReadLatestManifest(store::ObjectStore& store, std::string_view root, const Deadline& deadline) {
  FIRN_TRY(store::ListPage listed, store.List(LatestVersionListing(root), deadline));
  return ReadLatestManifest(store, root, std::move(listed), deadline);
}

Result<Manifest> ReadLatestManifest(store::ObjectStore& store, std::string_view root, store::ListPage listed,
                                    const Deadline& deadline) {
  for (int attempt = 0;; attempt++) {
    FIRN_TRY(const std::optional<VersionName> latest, LatestOf(store, root, listed, deadline));
    if (!latest) return NoTable(store, root);
    const std::string key = VersionKey(root, *latest);
    auto read = store::Read(store, store::ReadRequest::Whole(key), deadline);
    if (read) return DecodeVersion(std::move(read->bytes), *latest, key);
    // Gone between the two requests: the table moved on and was cleaned up, or was dropped.
    const bool moved_on = read.error().kind == ErrorKind::kNotFound && attempt + 1 < kReadAttempts;
    if (!moved_on) return std::move(read.error());
    FIRN_TRY(listed, store.List(LatestVersionListing(root), deadline));
  }
}

Result<Manifest> ReadManifest(store::ObjectStore& store, std::string_view root, std::uint64_t version,
                              const Deadline& deadline) {
  std::vector<VersionName> candidates = {{version, ManifestNaming::kInverted}};
  // A plain name of 20 digits would be the inverted one of another version.
  if (std::to_string(version).size() < kInvertedDigits) candidates.push_back({version, ManifestNaming::kPlain});
  std::vector<store::ReadRequest> requests;
  for (const VersionName& name : candidates) requests.push_back(store::ReadRequest::Whole(VersionKey(root, name)));
  auto results = store.ReadMany(requests, deadline);
  for (std::size_t i = 0; i < results.size(); i++) {
    if (results[i]) return DecodeVersion(std::move(results[i]->bytes), candidates[i], requests[i].key);
    if (results[i].error().kind != ErrorKind::kNotFound) return std::move(results[i].error());
  }
  FIRN_TRY(const std::vector<VersionName> names, AllNames(store, root, deadline));
  return names.empty() ? NoTable(store, root) : NoVersion(version, root, names);
}

Result<std::vector<std::uint64_t>> ListVersions(store::ObjectStore& store, std::string_view root,
                                                const Deadline& deadline) {
  FIRN_TRY(const std::vector<VersionName> names, AllNames(store, root, deadline));
  if (names.empty()) return NoTable(store, root);
  std::vector<std::uint64_t> versions;
  for (const VersionName& name : names) versions.push_back(name.version);
  return versions;
}

}  // namespace firn::lance
