#include "store/open.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "store/caching.h"
#include "store/folder/folder_store.h"
#include "store/memory/memory_store.h"
#include "store/retrying.h"
#include "store/s3/s3_store.h"

namespace firn::store {
namespace {

std::unique_ptr<ObjectStore> Counted(std::unique_ptr<ObjectStore> store, const StoreContext& context) {
  if (context.counter == nullptr) return store;
  return std::make_unique<CountingStore>(std::move(store), *context.counter);
}

/// "s3://bucket" means another bucket at another server, and disk caches outlive the process that knew which.
std::string IdentityOf(std::string_view uri, const StoreOptions& options, const StoreContext& context) {
  std::string identity(uri);
  identity += '\n' + options.endpoint;
  for (const char* name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"}) {
    identity += '\n' + (context.environment ? context.environment(name).value_or("") : "");
  }
  return identity;
}

Result<std::unique_ptr<ObjectStore>> OpenFarStore(std::string_view uri, std::string_view bucket_and_prefix,
                                                  const StoreOptions& options, const StoreContext& context) {
  const std::size_t slash = std::min(bucket_and_prefix.find('/'), bucket_and_prefix.size());
  const std::string_view prefix = bucket_and_prefix.substr(std::min(slash + 1, bucket_and_prefix.size()));
  FIRN_TRY(std::unique_ptr<ObjectStore> store, OpenS3(bucket_and_prefix.substr(0, slash), prefix, options, context));
  store = Counted(std::move(store), context);
  if (options.max_attempts > 1) {
    const RetryPolicy policy{.max_attempts = options.max_attempts};
    store = std::make_unique<RetryingStore>(std::move(store), policy, context.clock, context.random, context.log);
  }
  if (options.memory_cache_bytes > 0 || !options.disk_cache_folder.empty()) {
    const CacheOptions cache{options.memory_cache_bytes, options.disk_cache_folder, options.disk_cache_bytes,
                             IdentityOf(uri, options, context)};
    store = std::make_unique<CachingStore>(std::move(store), cache, context.random, context.log);
  }
  return store;
}

std::unique_ptr<ObjectStore> OpenLocalFolder(std::string_view path, const StoreOptions& options,
                                             const StoreContext& context) {
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  return Counted(OpenFolder(std::string(path), {.sync = options.fsync}, context.random), context);
}

Error BadUri(std::string_view uri, std::string_view why) {
  return InvalidArgument("The database \"" + std::string(uri.substr(0, 200)) + "\" " + std::string(why),
                         "Give a folder, or s3://bucket/prefix");
}

}  // namespace

Environment ProcessEnvironment() {
  return [](std::string_view name) -> std::optional<std::string> {
    const char* const value = std::getenv(std::string(name).c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Result<std::unique_ptr<ObjectStore>> OpenStore(std::string_view uri, const StoreOptions& options,
                                               const StoreContext& context) {
  if (uri.empty()) return BadUri(uri, "has no name");
  if (uri.find('\0') != std::string_view::npos) return BadUri(uri, "holds a NUL character");
  const std::size_t scheme_end = uri.find("://");
  if (scheme_end == std::string_view::npos) return OpenLocalFolder(uri, options, context);

  const std::string_view scheme = uri.substr(0, scheme_end);
  const std::string_view rest = uri.substr(scheme_end + 3);
  if (scheme == "s3") return OpenFarStore(uri, rest, options, context);
  if (scheme == "memory") return Counted(OpenMemory(std::string(rest), context.clock), context);
  if (scheme == "file") {
    if (!rest.starts_with('/')) return BadUri(uri, "needs an absolute path after file://");
    return OpenLocalFolder(rest, options, context);
  }
  return BadUri(uri, "has a scheme that is not known: s3, file and memory are");
}

}  // namespace firn::store
