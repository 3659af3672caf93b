// Each link of the chain, and their order, against a world that is all the test's.
#include <gtest/gtest.h>

#include "store/s3/credential_providers.h"
#include "store/s3/credential_world_testing.h"
#include "store/s3/profile_file.h"
#include "store/s3/timestamps.h"

namespace firn::store {
namespace {

using testing::CredentialWorld;

constexpr std::string_view kJson =
    R"({"Code":"Success","AccessKeyId":"JSONKEY","SecretAccessKey":"jsonsecret","Token":"jsontoken","Expiration":"2030-01-01T00:00:00Z"})";

std::string StsAnswer(const std::string& action) {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><Credentials><AccessKeyId>STSKEY</AccessKeyId><SecretAccessKey>stssecret</SecretAccessKey>"
         "<SessionToken>ststoken</SessionToken><Expiration>2030-01-01T00:00:00Z</Expiration></Credentials></" +
         action + "Result></" + action + "Response>";
}

Result<Credentials> Find(CredentialWorld& world) { return FindCredentials(world.Context(), Deadline::Never()); }

std::string HeaderOf(const HttpRequest& request, std::string_view name) {
  for (const HttpHeader& header : request.headers) {
    if (EqualsIgnoringCase(header.name, name)) return header.value;
  }
  return {};
}

TEST(CredentialChain, TakesTheEnvironmentFirst) {
  CredentialWorld world;
  world.variables = {
      {"AWS_ACCESS_KEY_ID", "K"}, {"AWS_SECRET_ACCESS_KEY", "s"}, {"AWS_SESSION_TOKEN", "t"}, {"HOME", "/h"}};
  world.files["/h/.aws/credentials"] = "[default]\naws_access_key_id=F\naws_secret_access_key=f\n";
  const auto found = Find(world);
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (Credentials{"K", "s", "t", std::nullopt}));
}

TEST(CredentialChain, RefusesHalfAPairInTheEnvironment) {
  CredentialWorld world;
  world.variables = {{"AWS_SECRET_ACCESS_KEY", "hunter2"}};
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_EQ(found.error().ToString().find("hunter2"), std::string::npos);
}

TEST(CredentialChain, ReadsTheProfileThatIsSelected) {
  CredentialWorld world;
  world.variables = {
      {"AWS_PROFILE", "work here"}, {"AWS_SHARED_CREDENTIALS_FILE", "/c"}, {"AWS_CONFIG_FILE", "~/f"}, {"HOME", "/h"}};
  world.files["/c"] =
      "# mine\n[default]\naws_access_key_id = D\naws_secret_access_key = d\n\n"
      "[work here]\r\naws_access_key_id=W ; a comment\r\naws_secret_access_key = w/+= \r\naws_session_token=t\r\n";
  world.files["/h/f"] =
      "[profile \"work here\"]\nregion = eu-west-1\ns3 =\n  region = nested\naws_access_key_id = not this\n";
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (Credentials{"W", "w/+=", "t", std::nullopt}));
  EXPECT_EQ(FindRegion(world.Context()), "eu-west-1");
}

TEST(CredentialChain, AMissingProfileThatWasNamedIsAnErrorAndNoReasonToGoOn) {
  CredentialWorld world;
  world.variables = {{"AWS_PROFILE", "wrok"}, {"HOME", "/h"}, {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x"}};
  world.answers["GET 169.254.170.2/x"] = CredentialWorld::Answer(200, std::string(kJson));
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("'wrok'"), std::string::npos) << found.error().message;
}

TEST(CredentialChain, AssumesARoleWithTheKeysOfAnotherProfile) {
  CredentialWorld world;
  world.variables = {{"AWS_PROFILE", "role"}, {"HOME", "/h"}, {"AWS_REGION", "eu-west-1"}};
  world.files["/h/.aws/config"] =
      "[profile role]\nrole_arn=arn:aws:iam::1:role/r\nsource_profile=base\nexternal_id=e 1\n[profile base]\n";
  world.files["/h/.aws/credentials"] = "[base]\naws_access_key_id=B\naws_secret_access_key=b\n";
  world.answers["POST sts.eu-west-1.amazonaws.com/"] = CredentialWorld::Answer(200, StsAnswer("AssumeRole"));
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "STSKEY");
  EXPECT_EQ(found->session_token, "ststoken");
  EXPECT_EQ(found->expires, ParseIsoTime("2030-01-01T00:00:00Z"));
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].body.chars(),
            "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=firn&"
            "ExternalId=e%201");
  EXPECT_NE(HeaderOf(world.sent[0], "Authorization").find("/eu-west-1/sts/aws4_request"), std::string::npos);
}

TEST(CredentialChain, ARoleThatStsRefusesSaysWhy) {
  CredentialWorld world;
  world.variables = {{"AWS_PROFILE", "role"}, {"HOME", "/h"}};
  world.files["/h/.aws/config"] =
      "[profile role]\nrole_arn=arn:r\nsource_profile=role\naws_access_key_id=B\naws_secret_access_key=b\n";
  world.answers["POST sts.us-east-1.amazonaws.com/"] = CredentialWorld::Answer(
      403, "<ErrorResponse><Error><Code>AccessDenied</Code><Message>B may not</Message></Error></ErrorResponse>");
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_NE(found.error().message.find("AccessDenied, B may not"), std::string::npos) << found.error().message;
}

TEST(CredentialChain, ACircleOfProfilesEnds) {
  CredentialWorld world;
  world.variables = {{"AWS_PROFILE", "a"}, {"HOME", "/h"}};
  world.files["/h/.aws/config"] =
      "[profile a]\nrole_arn=x\nsource_profile=b\n[profile b]\nrole_arn=y\nsource_profile=a\n";
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().message.find("circle"), std::string::npos) << found.error().message;
}

TEST(CredentialChain, RunsACredentialProcess) {
  CredentialWorld world;
  world.variables = {{"HOME", "/h"}};
  world.files["/h/.aws/config"] = "[default]\ncredential_process = /bin/keys --for me\n";
  world.commands["/bin/keys --for me"] = R"({"Version":1,"AccessKeyId":"P","SecretAccessKey":"p","SessionToken":"t"})";
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(*found, (Credentials{"P", "p", "t", std::nullopt}));
}

TEST(CredentialChain, AnSsoProfileSaysWhatToDo) {
  CredentialWorld world;
  world.variables = {{"HOME", "/h"}};
  world.files["/h/.aws/config"] = "[default]\nsso_session = s\n[sso-session s]\nsso_start_url = x\n";
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(found.error().hint.find("export-credentials"), std::string::npos);
}

TEST(CredentialChain, ExchangesAWebIdentity) {
  CredentialWorld world;
  world.variables = {{"AWS_WEB_IDENTITY_TOKEN_FILE", "/token"},
                     {"AWS_ROLE_ARN", "arn:r"},
                     {"AWS_ENDPOINT_URL_STS", "http://sts.local:81"}};
  world.files["/token"] = "jwt.jwt\n";
  world.answers["POST sts.local:81/"] = CredentialWorld::Answer(200, StsAnswer("AssumeRoleWithWebIdentity"));
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "STSKEY");
  EXPECT_TRUE(world.sent[0].body.chars().ends_with("&WebIdentityToken=jwt.jwt"));
  EXPECT_EQ(HeaderOf(world.sent[0], "Authorization"), "");
}

TEST(CredentialChain, AsksTheContainerWithItsToken) {
  CredentialWorld world;
  world.variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"},
                     {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "old"},
                     {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"}};
  world.files["/t"] = "fresh\n";
  world.answers["GET 169.254.170.23/v1/credentials"] = CredentialWorld::Answer(200, std::string(kJson));
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "JSONKEY");
  EXPECT_EQ(found->session_token, "jsontoken");
  EXPECT_EQ(HeaderOf(world.sent[0], "Authorization"), "fresh");
}

TEST(CredentialChain, NeverAsksAForeignHostOverPlainHttp) {
  for (const char* url : {"http://169.254.170.2.evil.com/", "http://evil.com/", "http://127.0.0.1.evil.com/"}) {
    CredentialWorld world;
    world.variables = {{"AWS_CONTAINER_CREDENTIALS_FULL_URI", url}};
    const auto found = Find(world);
    ASSERT_FALSE(found) << url;
    EXPECT_EQ(found.error().kind, ErrorKind::kPermissionDenied);
    EXPECT_TRUE(world.sent.empty()) << url;
  }
}

TEST(CredentialChain, AsksTheInstanceByImdsV2) {
  CredentialWorld world;
  world.answers["PUT 169.254.169.254/latest/api/token"] = CredentialWorld::Answer(200, "TOKEN");
  world.answers["GET 169.254.169.254/latest/meta-data/iam/security-credentials/"] =
      CredentialWorld::Answer(200, "my-role\n");
  world.answers["GET 169.254.169.254/latest/meta-data/iam/security-credentials/my-role"] =
      CredentialWorld::Answer(200, std::string(kJson));
  const auto found = Find(world);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->access_key_id, "JSONKEY");
  ASSERT_EQ(world.sent.size(), 3u);
  EXPECT_EQ(HeaderOf(world.sent[0], "x-aws-ec2-metadata-token-ttl-seconds"), "21600");
  EXPECT_EQ(HeaderOf(world.sent[2], "x-aws-ec2-metadata-token"), "TOKEN");
}

TEST(CredentialChain, HonoursTheMetadataSettings) {
  CredentialWorld world;
  world.variables = {{"AWS_EC2_METADATA_DISABLED", "true"}};
  EXPECT_FALSE(Find(world));
  EXPECT_TRUE(world.sent.empty());
  world.variables = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://imds.local:1338/"}};
  EXPECT_FALSE(Find(world));
  ASSERT_EQ(world.sent.size(), 1u);
  EXPECT_EQ(world.sent[0].endpoint.Authority(), "imds.local:1338");
}

TEST(CredentialChain, NothingFoundNamesAllThatWasLookedAt) {
  CredentialWorld world;
  world.variables = {{"HOME", "/h"}};
  const auto found = Find(world);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().kind, ErrorKind::kPermissionDenied);
  for (const char* place : {"AWS_ACCESS_KEY_ID", "/h/.aws/credentials", "/h/.aws/config", "AWS_WEB_IDENTITY_TOKEN_FILE",
                            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "169.254.169.254"}) {
    EXPECT_NE(found.error().message.find(place), std::string::npos) << place;
  }
  EXPECT_NE(found.error().hint.find("AWS_SECRET_ACCESS_KEY"), std::string::npos);
}

TEST(CredentialJson, RefusesWhatIsIncomplete) {
  for (const char* bad : {"", "[]", "{", R"({"AccessKeyId":"a"})", R"({"AccessKeyId":1,"SecretAccessKey":"b"})",
                          R"({"Code":"AssumeRoleUnauthorizedAccess","AccessKeyId":"a","SecretAccessKey":"b"})",
                          R"({"AccessKeyId":"a","SecretAccessKey":"b","Expiration":"soon"})"}) {
    const auto parsed = ParseCredentialJson(bad, "the test");
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kPermissionDenied);
  }
}

TEST(Region, ComesFromTheEnvironmentThenTheProfileThenIsUsEast1) {
  CredentialWorld world;
  EXPECT_EQ(FindRegion(world.Context()), "us-east-1");
  world.variables = {{"HOME", "/h"}};
  world.files["/h/.aws/config"] = "[default]\nregion=eu-central-1\n";
  EXPECT_EQ(FindRegion(world.Context()), "eu-central-1");
  world.variables["AWS_DEFAULT_REGION"] = "eu-north-1";
  EXPECT_EQ(FindRegion(world.Context()), "eu-north-1");
  world.variables["AWS_REGION"] = "ap-south-1";
  EXPECT_EQ(FindRegion(world.Context()), "ap-south-1");
}

}  // namespace
}  // namespace firn::store
