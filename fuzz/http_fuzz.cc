// A request from a stranger, from its target to the rows of its body; the socket is not part of it. The input is
//   METHOD TARGET \n  then headers "Name: value" \n  then an empty line, then the body.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "server/json_object.h"
#include "server/router.h"
#include "server/routes/schema_json.h"
#include "server/row_body.h"
#include "server/row_reply.h"
#include "server/service.h"

using namespace firn;          // NOLINT: a program of one file
using namespace firn::server;  // NOLINT

namespace {

constexpr std::size_t kMaxHeaders = 16;
constexpr std::uint64_t kMaxBodyBytes = 1 << 20;

std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

RequestHead ReadHead(std::string_view& text) {
  RequestHead head;
  const std::string_view first = TakeLine(text);
  const std::size_t space = std::min(first.find(' '), first.size());
  head.method = first.substr(0, space);
  head.target = first.substr(std::min(space + 1, first.size()));
  while (head.headers.size() < kMaxHeaders) {
    const std::string_view line = TakeLine(text);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) break;
    head.headers.push_back({std::string(line.substr(0, colon)), std::string(line.substr(colon + 2))});
  }
  return head;
}

/// Every getter on every member: none may be wrong about its type.
void ReadMembers(std::string text) {
  auto object = JsonObject::Parse(text);
  if (!object) return;
  for (const std::string_view name : {"name", "data", "schema", "mode", "table", "query_vector", "limit", "filter",
                                      "vector", "k", "row_ids", "columns"}) {
    (void)object->String(name).has_value();
    (void)object->Unsigned(name).has_value();
    (void)object->Number(name).has_value();
    (void)object->Bool(name).has_value();
    (void)object->Strings(name).has_value();
    (void)object->UnsignedList(name).has_value();
    (void)object->Floats(name).has_value();
    (void)object->RawList(name).has_value();
    if (const auto schema = ReadSchema(*object, name); schema && *schema != nullptr) {
      std::string shown;
      AppendSchema(shown, **schema);
      std::string again = "{\"schema\":" + shown + "}";
      auto reread = JsonObject::Parse(again);
      if (!reread) std::abort();
      if (const auto same = ReadSchema(*reread, "schema"); !same || !arrow::Equal(**same, **schema)) std::abort();
    }
  }
}

class Nowhere final : public BodyWriter {
 public:
  Status Write(std::string_view) override { return {}; }
};

void ReadRows(Call& call) {
  Nowhere nowhere;
  auto rows = OpenRows(call, nullptr);
  if (!rows) return;
  for (int batches = 0; batches < 1000; batches++) {
    const auto batch = (*rows)->Next();
    if (!batch || !*batch) return;
    if (!RowsResponse(RowFormat::kJson, **batch, 1, "rows").stream(nowhere)) std::abort();
  }
}

/// All that outlives a request.
struct World {
  ManualClock clock;
  Random random{1};
  Log log{LogLevel::kOff, clock, [](std::string_view) {}};
  engine::World outside{clock, random, log, [](std::string_view) { return std::optional<std::string>(); }};
  std::unique_ptr<engine::Engine> engine = *engine::Engine::Open(MemoryConfig(), outside);
  Metrics metrics;
  IndexBuilds builds{WorkOf(*engine), metrics, clock, random, log, BuildLimits()};
  Backend backend{.engine = *engine, .metrics = metrics, .builds = builds, .clock = clock, .listener_counts = [] {
                    return ListenerCounts();
                  }};
  ServerConfig config;
  Service service{config, KeyRing(), backend, random, log};

  static engine::Config MemoryConfig() {
    engine::Config config;
    config.database = "memory://fuzz";
    return config;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const RequestHead head = ReadHead(text);
  const auto exchange = world.service.Begin(head);
  const auto refusal = exchange->Refusal();
  if (refusal && refusal->status >= 500 && refusal->status != 501) std::abort();
  exchange->Finished({.status = refusal ? refusal->status : 200});

  const auto target = ParseTarget(head.target);
  Call call{world.backend,     head,         {}, target ? Query(target->query) : Query(), std::string(text),
            Deadline::Never(), kMaxBodyBytes};
  (void)ChooseFormat(call).has_value();
  (void)call.query.Unsigned("limit").has_value();
  (void)call.query.Bool("with_row_id").has_value();
  (void)call.query.List("columns");
  (void)KeyRing::Parse(text, "keys").has_value();
  ReadMembers(call.body);
  ReadRows(call);
  return 0;
}
