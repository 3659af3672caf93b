// What S3 answers and what it means, against a server that follows the test's script.
#include "store/s3/s3_store.h"

#include <gtest/gtest.h>

#include <thread>

#include "store/http/scripted_server_testing.h"
#include "store/s3/versitygw_testing.h"

namespace firn::store {
namespace {

using testing::Reply;
using testing::ScriptedServer;
using testing::SeenRequest;

StoreOptions OptionsFor(const ScriptedServer& server) {
  StoreOptions options;
  options.endpoint = server.url();
  options.region = "us-east-1";
  options.access_key_id = "AKTEST";
  options.secret_access_key = "hunter2";
  return options;
}

std::unique_ptr<ObjectStore> Open(const ScriptedServer& server, std::string_view prefix = "") {
  return *OpenS3("bkt", prefix, OptionsFor(server), testing::TestContext());
}

Reply Refuse(int status, const std::string& code, std::string_view headers = {}) {
  return Reply::Of(status, "<?xml version=\"1.0\"?><Error><Code>" + code + "</Code><Message>because</Message></Error>",
                   headers);
}

Result<ReadResult> ReadOf(const Reply& reply, const ReadRequest& request = ReadRequest::Whole("k")) {
  ScriptedServer server([&](const SeenRequest&) { return reply; });
  return Read(*Open(server), request, Deadline::Never());
}

Error ErrorOfRead(const Reply& reply) {
  const auto read = ReadOf(reply);
  return read ? Internal("it worked") : read.error();
}

bool Mentions(const Error& error, std::string_view word) { return error.ToString().find(word) != std::string::npos; }

TEST(S3Store, RefusalsHaveTheKindThatSaysWhatToDo) {
  using enum ErrorKind;
  const std::vector<std::tuple<int, std::string, ErrorKind>> table = {
      {404, "NoSuchKey", kNotFound},
      {404, "NoSuchBucket", kNotFound},
      {403, "AccessDenied", kPermissionDenied},
      {403, "InvalidAccessKeyId", kPermissionDenied},
      {403, "SignatureDoesNotMatch", kPermissionDenied},
      {403, "RequestTimeTooSkewed", kPermissionDenied},
      {400, "ExpiredToken", kPermissionDenied},
      {503, "SlowDown", kUnavailable},
      {500, "InternalError", kUnavailable},
      {429, "TooManyRequests", kUnavailable},
      {400, "RequestTimeout", kUnavailable},
      {409, "OperationAborted", kUnavailable},
      {501, "NotImplemented", kUnsupported},
      {405, "MethodNotAllowed", kUnsupported},
      {400, "InvalidArgument", kInvalidArgument},
      {418, "Teapot", kInvalidArgument},
  };
  for (const auto& [status, code, kind] : table) {
    const Error error = ErrorOfRead(Refuse(status, code));
    EXPECT_EQ(InfoOf(error.kind).name, InfoOf(kind).name) << code << ": " << error.ToString();
    EXPECT_FALSE(Mentions(error, "hunter2"));
  }
}

TEST(S3Store, RefusalsWithoutXmlAreToldByTheirStatus) {
  EXPECT_EQ(ErrorOfRead(Reply::Of(404, "<html>not found</html>")).kind, ErrorKind::kNotFound);
  EXPECT_EQ(ErrorOfRead(Reply::Of(403)).kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(ErrorOfRead(Reply::Of(502, "bad gateway")).kind, ErrorKind::kUnavailable);
  EXPECT_EQ(ErrorOfRead(Reply::Of(301)).kind, ErrorKind::kInvalidArgument);
}

TEST(S3Store, RefusalsSayWhatToTry) {
  EXPECT_TRUE(Mentions(ErrorOfRead(Refuse(404, "NoSuchBucket")), "aws s3 mb s3://bkt"));
  EXPECT_TRUE(Mentions(ErrorOfRead(Refuse(403, "RequestTimeTooSkewed")), "clock"));
  EXPECT_TRUE(Mentions(ErrorOfRead(Refuse(403, "SignatureDoesNotMatch")), "AWS_SECRET_ACCESS_KEY"));
  EXPECT_TRUE(Mentions(ErrorOfRead(Refuse(403, "AccessDenied")), "s3:GetObject"));
}

TEST(S3Store, AWrongRegionNamesTheRightOne) {
  const Error by_header = ErrorOfRead(Refuse(301, "PermanentRedirect", "x-amz-bucket-region: eu-central-1\r\n"));
  EXPECT_EQ(by_header.kind, ErrorKind::kInvalidArgument);
  EXPECT_TRUE(Mentions(by_header, "AWS_REGION=eu-central-1")) << by_header.ToString();
  const Error by_body =
      ErrorOfRead(Reply::Of(400, "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>"));
  EXPECT_TRUE(Mentions(by_body, "AWS_REGION=eu-west-3")) << by_body.ToString();
}

TEST(S3Store, AServersTextIsShortenedAndCleaned) {
  const Error error = ErrorOfRead(
      Reply::Of(400, "<Error><Code>Odd</Code><Message>a&#27;[2J" + std::string(5000, 'x') + "</Message></Error>"));
  EXPECT_LT(error.message.size(), 600u);
  EXPECT_FALSE(Mentions(error, "\x1b"));
}

TEST(S3Store, SendsTheKeyByPathAndTheRangeAndASignature) {
  ScriptedServer server(
      [](const SeenRequest&) { return Reply::Of(206, "cd", "Content-Range: bytes 2-3/10\r\nETag: \"e\"\r\n"); });
  const auto read = Read(*Open(server, "/pre fix/"), ReadRequest::Range("a+b", 2, 2), Deadline::Never());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->bytes.chars(), "cd");
  EXPECT_EQ(read->object_size_bytes, 10u);
  EXPECT_EQ(read->etag, "\"e\"");
  const SeenRequest seen = server.seen().at(0);
  EXPECT_EQ(seen.target, "/bkt/pre%20fix/a%2Bb");
  EXPECT_EQ(seen.Header("Range"), "bytes=2-3");
  EXPECT_TRUE(seen.Header("Authorization").starts_with("AWS4-HMAC-SHA256 Credential=AKTEST/"));
}

TEST(S3Store, VirtualHostStyleNamesTheBucketInTheHost) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200, "x"); });
  StoreOptions options = OptionsFor(server);
  options.endpoint = "http://localhost:" + std::to_string(server.endpoint().port);
  options.virtual_host = true;
  const auto store = OpenS3("bkt", "p", options, testing::TestContext());
  ASSERT_TRUE(store);
  ASSERT_TRUE(Read(**store, ReadRequest::Whole("k"), Deadline::Never()));
  EXPECT_EQ(server.seen().at(0).Header("Host"), "bkt.localhost:" + std::to_string(server.endpoint().port));
  EXPECT_EQ(server.seen().at(0).target, "/p/k");
}

TEST(S3Store, AServerThatIgnoresRangesStillGivesTheRightBytes) {
  EXPECT_EQ(ReadOf(Reply::Of(200, "0123456789"), ReadRequest::Range("k", 3, 2))->bytes.chars(), "34");
  EXPECT_EQ(ReadOf(Reply::Of(200, "0123456789"), ReadRequest::Tail("k", 3))->bytes.chars(), "789");
  EXPECT_EQ(ReadOf(Reply::Of(200, "0123456789"), ReadRequest::Range("k", 9, 2)).error().kind,
            ErrorKind::kInvalidArgument);
}

TEST(S3Store, PartsOtherThanAskedForAreNotBelieved) {
  for (const auto& [range, body] : std::vector<std::pair<std::string, std::string>>{{"bytes 0-1/10", "ab"},
                                                                                    {"bytes 2-3/10", "abc"},
                                                                                    {"bytes 2-4/10", "abc"},
                                                                                    {"bytes 3-2/10", "ab"},
                                                                                    {"bytes 2-3/*", "ab"},
                                                                                    {"bytes 2-3/3", "ab"},
                                                                                    {"chunks 2-3/10", "ab"},
                                                                                    {"", "ab"}}) {
    const auto read = ReadOf(Reply::Of(206, body, range.empty() ? "" : "Content-Range: " + range + "\r\n"),
                             ReadRequest::Range("k", 2, 2));
    ASSERT_FALSE(read) << range;
    EXPECT_EQ(read.error().kind, ErrorKind::kUnavailable) << range;
  }
}

TEST(S3Store, ARangeThatCannotBeSatisfiedIsPastTheEndAndATailOfNothingIsEmpty) {
  const Reply refused = Refuse(416, "InvalidRange", "Content-Range: bytes */0\r\n");
  EXPECT_EQ(ReadOf(refused, ReadRequest::Range("k", 0, 1)).error().kind, ErrorKind::kInvalidArgument);
  const auto tail = ReadOf(refused, ReadRequest::Tail("k", 10));
  ASSERT_TRUE(tail);
  EXPECT_TRUE(tail->bytes.empty());
  EXPECT_EQ(tail->object_size_bytes, 0u);
}

TEST(S3Store, ConditionalPutsMeetTheirAnswers) {
  using enum ErrorKind;
  const auto put = [](const Reply& reply, std::string* header = nullptr) {
    ScriptedServer server([&](const SeenRequest&) { return reply; });
    const Status status = Open(server)->Put("k", AsBytes("v"), PutCondition::kIfAbsent, Deadline::Never());
    if (header) *header = server.seen().at(0).Header("If-None-Match");
    return status;
  };
  std::string header;
  EXPECT_TRUE(put(Reply::Of(200), &header));
  EXPECT_EQ(header, "*");
  EXPECT_EQ(put(Refuse(412, "PreconditionFailed")).error().kind, kAlreadyExists);
  EXPECT_EQ(put(Refuse(409, "ConditionalRequestConflict")).error().kind, kUnavailable);
  EXPECT_EQ(put(Refuse(501, "NotImplemented")).error().kind, kUnsupported);
}

TEST(S3Store, AConditionalPutIsNeverSentTwice) {
  ScriptedServer server([](const SeenRequest& request) {
    return request.method == "PUT" ? Reply::Raw("", Reply::Then::kClose) : Reply::Of(200, "x");
  });
  const auto store = Open(server);
  ASSERT_TRUE(Read(*store, ReadRequest::Whole("k"), Deadline::Never()));
  const Status put = store->Put("k", AsBytes("v"), PutCondition::kIfAbsent, Deadline::Never());
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().kind, ErrorKind::kUnavailable);
  EXPECT_EQ(server.seen().size(), 2u);
}

std::string Listing(const std::string& inside) {
  return "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType>" + inside + "</ListBucketResult>";
}
std::string Object(const std::string& key) {
  return "<Contents><Key>" + key +
         "</Key><Size>3</Size><LastModified>2015-10-21T07:28:00.000Z</LastModified></Contents>";
}

TEST(S3Store, ListingsAreDecodedFilteredAndContinued) {
  ScriptedServer server([](const SeenRequest& request) {
    if (request.target.find("continuation-token=next%2B") == std::string::npos) {
      // Only what is to be left out: the start itself, a console's marker of a folder.
      return Reply::Of(
          200, Listing("<IsTruncated>true</IsTruncated><NextContinuationToken>next+</NextContinuationToken>" +
                       Object("p/") + Object("p/b/") + "<CommonPrefixes><Prefix>p/a/</Prefix></CommonPrefixes>"));
    }
    return Reply::Of(200, Listing("<IsTruncated>true</IsTruncated>" + Object("p/c+d%2Be%C3%A9") +
                                  "<CommonPrefixes><Prefix>p/x/</Prefix></CommonPrefixes>"));
  });
  ListRequest request;
  request.start_after = "a/";
  request.by_folder = true;
  const auto page = Open(server, "p")->List(request, Deadline::Never());
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->objects.size(), 1u);
  EXPECT_EQ(page->objects[0].key, "c d+e\xc3\xa9");
  EXPECT_EQ(page->objects[0].size_bytes, 3u);
  EXPECT_EQ(page->folders, std::vector<std::string>{"x/"});
  EXPECT_EQ(page->next_start_after, "x/");
  EXPECT_EQ(server.seen().at(0).target,
            "/bkt?delimiter=%2F&encoding-type=url&list-type=2&max-keys=1000&prefix=p%2F&start-after=p%2Fa%2F");
}

TEST(S3Store, ABrokenListingIsUnavailable) {
  for (const std::string& bad :
       {std::string("hello"), std::string("<Other/>"), Listing("<Contents><Key>a</Key></Contents>"),
        Listing("<Contents><Size>1</Size></Contents>"), Listing(Object("a%zz")), Listing(Object("a%4")),
        Listing("<Contents><Key>a</Key><Size>-1</Size></Contents>"), Listing(Object("x")).substr(0, 80)}) {
    ScriptedServer server([&](const SeenRequest&) { return Reply::Of(200, bad); });
    const auto page = Open(server)->List({}, Deadline::Never());
    ASSERT_FALSE(page) << bad;
    EXPECT_EQ(page.error().kind, ErrorKind::kUnavailable) << bad;
  }
}

TEST(S3Store, AListingThatNeverMovesOnEnds) {
  ScriptedServer server([](const SeenRequest&) {
    return Reply::Of(200, Listing("<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>"));
  });
  const auto page = Open(server)->List({}, Deadline::Never());
  ASSERT_FALSE(page);
  EXPECT_EQ(page.error().kind, ErrorKind::kUnavailable);
}

TEST(S3Store, DeletingNothingIsNoErrorButWithoutABucketItIs) {
  const auto remove = [](const Reply& reply) {
    ScriptedServer server([&](const SeenRequest&) { return reply; });
    return Open(server)->Delete("k", Deadline::Never());
  };
  EXPECT_TRUE(remove(Reply::Of(204)));
  EXPECT_TRUE(remove(Refuse(404, "NoSuchKey")));
  EXPECT_EQ(remove(Refuse(404, "NoSuchBucket")).error().kind, ErrorKind::kNotFound);
}

TEST(S3Store, UnsignedWhenToldSoByTheEnvironment) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200, "x"); });
  StoreOptions options;
  options.endpoint = server.url();
  const auto store = OpenS3("bkt", "", options, testing::TestContext([](std::string_view name) {
                              return name == "AWS_NO_SIGN_REQUEST" ? std::optional<std::string>("true") : std::nullopt;
                            }));
  ASSERT_TRUE(store);
  ASSERT_TRUE(Read(**store, ReadRequest::Whole("k"), Deadline::Never()));
  EXPECT_EQ(server.seen().at(0).Header("Authorization"), "");
}

TEST(S3Store, ExpiredKeysAreRenewedWithTheNextAttempt) {
  int handed_out = 0;
  ScriptedServer keys([&](const SeenRequest&) {
    return Reply::Of(200, R"({"AccessKeyId":"K)" + std::to_string(++handed_out) +
                              R"(","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"})");
  });
  ScriptedServer server([](const SeenRequest& request) {
    const bool is_first = request.Header("Authorization").find("Credential=K1/") != std::string::npos;
    return is_first ? Refuse(400, "ExpiredToken") : Reply::Of(200, "x");
  });
  StoreOptions options;
  options.endpoint = server.url();
  const std::string keys_url = keys.url() + "/keys";
  const auto store =
      OpenS3("bkt", "", options, testing::TestContext([keys_url](std::string_view name) {
               return name == "AWS_CONTAINER_CREDENTIALS_FULL_URI" ? std::optional(keys_url) : std::nullopt;
             }));
  ASSERT_TRUE(store);
  const auto first = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(Read(**store, ReadRequest::Whole("k"), Deadline::Never()));
  EXPECT_EQ(handed_out, 2);
}

TEST(S3Store, OpeningRefusesWhatCannotBeRightAndTouchesNoNetwork) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Of(200); });
  EXPECT_TRUE(OpenS3("bkt", "p", OptionsFor(server), testing::TestContext()));
  EXPECT_EQ(server.connections(), 0);
  EXPECT_FALSE(OpenS3("b/c", "", OptionsFor(server), testing::TestContext()));
  EXPECT_FALSE(OpenS3("bkt", "a/../b", OptionsFor(server), testing::TestContext()));
  StoreOptions half = OptionsFor(server);
  half.secret_access_key.clear();
  EXPECT_FALSE(OpenS3("bkt", "", half, testing::TestContext()));
  EXPECT_EQ((*OpenS3("bkt", "/p/q/", OptionsFor(server), testing::TestContext()))->Describe(), "s3://bkt/p/q");
  EXPECT_EQ((*OpenS3("bkt", "", OptionsFor(server), testing::TestContext()))->Describe(), "s3://bkt");
}

TEST(S3Store, ASilentServerIsUnavailableAfterTheAttemptTimeout) {
  ScriptedServer server([](const SeenRequest&) { return Reply::Silence(); });
  StoreOptions options = OptionsFor(server);
  options.attempt_timeout = std::chrono::milliseconds(30);
  const auto store = OpenS3("bkt", "", options, testing::TestContext());
  const auto read = Read(**store, ReadRequest::Whole("k"), Deadline::Never());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, ErrorKind::kUnavailable);
}

}  // namespace
}  // namespace firn::store
