// Uploads against a server that follows the test's script; whole ones against a real server are in the contract.
#include "store/s3/s3_upload.h"

#include <gtest/gtest.h>

#include <atomic>
#include <mutex>
#include <set>

#include "store/http/scripted_server_testing.h"
#include "store/s3/versitygw_testing.h"

namespace firn::store {
namespace {

using testing::Reply;
using testing::ScriptedServer;
using testing::SeenRequest;

constexpr std::size_t kPart = 8u << 20;

/// A server that knows uploads, and does what the hooks say instead where they say something.
struct UploadServer {
  std::function<std::optional<Reply>(const SeenRequest&)> part = [](const SeenRequest&) { return std::nullopt; };
  std::function<std::optional<Reply>(const SeenRequest&)> complete = [](const SeenRequest&) { return std::nullopt; };
  std::atomic<int> aborts = 0;
  std::string completed;
  std::string head_length = "0";

  ScriptedServer server{[this](const SeenRequest& request) {
    const bool of_upload = request.target.find("uploadId=id") != std::string::npos;
    if (request.method == "POST" && request.target.ends_with("?uploads=")) {
      return Reply::Of(200, "<InitiateMultipartUploadResult><UploadId>id</UploadId></InitiateMultipartUploadResult>");
    }
    if (request.method == "PUT" && of_upload) {
      const std::size_t at = request.target.find("partNumber=") + 11;
      const std::string number = request.target.substr(at, request.target.find('&', at) - at);
      return part(request).value_or(Reply::Of(200, "", "ETag: \"etag-" + number + "\"\r\n"));
    }
    if (request.method == "POST" && of_upload) {
      if (auto reply = complete(request)) return *reply;
      completed = request.body;
      return Reply::Of(200, "<CompleteMultipartUploadResult/>");
    }
    if (request.method == "HEAD")
      return Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: " + head_length + "\r\n\r\n", {});
    if (request.method == "DELETE" && of_upload) ++aborts;
    return Reply::Of(request.method == "DELETE" ? 204 : 200);
  }};

  ManualClock clock;  // back-offs take no time
  Random random{1};
  Log log{LogLevel::kOff};

  std::unique_ptr<Upload> Start() {
    StoreOptions options;
    options.endpoint = server.url();
    options.access_key_id = "k";
    options.secret_access_key = "s";
    const StoreContext context{clock, random, log, testing::NoEnvironment()};
    return NewS3Upload(*S3Bucket::Open("bkt", options, context), "key", {clock, random, 3});
  }
};

Status AppendParts(Upload& upload, std::size_t bytes) {
  return upload.Append(AsBytes(std::string(bytes, 'x')), Deadline::Never());
}

TEST(S3Upload, WhatIsSmallerThanAPartIsOnePut) {
  UploadServer s3;
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, kPart - 1));
  EXPECT_EQ(s3.server.connections(), 0);
  ASSERT_TRUE(upload->Finish(Deadline::Never()));
  const auto seen = s3.server.seen();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].target, "/bkt/key");
  EXPECT_EQ(seen[0].body.size(), kPart - 1);
}

TEST(S3Upload, PartsAreJoinedInOrder) {
  UploadServer s3;
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, 6 * kPart + 5));
  ASSERT_TRUE(upload->Finish(Deadline::Never()));
  std::string expected = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  for (int i = 1; i <= 7; ++i) {
    const std::string n = std::to_string(i);
    expected += "<Part><PartNumber>" + n + "</PartNumber><ETag>\"etag-" + n + "\"</ETag></Part>";
  }
  EXPECT_EQ(s3.completed, expected + "</CompleteMultipartUpload>");
  EXPECT_EQ(s3.aborts, 0);
}

TEST(S3Upload, APartThatMeetsABusyServerIsSentAgain) {
  UploadServer s3;
  std::atomic<int> busy = 2;
  s3.part = [&](const SeenRequest& request) -> std::optional<Reply> {
    if (request.target.find("partNumber=2") == std::string::npos || busy-- <= 0) return std::nullopt;
    return Reply::Of(503, "<Error><Code>SlowDown</Code></Error>");
  };
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, 3 * kPart));
  const Status finished = upload->Finish(Deadline::Never());
  EXPECT_TRUE(finished) << finished.error().message;
}

TEST(S3Upload, APartThatNeverGoesThroughFailsTheUploadAndAbortsIt) {
  UploadServer s3;
  s3.part = [](const SeenRequest&) { return Reply::Of(503, "<Error><Code>SlowDown</Code></Error>"); };
  {
    const auto upload = s3.Start();  // one part: of two, the other could still be on its way when the first has failed
    (void)AppendParts(*upload, kPart);
    const Status finished = upload->Finish(Deadline::Never());
    ASSERT_FALSE(finished);
    EXPECT_EQ(finished.error().kind, ErrorKind::kUnavailable);
    const std::size_t sent = s3.server.seen().size();
    EXPECT_FALSE(upload->Finish(Deadline::Never()));
    EXPECT_FALSE(AppendParts(*upload, 2 * kPart));
    EXPECT_EQ(s3.server.seen().size(), sent);
  }
  EXPECT_EQ(s3.aborts, 1);
}

TEST(S3Upload, DroppingItAbortsWhatIsUnderWay) {
  UploadServer s3;
  s3.part = [](const SeenRequest&) { return Reply::Silence(); };
  {
    const auto upload = s3.Start();
    ASSERT_TRUE(AppendParts(*upload, 2 * kPart));
    s3.server.AwaitRequests(2);
  }
  EXPECT_EQ(s3.aborts, 1);
}

TEST(S3Upload, ASuccessThatHoldsAnErrorIsAnError) {
  UploadServer s3;
  std::atomic<int> failures = 1;
  s3.complete = [&](const SeenRequest&) -> std::optional<Reply> {
    if (failures-- <= 0) return std::nullopt;
    return Reply::Of(200, "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>");
  };
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, kPart));
  const Status finished = upload->Finish(Deadline::Never());
  EXPECT_TRUE(finished) << finished.error().message;
  EXPECT_LT(failures, 0);
}

TEST(S3Upload, ACompletionWhoseAnswerWasLostIsFoundDone) {
  UploadServer s3;
  std::atomic<int> calls = 0;
  s3.head_length = std::to_string(kPart);
  s3.complete = [&](const SeenRequest&) -> std::optional<Reply> {
    if (calls++ == 0) return Reply::Raw("", Reply::Then::kClose);
    return Reply::Of(404, "<Error><Code>NoSuchUpload</Code></Error>");
  };
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, kPart));
  const Status finished = upload->Finish(Deadline::Never());
  EXPECT_TRUE(finished) << finished.error().message;
  EXPECT_EQ(calls, 2);
}

TEST(S3Upload, AnUploadThatIsGoneIsNotFound) {
  UploadServer s3;
  s3.complete = [](const SeenRequest&) { return Reply::Of(404, "<Error><Code>NoSuchUpload</Code></Error>"); };
  const auto upload = s3.Start();
  ASSERT_TRUE(AppendParts(*upload, kPart));
  const Status finished = upload->Finish(Deadline::Never());
  ASSERT_FALSE(finished);
  EXPECT_EQ(finished.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace firn::store
