#include "store/s3/s3_address.h"

#include <gtest/gtest.h>

#include "store/s3/credential_world_testing.h"

namespace firn::store {
namespace {

using testing::CredentialWorld;

TEST(S3Address, AwsIsReachedByVirtualHost) {
  CredentialWorld world;
  world.variables = {{"AWS_REGION", "eu-west-1"}};
  const auto address = ResolveS3Address("my-bucket", {}, world.Context());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->endpoint, (HttpEndpoint{true, "my-bucket.s3.eu-west-1.amazonaws.com", 443}));
  EXPECT_EQ(address->root, "");
}

TEST(S3Address, ABucketWithADotIsReachedByPath) {
  CredentialWorld world;
  const auto address = ResolveS3Address("my.bucket", {}, world.Context());
  ASSERT_TRUE(address);
  EXPECT_EQ(address->endpoint.host, "s3.us-east-1.amazonaws.com");
  EXPECT_EQ(address->root, "/my.bucket");
}

TEST(S3Address, AnEndpointFromTheEnvironmentIsReachedByPath) {
  CredentialWorld world;
  const auto host = [&world] { return ResolveS3Address("b", {}, world.Context())->endpoint.host; };
  world.variables["AWS_ENDPOINT"] = "http://third:1";
  EXPECT_EQ(host(), "third");
  world.variables["AWS_ENDPOINT_URL"] = "http://second:1";
  EXPECT_EQ(host(), "second");
  world.variables["AWS_ENDPOINT_URL_S3"] = "http://first:1/base/";
  EXPECT_EQ(host(), "first");
  EXPECT_EQ(ResolveS3Address("b", {}, world.Context())->root, "/base/b");
  StoreOptions options;
  options.endpoint = "https://given";
  EXPECT_EQ(ResolveS3Address("b", options, world.Context())->endpoint, (HttpEndpoint{true, "given", 443}));
  options.virtual_host = true;
  EXPECT_EQ(ResolveS3Address("b", options, world.Context())->endpoint.host, "b.given");
}

TEST(S3Address, RefusesWhatCannotBeRight) {
  CredentialWorld world;
  for (const std::string& bucket : {std::string(), std::string("a/b"), std::string("a b"), std::string(".."),
                                    std::string("a@b"), std::string(300, 'a')}) {
    EXPECT_FALSE(ResolveS3Address(bucket, {}, world.Context())) << bucket;
  }
  StoreOptions options;
  options.endpoint = "localhost:9000";
  EXPECT_FALSE(ResolveS3Address("b", options, world.Context()));
  options.endpoint = "http://10.0.0.1:9000";
  options.virtual_host = true;
  EXPECT_FALSE(ResolveS3Address("b", options, world.Context()));
  options = {};
  options.region = "evil.com/";
  EXPECT_FALSE(ResolveS3Address("b", options, world.Context()));
}

}  // namespace
}  // namespace firn::store
