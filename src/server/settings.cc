// The table of settings: one row each.

#include <charconv>
#include <limits>

#include "server/config.h"

namespace firn::server {
namespace {

using Set = std::function<Status(Config&, std::string_view)>;
using Show = std::function<std::string(const Config&)>;

Result<std::uint64_t> ParseNumber(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < least || number > most) {
    return InvalidArgument("'" + std::string(text) + "' is not a whole number from " + std::to_string(least) + " to " +
                           std::to_string(most));
  }
  return number;
}

/// Bytes: "1048576", "1MiB", "16 KiB", "2GiB".
Result<std::uint64_t> ParseBytes(std::string_view text) {
  std::uint64_t unit = 1;
  const auto strip = [&](std::string_view suffix, std::uint64_t size) {
    if (unit != 1 || !text.ends_with(suffix)) return;
    unit = size;
    text.remove_suffix(suffix.size());
    while (text.ends_with(' ')) text.remove_suffix(1);
  };
  strip("KiB", 1ULL << 10);
  strip("MiB", 1ULL << 20);
  strip("GiB", 1ULL << 30);
  strip("TiB", 1ULL << 40);
  FIRN_TRY(const std::uint64_t number, ParseNumber(text, 0, (1ULL << 62) / unit));
  return number * unit;
}

template <class Member>
Setting Text(std::string_view flag, std::vector<std::string_view> env, std::string_view toml, std::string_view help,
             Member member) {
  return {.flag = flag,
          .env = std::move(env),
          .toml = toml,
          .help = help,
          .set = [member](Config& c, std::string_view text) -> Status {
            member(c) = text;
            return {};
          },
          .show = [member](const Config& c) { return member(const_cast<Config&>(c)); }};
}

template <class Member>
Setting Number(std::string_view flag, std::vector<std::string_view> env, std::string_view toml, std::string_view help,
               std::uint64_t least, std::uint64_t most, Member member) {
  return {.flag = flag,
          .env = std::move(env),
          .toml = toml,
          .help = help,
          .set = [member, least, most](Config& c, std::string_view text) -> Status {
            FIRN_TRY(const std::uint64_t number, ParseNumber(text, least, most));
            member(c) = static_cast<std::remove_reference_t<decltype(member(c))>>(number);
            return {};
          },
          .show = [member](const Config& c) { return std::to_string(member(const_cast<Config&>(c))); }};
}

template <class Member>
Setting Bytes(std::string_view flag, std::vector<std::string_view> env, std::string_view toml, std::string_view help,
              Member member) {
  return {.flag = flag,
          .env = std::move(env),
          .toml = toml,
          .help = help,
          .set = [member](Config& c, std::string_view text) -> Status {
            FIRN_TRY(const std::uint64_t bytes, ParseBytes(text));
            member(c) = bytes;
            return {};
          },
          .show = [member](const Config& c) { return std::to_string(member(const_cast<Config&>(c))); }};
}

template <class Member>
Setting Millis(std::string_view flag, std::vector<std::string_view> env, std::string_view toml, std::string_view help,
               std::uint64_t least, Member member) {
  constexpr std::uint64_t kDay = 24ULL * 3600 * 1000;
  return {.flag = flag,
          .env = std::move(env),
          .toml = toml,
          .help = help,
          .set = [member, least](Config& c, std::string_view text) -> Status {
            FIRN_TRY(const std::uint64_t millis, ParseNumber(text, least, kDay));
            member(c) = std::chrono::milliseconds(millis);
            return {};
          },
          .show =
              [member](const Config& c) {
                return std::to_string(
                    std::chrono::duration_cast<std::chrono::milliseconds>(member(const_cast<Config&>(c))).count());
              }};
}

template <class Member>
Setting Flag(std::string_view flag, std::vector<std::string_view> env, std::string_view toml, std::string_view help,
             Member member) {
  return {.flag = flag,
          .env = std::move(env),
          .toml = toml,
          .help = help,
          .set = [member](Config& c, std::string_view text) -> Status {
            if (text == "true" || text == "1" || text == "yes" || text == "on") {
              member(c) = true;
            } else if (text == "false" || text == "0" || text == "no" || text == "off") {
              member(c) = false;
            } else {
              return InvalidArgument("'" + std::string(text) + "' is neither true nor false");
            }
            return {};
          },
          .show = [member](const Config& c) { return std::string(member(const_cast<Config&>(c)) ? "true" : "false"); }};
}

Setting Secret(Setting setting) {
  setting.secret = true;
  return setting;
}

Setting LogLevelSetting() {
  return {.flag = "log-level",
          .env = {"LOG_LEVEL", "FIRN_LOG_LEVEL"},
          .toml = "log.level",
          .help = "debug, info, warn, error or off",
          .set = [](Config& c, std::string_view text) -> Status {
            FIRN_TRY(c.log_level, ParseLogLevel(text));
            return {};
          },
          .show = [](const Config& c) -> std::string {
            switch (c.log_level) {
              case LogLevel::kDebug:
                return "debug";
              case LogLevel::kInfo:
                return "info";
              case LogLevel::kWarn:
                return "warn";
              case LogLevel::kError:
                return "error";
              case LogLevel::kOff:
                break;
            }
            return "off";
          }};
}

constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();

#define FIRN_AT(path) [](Config& c) -> auto& { return c.path; }

std::vector<Setting> MakeSettings() {
  return {
      Text("db", {"FIRN_DB", "LANCEDB_BUCKET"}, "db", "the database: a folder, or s3://bucket/prefix",
           FIRN_AT(engine.database)),
      LogLevelSetting(),
      Number("threads", {"FIRN_THREADS"}, "threads", "threads that search and decode; 0 = one per core", 0, 4096,
             FIRN_AT(engine.threads)),
      Bytes("metadata-cache-bytes", {"FIRN_METADATA_CACHE_BYTES"}, "cache.metadata_bytes",
            "memory for footers of data files", FIRN_AT(engine.metadata_cache_bytes)),
      Bytes("memory-cache-bytes", {"FIRN_MEMORY_CACHE_BYTES"}, "cache.memory_bytes",
            "memory for bytes read from the store; 0 = off", FIRN_AT(engine.store.memory_cache_bytes)),
      Text("disk-cache", {"FIRN_DISK_CACHE"}, "cache.disk_folder", "folder for bytes read from the store; empty = off",
           FIRN_AT(engine.store.disk_cache_folder)),
      Bytes("disk-cache-bytes", {"FIRN_DISK_CACHE_BYTES"}, "cache.disk_bytes", "how much that folder may hold",
            FIRN_AT(engine.store.disk_cache_bytes)),
      Bytes("resident-bytes", {"FIRN_RESIDENT_BYTES"}, "hot.resident_bytes",
            "memory for index and vectors of one often searched table of a bucket; 0 = none",
            FIRN_AT(engine.resident_bytes)),
      Bytes("graph-bytes", {"FIRN_GRAPH_BYTES"}, "hot.graph_bytes",
            "memory for graphs of often searched tables; 0 = build none", FIRN_AT(engine.graph_bytes)),
      Number("graph-after", {"FIRN_GRAPH_AFTER"}, "hot.graph_after", "searches of a table, until a graph is built", 1,
             kMost32, FIRN_AT(engine.graph_after)),
      Number("measure-after", {"FIRN_MEASURE_AFTER"}, "hot.measure_after",
             "searches of an index, until what its promise of recall takes is measured with them; 0 = never", 0,
             kMost32, FIRN_AT(engine.measure_after)),
      Millis("idle-after-ms", {"FIRN_IDLE_AFTER_MS"}, "hot.idle_after_ms",
             "milliseconds without a search, until what a table holds in memory goes; 0 = never", 0,
             FIRN_AT(engine.idle_after)),
      Flag("fsync", {"FIRN_FSYNC"}, "store.fsync", "folders: make every write durable before it is acknowledged",
           FIRN_AT(engine.store.fsync)),

      Text("endpoint", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"}, "s3.endpoint",
           "of an S3 other than AWS: http://host:port", FIRN_AT(engine.store.endpoint)),
      Text("region", {"AWS_REGION", "AWS_DEFAULT_REGION"}, "s3.region", "of the bucket", FIRN_AT(engine.store.region)),
      Secret(Text("access-key-id", {"AWS_ACCESS_KEY_ID"}, "s3.access_key_id",
                  "credentials; empty = profile, web identity, container, instance",
                  FIRN_AT(engine.store.access_key_id))),
      Secret(Text("secret-access-key", {"AWS_SECRET_ACCESS_KEY"}, "s3.secret_access_key", "goes with access_key_id",
                  FIRN_AT(engine.store.secret_access_key))),
      Secret(Text("session-token", {"AWS_SESSION_TOKEN"}, "s3.session_token", "of temporary credentials",
                  FIRN_AT(engine.store.session_token))),
      Number("store-connections", {"FIRN_STORE_CONNECTIONS"}, "s3.max_connections", "to the store, at most", 1, 4096,
             FIRN_AT(engine.store.max_connections)),
      Number("store-attempts", {"FIRN_STORE_ATTEMPTS"}, "store.max_attempts", "of one store request; 1 = never retry",
             1, 100, FIRN_AT(engine.store.max_attempts)),
      Millis("store-connect-timeout-ms", {"FIRN_STORE_CONNECT_TIMEOUT_MS"}, "store.connect_timeout_ms",
             "milliseconds to reach the store", 1, FIRN_AT(engine.store.connect_timeout)),
      Millis("store-attempt-timeout-ms", {"FIRN_STORE_ATTEMPT_TIMEOUT_MS"}, "store.attempt_timeout_ms",
             "milliseconds that one store request may stand still", 1, FIRN_AT(engine.store.attempt_timeout)),

      Text("host", {"FIRN_HOST"}, "server.host", "address to listen on; 0.0.0.0 = every one",
           FIRN_AT(server.listener.host)),
      Number("port", {"FIRN_PORT", "PORT"}, "server.port", "port to listen on; 0 = any free one", 0, 65535,
             FIRN_AT(server.listener.port)),
      Text("keys-file", {"FIRN_KEYS_FILE"}, "server.keys_file",
           "API keys (firn keys create); empty = no key is asked for", FIRN_AT(server.keys_file)),
      Flag("open-health", {"FIRN_OPEN_HEALTH"}, "server.open_health", "/health answers without a key",
           FIRN_AT(server.open_health)),
      Flag("open-metrics", {"FIRN_OPEN_METRICS"}, "server.open_metrics", "/metrics answers without a key",
           FIRN_AT(server.open_metrics)),
      Millis("request-timeout-ms", {"FIRN_REQUEST_TIMEOUT_MS"}, "server.request_timeout_ms",
             "milliseconds that a request may work", 1, FIRN_AT(server.request_timeout)),
      Millis("stream-timeout-ms", {"FIRN_STREAM_TIMEOUT_MS"}, "server.stream_timeout_ms",
             "milliseconds that a streamed answer may take", 1, FIRN_AT(server.stream_timeout)),
      Millis("drain-delay-ms", {"FIRN_DRAIN_DELAY_MS"}, "server.drain_delay_ms",
             "milliseconds to go on serving, unready, after SIGTERM", 0, FIRN_AT(server.drain_delay)),
      Millis("drain-timeout-ms", {"FIRN_DRAIN_TIMEOUT_MS"}, "server.drain_timeout_ms",
             "milliseconds that running requests get to finish", 0, FIRN_AT(server.drain_timeout)),

      Bytes("max-body-bytes", {"FIRN_MAX_BODY_BYTES"}, "limits.body_bytes", "of one request body",
            FIRN_AT(server.max_body_bytes)),
      Bytes("max-buffered-bytes", {"FIRN_MAX_BUFFERED_BYTES"}, "limits.buffered_bytes",
            "of all request bodies together", FIRN_AT(server.listener.max_buffered_bytes)),
      Number("max-header-bytes", {"FIRN_MAX_HEADER_BYTES"}, "limits.header_bytes", "of a request's headers", 1024,
             65536, FIRN_AT(server.listener.max_header_bytes)),
      Number("max-connections", {"FIRN_MAX_CONNECTIONS"}, "limits.connections", "open at once; more wait", 1, 1'000'000,
             FIRN_AT(server.listener.max_connections)),
      Number("max-queued-requests", {"FIRN_MAX_QUEUED_REQUESTS"}, "limits.queued_requests",
             "waiting for a worker; more get 503", 0, kMost32, FIRN_AT(server.listener.max_queued_requests)),
      Number("worker-threads", {"FIRN_WORKER_THREADS"}, "limits.worker_threads", "requests that run at once", 1, 1024,
             FIRN_AT(server.listener.worker_threads)),
      Number("max-index-builds", {"FIRN_MAX_INDEX_BUILDS"}, "limits.index_builds",
             "that clients may have running at once", 0, 64, FIRN_AT(server.max_index_builds)),
      Millis("idle-timeout-ms", {"FIRN_IDLE_TIMEOUT_MS"}, "limits.idle_timeout_ms",
             "milliseconds between requests of a connection", 1, FIRN_AT(server.listener.idle_timeout)),
      Millis("header-timeout-ms", {"FIRN_HEADER_TIMEOUT_MS"}, "limits.header_timeout_ms",
             "milliseconds for a request's headers", 1, FIRN_AT(server.listener.header_timeout)),
      Millis("body-stall-timeout-ms", {"FIRN_BODY_STALL_TIMEOUT_MS"}, "limits.body_stall_timeout_ms",
             "milliseconds that a body may stand still", 1, FIRN_AT(server.listener.body_stall_timeout)),
      Millis("body-timeout-ms", {"FIRN_BODY_TIMEOUT_MS"}, "limits.body_timeout_ms", "milliseconds for a whole body", 1,
             FIRN_AT(server.listener.body_timeout)),
      Millis("write-timeout-ms", {"FIRN_WRITE_TIMEOUT_MS"}, "limits.write_timeout_ms",
             "milliseconds for a client to take a piece of an answer", 1, FIRN_AT(server.listener.write_timeout)),
  };
}

#undef FIRN_AT

}  // namespace

std::span<const Setting> Settings() {
  static const std::vector<Setting> settings = MakeSettings();
  return settings;
}

}  // namespace firn::server
