#include "server/auth.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/rate_limit.h"

namespace firn::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// Different bytes with every call.
Entropy CountingEntropy() {
  return [next = std::uint8_t{1}](std::span<std::uint8_t> bytes) mutable -> Status {
    for (auto& byte : bytes) byte = next++;
    return {};
  };
}

CreatedKey Created(const std::string& id, std::vector<Scope> scopes, double rate = 0) {
  return *CreateKey({.id = id, .scopes = std::move(scopes), .requests_per_second = rate}, SystemEntropy());
}

TEST(Keys, ACreatedKeyIsFoundAndAllowsItsScopesOnly) {
  const CreatedKey reader = Created("reader", {Scope::kRead});
  const CreatedKey loader = Created("loader", {Scope::kWrite});
  const CreatedKey root = Created("root", {Scope::kAdmin});
  const auto ring = KeyRing::Parse("# keys\n\n" + reader.line + loader.line + root.line, "keys");
  ASSERT_TRUE(ring) << ring.error().ToString();
  ASSERT_EQ(ring->size(), 3);
  const Key* key = ring->Find(reader.key);
  ASSERT_NE(key, nullptr);
  EXPECT_EQ(key->id, "reader");
  EXPECT_TRUE(key->Allows(Scope::kRead));
  EXPECT_FALSE(key->Allows(Scope::kWrite));
  EXPECT_FALSE(ring->Find(loader.key)->Allows(Scope::kRead));
  EXPECT_TRUE(ring->Find(root.key)->Allows(Scope::kRead));
  EXPECT_TRUE(ring->Find(root.key)->Allows(Scope::kWrite));
}

TEST(Keys, NoOtherTextIsAKey) {
  const CreatedKey created = Created("ci", {Scope::kRead});
  const KeyRing ring = *KeyRing::Parse(created.line, "keys");
  EXPECT_EQ(ring.Find(""), nullptr);
  EXPECT_EQ(ring.Find("firn_"), nullptr);
  EXPECT_EQ(ring.Find("firn_ci"), nullptr);
  EXPECT_EQ(ring.Find("firn_ci_"), nullptr);
  EXPECT_EQ(ring.Find(created.key + "0"), nullptr);
  EXPECT_EQ(ring.Find(created.key.substr(0, created.key.size() - 1)), nullptr);
  std::string flipped = created.key;
  flipped.back() = flipped.back() == '0' ? '1' : '0';
  EXPECT_EQ(ring.Find(flipped), nullptr);
  EXPECT_EQ(ring.Find(Created("other", {Scope::kRead}).key), nullptr);
  EXPECT_EQ(ring.Find(std::string(100'000, 'x')), nullptr);
}

TEST(Keys, TheFileHoldsNoSecretAndTwoKeysOfOneNameDiffer) {
  const Entropy entropy = CountingEntropy();
  const CreatedKey a = *CreateKey({.id = "ci", .scopes = {Scope::kRead}}, entropy);
  const CreatedKey b = *CreateKey({.id = "ci", .scopes = {Scope::kRead}}, entropy);
  EXPECT_NE(a.key, b.key);
  EXPECT_THAT(a.line, Not(HasSubstr(a.key)));
  EXPECT_THAT(a.line, Not(HasSubstr(a.key.substr(a.key.rfind('_') + 1))));
}

TEST(Keys, ABrokenFileIsAnErrorThatNamesTheLine) {
  const CreatedKey key = Created("ci", {Scope::kRead});
  const auto error_of = [](const std::string& text) { return KeyRing::Parse(text, "keys").error().ToString(); };
  EXPECT_THAT(error_of(key.line + "nonsense\n"), HasSubstr("keys line 2"));
  EXPECT_THAT(error_of(key.line + key.line), HasSubstr("'ci' stands twice"));
  EXPECT_THAT(error_of(R"({"id":"a","salt":"00","sha256":"00","scopes":["read"]})"), HasSubstr("sha256"));
  EXPECT_THAT(error_of(R"({"id":"a/b","salt":"00","sha256":"00","scopes":["read"]})"), HasSubstr("id"));
  EXPECT_THAT(error_of(R"({"id":"a","salt":"0g"})"), HasSubstr("salt"));
  EXPECT_THAT(error_of(R"({"id":"a","scope":["read"]})"), HasSubstr("Did you mean 'scopes'?"));
}

TEST(Keys, ARequestForAKeyThatMakesNoSenseIsRefused) {
  EXPECT_FALSE(CreateKey({.id = "", .scopes = {Scope::kRead}}, SystemEntropy()));
  EXPECT_FALSE(CreateKey({.id = "a_b", .scopes = {Scope::kRead}}, SystemEntropy()));
  EXPECT_FALSE(CreateKey({.id = "a", .scopes = {}}, SystemEntropy()));
  EXPECT_FALSE(CreateKey({.id = "a", .scopes = {Scope::kRead}, .requests_per_second = -1}, SystemEntropy()));
}

TEST(RateLimits, ABurstPassesThenTheRateHoldsByTheClock) {
  ManualClock clock;
  RateLimits limits(clock);
  Key key;
  key.id = "ci";
  key.requests_per_second = 2;
  key.burst = 3;
  for (int i = 0; i < 3; i++) EXPECT_EQ(limits.Take(key), Duration::zero());
  EXPECT_EQ(limits.Take(key), Duration(std::chrono::milliseconds(500)));
  clock.Advance(std::chrono::milliseconds(499));
  EXPECT_GT(limits.Take(key), Duration::zero());
  clock.Advance(std::chrono::milliseconds(2));
  EXPECT_EQ(limits.Take(key), Duration::zero());
  EXPECT_GT(limits.Take(key), Duration::zero());
  clock.Advance(std::chrono::hours(1));
  for (int i = 0; i < 3; i++) EXPECT_EQ(limits.Take(key), Duration::zero());
  EXPECT_GT(limits.Take(key), Duration::zero());
}

TEST(RateLimits, KeysDoNotShareAndAKeyWithoutARateIsFree) {
  ManualClock clock;
  RateLimits limits(clock);
  Key a;
  a.id = "a";
  a.requests_per_second = a.burst = 1;
  Key b = a;
  b.id = "b";
  Key free;
  free.id = "free";
  EXPECT_EQ(limits.Take(a), Duration::zero());
  EXPECT_EQ(limits.Take(b), Duration::zero());
  EXPECT_GT(limits.Take(a), Duration::zero());
  for (int i = 0; i < 1000; i++) EXPECT_EQ(limits.Take(free), Duration::zero());
}

}  // namespace
}  // namespace firn::server
