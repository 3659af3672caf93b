// The examples that AWS publishes in "Signature Calculations for the Authorization Header" of the S3 API reference.
#include "store/s3/sigv4.h"

#include <gtest/gtest.h>

#include "store/s3/timestamps.h"

namespace firn::store {
namespace {

const Credentials kExampleKeys{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "", std::nullopt};
const SigningScope kUsEast{"us-east-1", "s3"};

UnsignedRequest Example(std::string method, std::string path) {
  UnsignedRequest request;
  request.method = std::move(method);
  request.host = "examplebucket.s3.amazonaws.com";
  request.path = std::move(path);
  request.payload_sha256 = Sha256Hex({});
  return request;
}

std::string Header(const SignedRequest& request, std::string_view name) {
  for (const HttpHeader& header : request.headers) {
    if (EqualsIgnoringCase(header.name, name)) return header.value;
  }
  return "absent";
}

std::string Authorization(UnsignedRequest request) {
  return Header(Sign(std::move(request), kExampleKeys, kUsEast, *ParseIsoTime("2013-05-24T00:00:00Z")),
                "Authorization");
}

constexpr std::string_view kCredential =
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,";

TEST(SigV4, MatchesAwsExampleOfAGetWithARange) {
  UnsignedRequest request = Example("GET", "/test.txt");
  request.headers = {{"Range", "bytes=0-9"}};
  EXPECT_EQ(Authorization(request), std::string(kCredential) +
                                        "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                                        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
}

TEST(SigV4, MatchesAwsExampleOfAPut) {
  UnsignedRequest request = Example("PUT", "/test$file.text");
  request.headers = {{"Date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}};
  request.payload_sha256 = Sha256Hex(AsBytes("Welcome to Amazon S3."));
  EXPECT_EQ(Authorization(request), std::string(kCredential) +
                                        "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
                                        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(SigV4, MatchesAwsExampleOfGetBucketLifecycle) {
  UnsignedRequest request = Example("GET", "/");
  request.query = {{"lifecycle", ""}};
  EXPECT_EQ(Authorization(request), std::string(kCredential) +
                                        "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                                        "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(SigV4, MatchesAwsExampleOfListObjects) {
  UnsignedRequest request = Example("GET", "/");
  request.query = {{"prefix", "J"}, {"max-keys", "2"}};
  EXPECT_EQ(Authorization(request), std::string(kCredential) +
                                        "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                                        "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

/// Of the suite that AWS publishes for all its services: the vectors that differ neither in path nor in encoding from
/// S3's.
std::string SuiteSignature(std::string method, QueryParameters query, std::vector<HttpHeader> headers) {
  UnsignedRequest request;
  request.method = std::move(method);
  request.host = "example.amazonaws.com";
  request.path = "/";
  request.query = std::move(query);
  request.headers = std::move(headers);
  request.payload_sha256 = Sha256Hex({});
  const Credentials keys{"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "", std::nullopt};
  const SignedRequest ready =
      Sign(std::move(request), keys, {"us-east-1", "service"}, *ParseIsoTime("2015-08-30T12:36:00Z"));
  const std::string value = Header(ready, "Authorization");
  return value.substr(value.rfind('=') + 1);
}

TEST(SigV4, MatchesAwsTestSuite) {
  EXPECT_EQ(SuiteSignature("GET", {}, {}), "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  EXPECT_EQ(SuiteSignature("POST", {}, {}), "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  EXPECT_EQ(SuiteSignature("GET", {{"Param2", "value2"}, {"Param1", "value1"}}, {}),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  EXPECT_EQ(SuiteSignature("GET", {}, {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}),
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST(SigV4, SignsTheSessionToken) {
  Credentials keys = kExampleKeys;
  keys.session_token = "token";
  const SignedRequest request = Sign(Example("GET", "/"), keys, kUsEast, WallTime{});
  EXPECT_EQ(Header(request, "x-amz-security-token"), "token");
  EXPECT_NE(Header(request, "Authorization").find("x-amz-security-token"), std::string::npos);
}

TEST(SigV4, EncodesPathAndQueryOnceAndSortsTheQuery) {
  UnsignedRequest request = Example("GET", "/a b/ü+%2F~");
  request.query = {{"prefix", "x/y z"}, {"list-type", "2"}};
  EXPECT_EQ(LeaveUnsigned(request).target, "/a%20b/%C3%BC%2B%252F~?list-type=2&prefix=x%2Fy%20z");
  EXPECT_EQ(Sign(request, kExampleKeys, kUsEast, WallTime{}).target, LeaveUnsigned(request).target);
}

TEST(Timestamps, AreReadInEveryFormThatAwsWrites) {
  const auto noon = ParseIsoTime("2015-10-21T07:28:00Z");
  ASSERT_TRUE(noon);
  EXPECT_EQ(FormatAmzTime(*noon), "20151021T072800Z");
  EXPECT_EQ(ParseIsoTime("2015-10-21T07:28:00.000Z"), noon);
  EXPECT_EQ(ParseIsoTime("2015-10-21T09:28:00+02:00"), noon);
  EXPECT_EQ(*ParseIsoTime("2015-10-21T07:28:00.250Z") - *noon, std::chrono::milliseconds(250));
  for (const char* bad : {"", "2015-10-21", "2015-13-21T07:28:00Z", "2015-10-21T25:28:00Z", "2015-10-21T07:28:00",
                          "2015-10-21T07:28:00+2", "9999-12-31T23:59:59Z", "x015-10-21T07:28:00Z"}) {
    EXPECT_FALSE(ParseIsoTime(bad)) << bad;
  }
}

}  // namespace
}  // namespace firn::store
