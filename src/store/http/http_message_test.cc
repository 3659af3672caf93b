#include "store/http/http_message.h"

#include <gtest/gtest.h>

namespace firn::store {
namespace {

TEST(HttpUrl, TakesSchemeHostPortAndPath) {
  const auto plain = ParseHttpUrl("http://127.0.0.1:9000");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->endpoint, (HttpEndpoint{false, "127.0.0.1", 9000}));
  EXPECT_EQ(plain->target, "/");
  const auto tls = ParseHttpUrl("https://s3.eu-west-1.amazonaws.com/a?b=c");
  ASSERT_TRUE(tls);
  EXPECT_EQ(tls->endpoint, (HttpEndpoint{true, "s3.eu-west-1.amazonaws.com", 443}));
  EXPECT_EQ(tls->target, "/a?b=c");
  EXPECT_EQ(tls->endpoint.Authority(), "s3.eu-west-1.amazonaws.com");
  const auto v6 = ParseHttpUrl("http://[fd00:ec2::254]:81/x");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->endpoint, (HttpEndpoint{false, "fd00:ec2::254", 81}));
  EXPECT_EQ(v6->endpoint.Authority(), "[fd00:ec2::254]:81");
}

TEST(HttpUrl, RefusesWhatIsNoEndpoint) {
  for (const char* bad : {"", "localhost:9000", "ftp://x", "http://", "http://:80", "http://a b", "http://a:0",
                          "http://a:70000", "http://a:8x", "http://[::1", "http://a/#x", "http://a\r\nb"}) {
    const auto parsed = ParseHttpUrl(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(HttpUrl, NeverRepeatsAPassword) {
  const auto parsed = ParseHttpUrl("http://me:hunter2@host/");
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().ToString().find("hunter2"), std::string::npos);
}

TEST(HttpEndpoint, KnowsItsOwnMachine) {
  EXPECT_TRUE((HttpEndpoint{false, "127.0.0.9", 80}).IsLoopback());
  EXPECT_TRUE((HttpEndpoint{false, "localhost", 80}).IsLoopback());
  EXPECT_TRUE((HttpEndpoint{false, "::1", 80}).IsLoopback());
  EXPECT_FALSE((HttpEndpoint{false, "127.evil.com", 80}).IsLoopback());
  EXPECT_FALSE((HttpEndpoint{false, "10.0.0.1", 80}).IsLoopback());
}

}  // namespace
}  // namespace firn::store
