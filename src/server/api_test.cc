// Every route over loopback, on a database in memory.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "arrow/builder.h"
#include "arrow/ipc.h"
#include "server/auth.h"
#include "server/http/raw_client_testing.h"
#include "server/router.h"
#include "server/server.h"

namespace firn::server {
namespace {

using ::testing::ContainsRegex;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawClient;
using testing::RawResponse;
using ::testing::StartsWith;

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() { Open(); }

  void Open() {
    engine::Config engine_config;
    engine_config.database = "memory://api";
    engine_config.threads = 2;
    auto opened = engine::Engine::Open(engine_config, world);
    ASSERT_TRUE(opened) << opened.error().ToString();
    engine = *std::move(opened);
    Serve();
  }
  void Serve() {
    server.reset();
    auto started = Server::Start(config, *engine, world);
    ASSERT_TRUE(started) << started.error().ToString();
    server = *std::move(started);
  }

  RawResponse Ask(std::string_view method, std::string_view target, std::string_view body = {},
                  std::string_view headers = {}) {
    RawClient client(server->port());
    std::string request(method);
    request.append(" ").append(target).append(" HTTP/1.1\r\nHost: h\r\n");
    if (!body.empty() && headers.find("Content-Type") == std::string_view::npos)
      request += "Content-Type: application/json\r\n";
    request.append(headers)
        .append("Content-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n\r\n")
        .append(body);
    if (!client.Send(request)) return {};
    return client.Receive(method == "HEAD");
  }
  RawResponse Get(std::string_view target, std::string_view headers = {}) { return Ask("GET", target, {}, headers); }
  RawResponse Post(std::string_view target, std::string_view body, std::string_view headers = {}) {
    return Ask("POST", target, body, headers);
  }

  /// What was logged so far. A line is written after its answer, before the io thread serves the next request.
  std::string LogText() {
    Get("/health");
    const std::lock_guard lock(log_mutex);
    return std::exchange(log_text, {});
  }

  void MakeDocs() {
    ASSERT_EQ(
        Post("/tables",
             R"({"name":"docs","data":[{"id":1,"text":"one","vector":[1,0,0]},{"id":2,"text":"two","vector":[0,1,0]},)"
             R"({"id":3,"text":null,"vector":[0,0,1]}]})")
            .status,
        201);
  }

  ManualClock clock;
  Random random{7};
  std::mutex log_mutex;
  std::string log_text;
  Log log{LogLevel::kInfo, clock, [this](std::string_view line) {
            const std::lock_guard lock(log_mutex);
            log_text += line;
          }};
  engine::World world{clock, random, log, [](std::string_view) { return std::optional<std::string>(); }};
  ServerConfig config;
  std::unique_ptr<engine::Engine> engine;
  std::unique_ptr<Server> server;
};

TEST_F(ApiTest, TheReplacedServicesRoutesWork) {
  const RawResponse created = Post(
      "/tables", R"({"name":"docs","data":[{"id":1,"vector":[1,0]},{"id":2,"vector":[0,1]},{"id":3,"vector":[5,5]}]})");
  EXPECT_EQ(created.status, 201);
  EXPECT_THAT(created.body, HasSubstr(R"("table":"docs","rows":3,"version":1)"));
  EXPECT_EQ(Get("/tables").body, "{\"tables\":[\"docs\"]}\n");
  const RawResponse found = Post("/search", R"({"table":"docs","query_vector":[0.9,0],"limit":2})");
  EXPECT_EQ(found.status, 200);
  EXPECT_THAT(found.body, StartsWith(R"({"results":[{"id":1,"vector":[1,0],"_distance":0.0)"));
  EXPECT_THAT(found.body, ContainsRegex("\"id\":1.*\"id\":2"));
  EXPECT_THAT(found.body, HasSubstr("\"count\":2"));
  EXPECT_THAT(Post("/search", R"({"table":"docs","query_vector":[0.9,0],"limit":2,"filter":"id > 1"})").body,
              Not(HasSubstr("\"id\":1,")));
  EXPECT_THAT(Post("/search", R"({"table":"docs","query_vector":[0.9,0],"filter":null})").body,
              HasSubstr("\"count\":3"));
  EXPECT_THAT(Get("/health").body, HasSubstr("\"status\":\"ok\""));
}

TEST_F(ApiTest, SeveralVectorsGetAListOfRowsEach) {
  MakeDocs();
  const std::string target = "/v1/tables/docs/search";
  const RawResponse one = Post(target, R"({"vector":[0,1,0],"k":2,"columns":["id"]})");
  const RawResponse many = Post(target, R"({"vectors":[[1,0,0],[0,1,0]],"k":2,"columns":["id"],"explain":true})");
  ASSERT_EQ(many.status, 200) << many.body;
  const std::string second = one.body.substr(one.body.find('['), one.body.find("],") + 1 - one.body.find('['));
  EXPECT_THAT(many.body, StartsWith("{\"results\":[[{"));
  EXPECT_THAT(many.body, HasSubstr("]," + second + "],\"version\":1,\"explain\":{\"plan\":"));
  EXPECT_THAT(many.body, HasSubstr("for 2 vectors at once"));
  const RawResponse csv = Post(target + "?format=csv", R"({"vectors":[[1,0,0],[0,1,0]],"k":1,"columns":["id"]})");
  EXPECT_THAT(csv.body, ContainsRegex("^_query,id,_distance\r?\n0,[0-9]+,[^\n]*\n1,[0-9]+,[^\n]*\n$"));
  EXPECT_THAT(Post(target, R"({"vector":[1,0,0],"vectors":[[1,0,0]]})").body, HasSubstr("both 'vector' and 'vectors'"));
  EXPECT_THAT(Post(target, R"({"k":1})").body, HasSubstr("'vector' is missing"));
  EXPECT_THAT(Post(target, R"({"vectors":[]})").body, HasSubstr("no query vectors"));
  const RawResponse wrong = Post(target, R"({"vectors":[[1,0,0],[0,1]]})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_THAT(wrong.body, HasSubstr("query vector 1 has 2 values"));
}

TEST_F(ApiTest, MetricsNameWhatHappened) {
  MakeDocs();
  Post("/search", R"({"table":"docs","query_vector":[1,0,0]})");
  Post("/search", R"({"table":"none","query_vector":[1,0,0]})");
  Get("/secret-path/../x");
  const RawResponse metrics = Get("/metrics");
  EXPECT_THAT(metrics.HeaderOf("Content-Type"), StartsWith("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics.body,
              HasSubstr("lancedb_requests_total{method=\"POST\",endpoint=\"/search\",status=\"200\"} 1\n"));
  EXPECT_THAT(metrics.body,
              HasSubstr("lancedb_requests_total{method=\"POST\",endpoint=\"/search\",status=\"404\"} 1\n"));
  EXPECT_THAT(metrics.body,
              HasSubstr("lancedb_request_duration_seconds_count{method=\"POST\",endpoint=\"/search\"} 2\n"));
  EXPECT_THAT(
      metrics.body,
      HasSubstr("lancedb_request_duration_seconds_bucket{method=\"POST\",endpoint=\"/search\",le=\"+Inf\"} 2\n"));
  EXPECT_THAT(metrics.body, HasSubstr("lancedb_errors_total{endpoint=\"/search\",kind=\"NotFound\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("lancedb_tables_total 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("lancedb_search_operations_total{status=\"success\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("lancedb_search_operations_total{status=\"error\"} 1\n"));
  EXPECT_THAT(metrics.body, HasSubstr("firn_rows_written_total 3\n"));
  EXPECT_THAT(metrics.body, Not(HasSubstr("secret-path")));
}

TEST_F(ApiTest, ATableIsCreatedFromASchemaAndFilledAndDescribedAndDropped) {
  const RawResponse created =
      Post("/v1/tables", R"json({"name":"t","schema":[{"name":"id","type":"int64","nullable":false},
      {"name":"at","type":"timestamp[us, UTC]"},{"name":"v","type":"vector(2)"}]})json");
  EXPECT_EQ(created.status, 201) << created.body;
  const RawResponse appended =
      Post("/v1/tables/t/rows", R"([{"id":1,"at":"2024-05-01T10:00:00Z","v":[1,2]},{"id":2,"v":null}])");
  EXPECT_EQ(appended.status, 200) << appended.body;
  EXPECT_THAT(appended.body, HasSubstr("\"rows\":2,\"version\":2"));
  const RawResponse described = Get("/v1/tables/t");
  EXPECT_THAT(described.body, HasSubstr("\"rows\":2"));
  EXPECT_THAT(described.body, HasSubstr("\"name\":\"id\",\"type\":\"int64\",\"nullable\":false"));
  EXPECT_THAT(Get("/v1/tables/t?version=1").body, HasSubstr("\"rows\":0"));
  EXPECT_THAT(Get("/v1/tables/t/versions").body,
              ContainsRegex("\"version\":1.*\"version\":2|\"version\":2.*\"version\":1"));
  EXPECT_EQ(Ask("DELETE", "/v1/tables/t").status, 200);
  EXPECT_EQ(Get("/v1/tables/t").status, 404);
  EXPECT_EQ(Ask("DELETE", "/v1/tables/t").status, 404);
}

TEST_F(ApiTest, TheSchemaThatDescribeShowsMakesTheSameTable) {
  MakeDocs();
  const std::string described = Get("/v1/tables/docs").body;
  const std::string schema =
      described.substr(described.find("\"schema\":"), described.rfind(']') + 1 - described.find("\"schema\":"));
  EXPECT_EQ(Post("/v1/tables", R"({"name":"same",)" + schema + "}").status, 201) << schema;
  EXPECT_THAT(Get("/v1/tables/same").body, HasSubstr(schema));
}

TEST_F(ApiTest, ModesDecideWhatAnExistingTableMeans) {
  MakeDocs();
  const std::string data = R"("data":[{"id":9,"vector":[1,2]}]})";
  EXPECT_EQ(Post("/v1/tables", R"({"name":"docs",)" + data).status, 409);
  EXPECT_EQ(Post("/tables", R"({"name":"docs",)" + data).status, 409);
  EXPECT_EQ(Post("/v1/tables", R"({"name":"docs","mode":"exist_ok",)" + data).status, 200);
  EXPECT_EQ(Get("/v1/tables/docs/count").body, "{\"count\":3,\"version\":1}\n");
  EXPECT_EQ(Post("/v1/tables", R"({"name":"docs","mode":"overwrite",)" + data).status, 201);
  EXPECT_EQ(Get("/v1/tables/docs/count").body, "{\"count\":1,\"version\":2}\n");
  EXPECT_EQ(Get("/v1/tables/docs/count?version=1").body, "{\"count\":3,\"version\":1}\n");
  EXPECT_EQ(Post("/v1/tables", R"({"name":"docs","mode":"replace",)" + data).status, 400);
}

TEST_F(ApiTest, RowsComeInEveryFormatAndGoBackIn) {
  MakeDocs();
  EXPECT_EQ(
      Get("/v1/tables/docs/rows?columns=id,text").body,
      "{\"version\":1,\"rows\":[{\"id\":1,\"text\":\"one\"},{\"id\":2,\"text\":\"two\"},{\"id\":3,\"text\":null}]}\n");
  EXPECT_EQ(Get("/v1/tables/docs/rows?columns=id&limit=1&offset=1", "Accept: application/x-ndjson\r\n").body,
            "{\"id\":2}\n");
  EXPECT_EQ(Get("/v1/tables/docs/rows?columns=id,text&filter=id%3C2&format=csv").body, "id,text\n1,one\n");
  EXPECT_THAT(Get("/v1/tables/docs/rows?columns=id&with_row_id=true&limit=1&format=ndjson").body,
              "{\"id\":1,\"_rowid\":0}\n");
  const std::pair<std::string, std::string> formats[] = {
      {"ndjson", "application/x-ndjson"}, {"csv", "text/csv"}, {"arrow", "application/vnd.apache.arrow.stream"}};
  for (const auto& [format, type] : formats) {
    const RawResponse rows = Get("/v1/tables/docs/rows?format=" + format);
    EXPECT_EQ(rows.HeaderOf("Content-Type"), type);
    EXPECT_EQ(rows.HeaderOf("X-Table-Version"), "1");
    const RawResponse created = Post("/v1/tables/" + format, rows.body, "Content-Type: " + type + "\r\n");
    EXPECT_EQ(created.status, 201) << created.body;
    EXPECT_TRUE(Get("/v1/tables/" + format + "/rows?format=ndjson").body ==
                Get("/v1/tables/docs/rows?format=ndjson").body)
        << format;
    EXPECT_EQ(Post("/v1/tables/" + format + "/rows", rows.body, "Content-Type: " + type + "\r\n").status, 200);
    EXPECT_EQ(Get("/v1/tables/" + format + "/count").body, "{\"count\":6,\"version\":2}\n");
  }
  EXPECT_EQ(Ask("HEAD", "/v1/tables/docs/rows").status, 200);
}

TEST_F(ApiTest, RowsAreTakenByTheirIds) {
  MakeDocs();
  EXPECT_EQ(Post("/v1/tables/docs/take", R"({"row_ids":[2,0,2],"columns":["id"]})").body,
            "{\"rows\":[{\"id\":3},{\"id\":1},{\"id\":3}],\"version\":1}\n");
  EXPECT_EQ(Post("/v1/tables/docs/take", R"({"row_ids":[3]})").status, 404);
  EXPECT_EQ(Post("/v1/tables/docs/take", R"({"row_ids":[-1]})").status, 400);
  EXPECT_EQ(Post("/v1/tables/docs/take", R"({})").status, 400);
}

TEST_F(ApiTest, ASearchTakesAllItsMembersAndExplains) {
  MakeDocs();
  const RawResponse found = Post(
      "/v1/tables/docs/search",
      R"({"vector":[1,0.1,0],"column":"vector","k":2,"offset":1,"metric":"cosine","filter":"id < 3","columns":["id"],)"
      R"("with_row_id":true,"explain":true,"version":1,"distance_at_least":0,"distance_below":10,"postfilter":false})");
  EXPECT_EQ(found.status, 200) << found.body;
  EXPECT_THAT(found.body, StartsWith(R"({"results":[{"id":2,"_rowid":1,"_distance":)"));
  EXPECT_THAT(found.body, HasSubstr("\"explain\":{\"plan\":"));
  EXPECT_THAT(Post("/v1/tables/docs/search", R"({"vector":[1,0,0],"k":100})").body,
              ContainsRegex("\"id\":1.*\"id\":2.*\"id\":3"));
  const RawResponse arrow =
      Post("/v1/tables/docs/search", R"({"vector":[1,0,0]})", "Accept: application/vnd.apache.arrow.stream\r\n");
  const auto contents = arrow::ReadIpc(Buffer::Of(arrow.body));
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->schema->fields.back().name, "_distance");
}

TEST_F(ApiTest, TablesAreListedInPages) {
  for (const char* name : {"a", "b", "c"})
    Post("/tables", R"({"name":")" + std::string(name) + R"(","data":[{"x":1}]})");
  const RawResponse first = Get("/v1/tables?limit=2");
  EXPECT_THAT(first.body, StartsWith(R"({"tables":["a","b"],"next_page_token":")"));
  EXPECT_EQ(Get("/v1/tables?limit=2&page_token=b").body, "{\"tables\":[\"c\"]}\n");
  EXPECT_EQ(Get("/v1/tables?limit=0").status, 400);
  EXPECT_EQ(Get("/v1/tables?limit=1001").status, 400);
}

/// `rows` rows {"id", "even", "vector"} of four dimensions on a spiral.
std::string SpiralRows(int first, int rows) {
  std::string lines;
  for (int id = first; id < first + rows; id++) {
    char line[160];
    std::snprintf(line, sizeof line,
                  R"({"id":%d,"even":%s,"vector":[%.4f,%.4f,%.4f,%.4f]})"
                  "\n",
                  id, id % 2 == 0 ? "true" : "false", std::cos(id * 0.7) * id, std::sin(id * 0.7) * id, id * 0.5,
                  std::cos(id * 0.3));
    lines += line;
  }
  return lines;
}
constexpr std::string_view kLines = "Content-Type: application/x-ndjson\r\n";

TEST_F(ApiTest, AnIndexIsBuiltUsedDescribedMeasuredAndDropped) {
  ASSERT_EQ(Post("/v1/tables/docs", SpiralRows(0, 600), kLines).status, 201);
  const std::string search = R"({"vector":[10,10,10,0],"k":3,"columns":["id"],"explain":true)";
  EXPECT_THAT(Post("/v1/tables/docs/search", search + "}").body, HasSubstr("\"way\":\"exact\""));
  EXPECT_EQ(Get("/v1/tables/docs/indexes").body, "{\"indexes\":[],\"builds\":[]}\n");

  const RawResponse built = Post("/v1/tables/docs/indexes", R"({"column":"vector","metric":"l2","rows_per_list":50})");
  EXPECT_EQ(built.status, 201) << built.body;
  EXPECT_THAT(built.body, StartsWith(R"({"name":"vector_idx","column":"vector","kind":"vector","metric":"l2","dim":4,)"
                                     R"("rows":600,"rows_missing":0,"segments":1,"lists":12,)"));
  EXPECT_EQ(Get("/v1/tables/docs/indexes/vector_idx").body, built.body);
  EXPECT_THAT(Get("/v1/tables/docs/indexes").body,
              StartsWith("{\"indexes\":[" + built.body.substr(0, built.body.size() - 1)));
  EXPECT_THAT(Get("/v1/tables/docs/indexes/vector_idx/build").body, HasSubstr("\"state\":\"done\""));

  const RawResponse found = Post("/v1/tables/docs/search", search + "}");
  EXPECT_THAT(found.body, HasSubstr("\"way\":\"lists\"")) << found.body;
  EXPECT_THAT(found.body, Not(HasSubstr("warnings")));
  EXPECT_THAT(Post("/v1/tables/docs/search", search + R"(,"nprobes":2,"refine":5})").body, HasSubstr("\"lists\":2,"));
  EXPECT_THAT(Post("/v1/tables/docs/search", search + R"(,"exact":true})").body, HasSubstr("\"way\":\"exact\""));
  EXPECT_THAT(Post("/v1/tables/docs/search", search + R"(,"recall":1})").body, HasSubstr("\"way\":\"exact\""));
  EXPECT_THAT(Post("/v1/tables/docs/search", search + R"(,"filter":"id = 7"})").body, HasSubstr("\"way\":\"matches\""));
  const RawResponse older =
      Post("/search", R"({"table":"docs","query_vector":[10,10,10,0],"limit":3,"nprobes":1,"explain":true})");
  EXPECT_THAT(older.body, HasSubstr("\"lists\":1,")) << older.body;

  const RawResponse recall =
      Post("/v1/tables/docs/recall", R"({"promises":[0.5,0.95],"queries":20,"k":5,"filter":"even"})");
  EXPECT_EQ(recall.status, 200) << recall.body;
  EXPECT_THAT(recall.body, StartsWith("{\"column\":\"vector\",\"queries\":20,\"k\":5,"));
  EXPECT_THAT(recall.body, ContainsRegex("\"promise\":0.5,.*\"promise\":0.95,"));
  EXPECT_THAT(Post("/v1/tables/docs/recall", R"({"vectors":[[1,2,3,4],[5,6,7,8]]})").body, HasSubstr("\"queries\":2,"));

  EXPECT_EQ(Post("/v1/tables/docs/rows", SpiralRows(600, 10), kLines).status, 200);
  EXPECT_THAT(Get("/v1/tables/docs/indexes/vector_idx").body, HasSubstr("\"rows\":600,\"rows_missing\":10,"));
  EXPECT_THAT(Post("/v1/tables/docs/indexes", R"({"missing":true})").body,
              HasSubstr("\"rows\":610,\"rows_missing\":0,\"segments\":2,"));

  const std::string metrics = Get("/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("firn_index_builds_total{outcome=\"done\"} 2\n"));
  EXPECT_THAT(metrics, HasSubstr("firn_search_index_total{way=\"matches\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("firn_index_builds_running 0\n"));
  EXPECT_THAT(metrics, Not(HasSubstr("firn_search_lists_total 0\n")));

  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs/indexes/vector_idx").body, "{\"dropped\":\"vector_idx\"}\n");
  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs/indexes/vector_idx").status, 404);
  EXPECT_EQ(Get("/v1/tables/docs/indexes/vector_idx").status, 404);
  EXPECT_THAT(Post("/v1/tables/docs/search", search + "}").body, HasSubstr("\"way\":\"exact\""));
}

TEST_F(ApiTest, ABuildInTheBackgroundIsFollowedToItsEnd) {
  ASSERT_EQ(Post("/v1/tables/docs", SpiralRows(0, 300), kLines).status, 201);
  EXPECT_EQ(Get("/v1/tables/docs/indexes/mine/build").status, 404);
  const RawResponse started = Post("/v1/tables/docs/indexes", R"({"name":"mine","wait":false})");
  EXPECT_EQ(started.status, 202) << started.body;
  EXPECT_THAT(started.body,
              ContainsRegex(R"(^\{"id":"[0-9a-f-]{36}","index":"mine","column":"vector","metric":"l2","state":")"));
  const RawResponse over = Get("/v1/tables/docs/indexes/mine/build?wait_ms=60000");
  EXPECT_THAT(over.body, HasSubstr("\"state\":\"done\""));
  EXPECT_EQ(Get("/v1/tables/docs/indexes/mine").status, 200);
  EXPECT_THAT(Ask("DELETE", "/v1/tables/docs/indexes/mine/build").body, HasSubstr("\"state\":\"done\""))
      << "it was over";
  EXPECT_EQ(Get("/v1/tables/docs/indexes/mine/build?wait_ms=3600001").status, 400);
}

TEST_F(ApiTest, NoMoreIndexBuildsRunThanTheSettingSays) {
  ASSERT_EQ(Post("/v1/tables/docs", SpiralRows(0, 10), kLines).status, 201);
  config.max_index_builds = 0;
  Serve();
  EXPECT_EQ(Post("/v1/tables/docs/indexes", "{}").status, 429);
}

struct BadRequest {
  std::string method, target, body, content_type;
  int status;
  std::string says;
};

TEST_F(ApiTest, BadInputGetsAClearAnswerAndNothingIsWritten) {
  MakeDocs();
  const std::string json = "application/json";
  const std::string lines = "application/x-ndjson";
  const std::vector<BadRequest> requests = {
      {"POST", "/tables", "{", json, 400, "JSON"},
      {"POST", "/tables", "[]", json, 400, "not a JSON object"},
      {"POST", "/tables", R"({"name":"x"})", json, 400, "'data' is missing"},
      {"POST", "/tables", R"({"data":[{"a":1}]})", json, 400, "'name' is missing"},
      {"POST", "/tables", R"({"name":"x","data":[]})", json, 400, ""},
      {"POST", "/tables", R"({"name":"x","data":{"a":1}})", json, 400, "list"},
      {"POST", "/tables", R"({"name":"x","dta":[]})", json, 400, "Did you mean 'data'?"},
      {"POST", "/tables", R"({"name":"../x","data":[{"a":1}]})", json, 400, "name"},
      {"POST", "/tables", R"({"name":"a/b","data":[{"a":1}]})", json, 400, "name"},
      {"POST", "/tables", R"({"name":"x","data":[{"vector":[1,2]},{"vector":[1,2,3]}]})", json, 400, "vector"},
      {"POST", "/tables", R"({"name":"x","data":[{"a":1},{"a":1]})", json, 400, ""},
      {"POST", "/tables", R"({"name":"x","data":[{"vector":[1,NaN]}]})", json, 400, ""},
      {"POST", "/v1/tables", R"({"name":"x"})", json, 400, "schema"},
      {"POST", "/v1/tables", R"({"name":"x","schema":[{"name":"a","type":"nonsense"}]})", json, 400, "schema[0]"},
      {"POST", "/v1/tables", R"({"name":"x","schema":[{"name":"a","type":"int64"},{"name":"a","type":"int64"}]})", json,
       400, "twice"},
      {"POST", "/v1/tables/x", R"([{"a":{}}])", json, 422, "struct without members"},
      {"POST", "/v1/tables/docs?mode=exist_ok", R"([{"a":1},])", json, 400, ""},
      {"POST", "/v1/tables/..%2Fx", R"([{"a":1}])", json, 400, "name"},
      {"POST", "/v1/tables/x", "{\"a\":1}\n{\"a\":\n", lines, 400, "row 1 (line 2)"},
      {"POST", "/v1/tables/x", "a,b\n1\n", "text/csv", 400, "row 0"},
      {"POST", "/v1/tables/x", "not arrow", "application/vnd.apache.arrow.stream", 400, "the request body"},
      {"POST", "/v1/tables/x", "<a/>", "text/xml", 415, "text/xml"},
      {"POST", "/v1/tables/docs/rows", R"([{"id":1,"vector":[1,2]}])", json, 400, "vector"},
      {"POST", "/v1/tables/docs/rows", R"([{"id":1},{"id":"one"}])", json, 400, "row 1, column"},
      {"POST", "/v1/tables/docs/rows", R"([{"id":1,"colour":1}])", json, 400, "colour"},
      {"POST", "/v1/tables/none/rows", R"([{"id":1}])", json, 404, "none"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0]})", json, 400, ""},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"limit":0})", json, 400, ""},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"limit":99999999999})", json, 400, ""},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"limit":-1})", json, 400, "limit"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,"0",0]})", json, 400, "query_vector[1]"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,1e300,0]})", json, 400, "query_vector[1]"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"filter":"id >"})", json, 400, "filter"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"filter":"idd = 1"})", json, 400, "id"},
      {"POST", "/search", R"({"table":"docs","vector":[1,0,0]})", json, 400, "Did you mean 'query_vector'?"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"metric":"manhattan"})", json, 400, "manhattan"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"columns":["no"]})", json, 400, "no"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"recall":1.5})", json, 400, "recall is 1.5"},
      {"POST", "/search", R"({"table":"docs","query_vector":[1,0,0],"recall":"high"})", json, 400,
       "'recall' is not a number"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"recall":0})", json, 400, "recall is 0"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"recall":1e300})", json, 400, "recall is inf"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"nprobes":0})", json, 400, "nprobes is 0"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"nprobes":1.5})", json, 400, "whole number"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"refine":99999999999})", json, 400,
       "not from 1 to 1000000"},
      {"POST", "/v1/tables/docs/search", R"({"vector":[1,0,0],"exact":1})", json, 400, "'exact' is not true or false"},
      {"POST", "/v1/tables/docs/indexes", R"({"column":"text"})", json, 400, "not a vector"},
      {"POST", "/v1/tables/docs/indexes", R"({"column":"no"})", json, 400, "Its vector columns are: vector"},
      {"POST", "/v1/tables/docs/indexes", R"({"column":7})", json, 400, "'column' is not a string"},
      {"POST", "/v1/tables/docs/indexes", R"({"metric":"manhattan"})", json, 400, "manhattan"},
      {"POST", "/v1/tables/docs/indexes", R"({"metric":"hamming"})", json, 422, "hamming"},
      {"POST", "/v1/tables/docs/indexes", R"({"kind":"hnsw"})", json, 400, "There is one kind: vector"},
      {"POST", "/v1/tables/docs/indexes", R"({"name":""})", json, 400, "'name' is empty"},
      {"POST", "/v1/tables/docs/indexes", R"({"name":"a\nb"})", json, 400, "control characters"},
      {"POST", "/v1/tables/docs/indexes", R"({"rows_per_list":0})", json, 400, "rows_per_list"},
      {"POST", "/v1/tables/docs/indexes", R"({"wait":"no"})", json, 400, "'wait' is not true or false"},
      {"POST", "/v1/tables/docs/indexes", R"({"colunm":"vector"})", json, 400, "Did you mean 'column'?"},
      {"POST", "/v1/tables/none/indexes", "{}", json, 404, "none"},
      {"GET", "/v1/tables/none/indexes", "", json, 404, "none"},
      {"GET", "/v1/tables/docs/indexes/no", "", json, 404, "It has none"},
      {"DELETE", "/v1/tables/docs/indexes/no", "", json, 404, "no index"},
      {"DELETE", "/v1/tables/docs/indexes/no/build", "", json, 404, "since it started"},
      {"GET", "/v1/tables/docs/indexes/no/build?wait=1", "", json, 400, "wait_ms"},
      {"POST", "/v1/tables/docs/recall", R"({"promises":[1.5]})", json, 400, "recall is 1.5"},
      {"POST", "/v1/tables/docs/recall", R"({"promises":[]})", json, 400, "promises"},
      {"POST", "/v1/tables/docs/recall", R"({"queries":0})", json, 400, "queries"},
      {"POST", "/v1/tables/docs/recall", R"({"k":1001})", json, 400, "not from 1 to 1000"},
      {"POST", "/v1/tables/docs/recall", R"({"vectors":[[1,2]]})", json, 400, "2 values"},
      {"POST", "/v1/tables/docs/recall", R"({"vectors":[1,2]})", json, 400, "vectors[0]"},
      {"POST", "/v1/tables/docs/recall", R"({"vectors":[[1,2,3]],"queries":1})", json, 400, "both"},
      {"POST", "/v1/tables/docs/recall", R"({"column":"text"})", json, 400, "not a vector"},
      {"POST", "/v1/tables/docs/recall", R"({"filter":"id >"})", json, 400, ""},
      {"GET", "/v1/tables/docs/rows?limit=x", "", json, 400, "limit"},
      {"GET", "/v1/tables/docs/rows?colums=id", "", json, 400, "Did you mean 'columns'?"},
      {"GET", "/v1/tables/docs/rows?format=xml", "", json, 400, "xml"},
      {"GET", "/v1/tables/docs/rows?filter=id%20%3D", "", json, 400, ""},
      {"GET", "/v1/tables/docs/rows?columns=none", "", json, 400, "none"},
      {"GET", "/v1/tables/docs/rows?version=99", "", json, 404, "99"},
      {"GET", "/v1/tables/none", "", json, 404, "none"},
      {"GET", "/v1/tables/docs/rows?limit=1&limit=2", "", json, 400, "twice"},
      {"GET", "/v1/tables/%zz", "", json, 400, "%"},
      {"GET", "/nothing", "", json, 404, "/nothing"},
      {"PUT", "/tables", "{}", json, 405, "PUT"},
  };
  for (const BadRequest& bad : requests) {
    const RawResponse response = Ask(bad.method, bad.target, bad.body, "Content-Type: " + bad.content_type + "\r\n");
    EXPECT_EQ(response.status, bad.status)
        << bad.method << " " << bad.target << " " << bad.body << " -> " << response.body;
    EXPECT_THAT(response.body, StartsWith("{\"error\":{\"kind\":\"")) << bad.body;
    EXPECT_THAT(response.body, HasSubstr(bad.says)) << bad.target << bad.body;
  }
  EXPECT_EQ(Get("/tables").body, "{\"tables\":[\"docs\"]}\n");
  EXPECT_EQ(Get("/v1/tables/docs/count").body, "{\"count\":3,\"version\":1}\n");
}

TEST_F(ApiTest, AMethodThatIsNotAllowedIsToldWhichAre) {
  const RawResponse response = Ask("PATCH", "/v1/tables/docs");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.HeaderOf("Allow"), "GET, HEAD, POST, DELETE, OPTIONS");
  const RawResponse options = Ask("OPTIONS", "/tables");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.HeaderOf("Allow"), "GET, HEAD, POST, OPTIONS");
}

TEST_F(ApiTest, NothingAcceptableIs406) {
  MakeDocs();
  EXPECT_EQ(Get("/v1/tables/docs/rows", "Accept: image/png\r\n").status, 406);
  EXPECT_EQ(Get("/v1/tables/docs/rows", "Accept: text/html, */*;q=0.1\r\n").HeaderOf("Content-Type"),
            "application/json");
}

TEST_F(ApiTest, AGzippedBodyIsUnpackedWithinTheLimit) {
  // python3: gzip.compress(b'[{"a":1}]', mtime=0)
  const std::string gzipped(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x8b\xae\x56\x4a\x54"
      "\xb2\x32\xac\x8d\x05\x00\x7d\x73\xcb\xf2\x09\x00\x00\x00",
      29);
  const RawResponse broken =
      Post("/v1/tables/x", "not gzip", "Content-Type: application/json\r\nContent-Encoding: gzip\r\n");
  EXPECT_EQ(broken.status, 400) << broken.body;
  EXPECT_EQ(Post("/v1/tables/x", "[]", "Content-Type: application/json\r\nContent-Encoding: br\r\n").status, 415);
  const RawResponse created =
      Post("/v1/tables/x", gzipped, "Content-Type: application/json\r\nContent-Encoding: gzip\r\n");
  EXPECT_EQ(created.status, 201) << created.body;
  config.max_body_bytes = 5;
  Serve();
  EXPECT_EQ(Post("/v1/tables/y", "[{\"a\":1}]").status, 413);
}

TEST_F(ApiTest, RequestIdsAreTakenOverWhenSaneAndMadeOtherwise) {
  EXPECT_EQ(Get("/v1/tables", "X-Request-Id: abc-123\r\n").HeaderOf("X-Request-Id"), "abc-123");
  EXPECT_THAT(LogText(), HasSubstr("\"request_id\":\"abc-123\""));
  const RawResponse made = Get("/nothing", "X-Request-Id: a b\"c\r\n");
  EXPECT_EQ(made.HeaderOf("X-Request-Id").size(), 36);
  EXPECT_THAT(made.body, HasSubstr("\"request_id\":\"" + made.HeaderOf("X-Request-Id")));
}

TEST_F(ApiTest, ARequestTimeoutHeaderMustBeANumber) {
  EXPECT_EQ(Get("/v1/tables", "X-Request-Timeout-Ms: 1000\r\n").status, 200);
  EXPECT_EQ(Get("/v1/tables", "X-Request-Timeout-Ms: soon\r\n").status, 400);
  EXPECT_EQ(Get("/v1/tables", "X-Request-Timeout-Ms: 0\r\n").status, 400);
}

TEST_F(ApiTest, TheLogHasOneLineForEachRequestWithoutBodiesFiltersOrKeys) {
  MakeDocs();
  LogText();
  Get("/v1/tables/docs/rows?filter=text%3D%27hush%27", "Authorization: Bearer firn_x_topsecret\r\n");
  const std::string logged = LogText();
  EXPECT_THAT(logged, HasSubstr("\"route\":\"/v1/tables/{table}/rows\""));
  EXPECT_THAT(logged, HasSubstr("\"status\":200"));
  EXPECT_THAT(logged, Not(HasSubstr("hush")));
  EXPECT_THAT(logged, Not(HasSubstr("topsecret")));
  EXPECT_EQ(std::count(logged.begin(), logged.end(), '\n'), 1);
}

class KeysApiTest : public ApiTest {
 protected:
  KeysApiTest() {
    std::string path = (std::filesystem::temp_directory_path() / "firn-keys-XXXXXX").string();
    const int file = mkstemp(path.data());
    close(file);
    config.keys_file = path;
    std::ofstream out(path);
    for (const auto& [id, scope, rate] : {std::tuple("reader", Scope::kRead, 0.0),
                                          {"writer", Scope::kWrite, 0.0},
                                          {"admin", Scope::kAdmin, 0.0},
                                          {"slow", Scope::kRead, 0.5}}) {
      const CreatedKey created =
          *CreateKey({.id = id, .scopes = {scope}, .requests_per_second = rate}, SystemEntropy());
      out << created.line;
      keys[id] = "Authorization: Bearer " + created.key + "\r\n";
      plain[id] = created.key;
    }
    out.close();
    Serve();
  }
  ~KeysApiTest() override { std::filesystem::remove(config.keys_file); }

  std::map<std::string, std::string> keys, plain;
};

TEST_F(KeysApiTest, ARequestNeedsAKeyThatIsKnown) {
  const RawResponse none = Get("/v1/tables");
  EXPECT_EQ(none.status, 401);
  EXPECT_THAT(none.HeaderOf("WWW-Authenticate"), StartsWith("Bearer"));
  EXPECT_EQ(Get("/v1/tables", "Authorization: Bearer firn_reader_0000\r\n").status, 401);
  EXPECT_EQ(Get("/v1/tables", "Authorization: Basic Zm9vOmJhcg==\r\n").status, 401);
  EXPECT_EQ(Get("/v1/tables", keys["reader"]).status, 200);
  EXPECT_EQ(Get("/v1/tables", "x-api-key: " + plain["reader"] + "\r\n").status, 200);
  const std::string logged = LogText();
  EXPECT_THAT(logged, HasSubstr("\"key\":\"reader\""));
  EXPECT_THAT(logged, Not(HasSubstr(plain["reader"])));
}

TEST_F(KeysApiTest, AKeyMayDoWhatItsScopesSay) {
  const std::string table = R"({"name":"docs","data":[{"id":1}]})";
  EXPECT_EQ(Post("/tables", table, keys["reader"]).status, 403);
  EXPECT_EQ(Post("/tables", table, keys["writer"]).status, 201);
  EXPECT_EQ(Get("/v1/tables/docs/rows", keys["writer"]).status, 403);
  EXPECT_EQ(Get("/v1/tables/docs/rows", keys["reader"]).status, 200);
  EXPECT_EQ(Post("/v1/tables/docs/indexes", "{}", keys["reader"]).status, 403);
  EXPECT_EQ(Post("/v1/tables/docs/indexes", "{}", keys["writer"]).status, 400) << "it has no vectors";
  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs/indexes/x", {}, keys["reader"]).status, 403);
  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs/indexes/x", {}, keys["writer"]).status, 404);
  EXPECT_EQ(Get("/v1/tables/docs/indexes", keys["writer"]).status, 403);
  EXPECT_EQ(Post("/v1/tables/docs/recall", "{}", keys["reader"]).status, 400);
  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs", {}, keys["writer"]).status, 403);
  EXPECT_EQ(Get("/v1/tables/docs/rows", keys["admin"]).status, 200);
  EXPECT_EQ(Ask("DELETE", "/v1/tables/docs", {}, keys["admin"]).status, 200);
}

TEST_F(KeysApiTest, AKeyOverItsRateGets429AndWhenToComeBack) {
  EXPECT_EQ(Get("/v1/tables", keys["slow"]).status, 200);
  const RawResponse over = Get("/v1/tables", keys["slow"]);
  EXPECT_EQ(over.status, 429);
  EXPECT_EQ(over.HeaderOf("Retry-After"), "2");
  EXPECT_EQ(Get("/v1/tables", keys["reader"]).status, 200);
  clock.Advance(std::chrono::seconds(2));
  EXPECT_EQ(Get("/v1/tables", keys["slow"]).status, 200);
}

TEST_F(KeysApiTest, HealthAndMetricsAreOpenUnlessTheSettingSaysOtherwise) {
  EXPECT_EQ(Get("/health").status, 200);
  EXPECT_EQ(Get("/health/ready").status, 200);
  EXPECT_EQ(Get("/metrics").status, 200);
  config.open_health = config.open_metrics = false;
  Serve();
  EXPECT_EQ(Get("/health").status, 401);
  EXPECT_EQ(Get("/metrics").status, 401);
  EXPECT_EQ(Get("/metrics", keys["reader"]).status, 200);
}

TEST_F(KeysApiTest, AFileWithoutAKeyDoesNotOpenTheServer) {
  std::ofstream(config.keys_file, std::ios::trunc) << "# none\n";
  EXPECT_FALSE(Server::Start(config, *engine, world));
  config.keys_file = "/no/such/file";
  EXPECT_EQ(Server::Start(config, *engine, world).error().kind, ErrorKind::kNotFound);
}

TEST_F(ApiTest, ReadinessTurnsWithTheDrainAndLivenessDoesNot) {
  EXPECT_EQ(Get("/health/ready").status, 200);
  RawClient client(server->port());
  ASSERT_EQ(client.Ask("GET /health/live HTTP/1.1\r\nHost: h\r\n\r\n").status, 200);
  EXPECT_TRUE(server->Drain());
  EXPECT_THAT(LogText(), HasSubstr("\"message\":\"draining\""));
  EXPECT_TRUE(client.IsClosed());
}

TEST_F(ApiTest, AnOpenServerBeyondLoopbackIsWarnedOf) {
  EXPECT_THAT(LogText(), Not(HasSubstr("\"level\":\"warn\"")));
  config.listener.host = "0.0.0.0";
  Serve();
  const std::string logged = LogText();
  EXPECT_THAT(logged, HasSubstr("\"level\":\"warn\""));
  EXPECT_THAT(logged, HasSubstr("there is no keys file"));
}

TEST_F(ApiTest, EveryRouteIsInTheDescription) {
  std::ifstream file(std::string(FIRN_SOURCE_DIR) + "/api/openapi.yaml");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  for (const Route& route : Routes()) {
    const std::size_t path = text.find("\n  " + std::string(route.path) + ":\n");
    ASSERT_NE(path, std::string::npos) << route.path;
    const std::string section = text.substr(path + 1, text.find("\n  /", path + 1) - path);
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    EXPECT_THAT(section, HasSubstr("\n    " + method + ":\n")) << route.path;
  }
}

}  // namespace
}  // namespace firn::server
