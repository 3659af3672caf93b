#pragma once
// From a URI to a store: the one place that knows which backends exist and in which order the wrappers stand.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "store/counting.h"
#include "store/object_store.h"

namespace firn::store {

class StoreCounter;  // counting.h

/// How a store looks up environment variables; passed in, so that tests own it. Empty optional = not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;
Environment ProcessEnvironment();

struct StoreOptions {
  // S3; each empty value is looked up in the environment and the AWS config files (see s3/credentials.h).
  std::string
      endpoint;  // "http://127.0.0.1:9000"; "" = AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, AWS_ENDPOINT, then AWS itself
  std::string region;         // "" = AWS_REGION, AWS_DEFAULT_REGION, profile, then "us-east-1"
  std::string access_key_id;  // given together with the secret, or not at all
  std::string secret_access_key;
  std::string session_token;
  std::optional<bool> virtual_host;  // unset: path-style for a given endpoint, virtual-host for AWS
  std::uint32_t max_connections = 64;

  Duration connect_timeout = std::chrono::seconds(5);
  Duration attempt_timeout = std::chrono::seconds(30);  // one request without progress
  std::uint32_t max_attempts = 5;                       // 1 = never retry
  std::uint64_t memory_cache_bytes = 64ULL << 20;       // 0 = off
  std::string disk_cache_folder;                        // "" = off; may be shared by processes and stores
  std::uint64_t disk_cache_bytes = 4ULL << 30;

  // Folders.
  bool fsync = true;  // make every write durable
};

/// The things of the outside world that a store needs. All must outlive it.
struct StoreContext {
  Clock& clock;
  Random& random;
  Log& log;
  Environment environment;
  /// When given: OpenStore puts a CountingStore right around the backend (below retry and cache) that adds to it, so
  /// that it holds what really went over the wire. Must outlive the store.
  StoreCounter* counter = nullptr;
};

/// "s3://bucket/prefix", "file:///path" (taken as it stands, without percent-decoding), "/path", "relative/path",
/// "memory://name" (each call makes a new, empty store; the name is only for messages). A folder need not exist yet:
/// the first write makes it. InvalidArgument for any other scheme. Touches neither disk nor network. An S3 store is
/// backend <- counting <- retrying <- caching, as the options say. Folders and memory are neither retried nor cached:
/// the machine's page cache does that better, and big reads of a folder are mapped, not copied.
Result<std::unique_ptr<ObjectStore>> OpenStore(std::string_view uri, const StoreOptions& options,
                                               const StoreContext& context);

}  // namespace firn::store
