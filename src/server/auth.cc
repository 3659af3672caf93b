#include "server/auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "base/bytes.h"
#include "base/log.h"
#include "server/json_object.h"

namespace firn::server {
namespace {

constexpr std::string_view kPrefix = "firn_";
constexpr std::size_t kMaxPresentedBytes = 256;
constexpr std::size_t kMaxKeys = 100'000;
constexpr std::size_t kSaltBytes = 16;
constexpr double kMaxRate = 1e9;

using Digest = std::array<std::uint8_t, 32>;

Digest HashOf(ByteSpan salt, std::string_view key) {
  std::string text(AsChars(salt));
  text.append(key);
  Digest digest{};
  unsigned int length = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &length, EVP_sha256(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());
  return digest;
}

bool IsKeyId(std::string_view id) {
  return !id.empty() && id.size() <= 64 &&
         std::ranges::all_of(id, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '.'; });
}

Result<std::vector<std::uint8_t>> ParseHex(std::string_view text, std::string_view name) {
  const auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    if (digit(text[i]) < 0 || digit(text[i + 1]) < 0) break;
    bytes.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  }
  if (text.empty() || bytes.size() * 2 != text.size())
    return InvalidArgument("'" + std::string(name) + "' is not hexadecimal");
  return bytes;
}

Status CheckRate(double rate, std::string_view name) {
  if (rate >= 0 && rate <= kMaxRate) return {};
  return InvalidArgument("'" + std::string(name) + "' is not a number from 0 to 1000000000");
}

Result<Key> ParseKey(std::string line) {
  FIRN_TRY(JsonObject object, JsonObject::Parse(line));
  static constexpr std::array<std::string_view, 6> kMembers = {
      "id", "salt", "sha256", "scopes", "requests_per_second", "burst"};
  FIRN_CHECK(object.CheckMembers(kMembers));
  Key key;
  FIRN_TRY(key.id, Required(object.String("id"), "id"));
  if (!IsKeyId(key.id)) return InvalidArgument("'id' is not 1 to 64 letters, digits, '.' and '-'");
  FIRN_TRY(const std::string salt, Required(object.String("salt"), "salt"));
  FIRN_TRY(key.salt, ParseHex(salt, "salt"));
  FIRN_TRY(const std::string hash, Required(object.String("sha256"), "sha256"));
  FIRN_TRY(const std::vector<std::uint8_t> digest, ParseHex(hash, "sha256"));
  if (digest.size() != key.sha256.size()) return InvalidArgument("'sha256' is not 64 hexadecimal digits");
  std::ranges::copy(digest, key.sha256.begin());
  FIRN_TRY(const std::vector<std::string> scopes, Required(object.Strings("scopes"), "scopes"));
  for (const std::string& name : scopes) {
    FIRN_TRY(const Scope scope, ParseScope(name));
    key.scopes |= static_cast<std::uint8_t>(scope);
  }
  FIRN_TRY(const auto rate, object.Number("requests_per_second"));
  FIRN_TRY(const auto burst, object.Number("burst"));
  key.requests_per_second = rate.value_or(0);
  FIRN_CHECK(CheckRate(key.requests_per_second, "requests_per_second"));
  key.burst = burst.value_or(0);
  FIRN_CHECK(CheckRate(key.burst, "burst"));
  if (key.burst == 0) key.burst = std::max(1.0, key.requests_per_second);
  return key;
}

std::string NumberText(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", number);
  return text;
}

}  // namespace

std::string_view NameOf(Scope scope) {
  return scope == Scope::kRead ? "read" : scope == Scope::kWrite ? "write" : "admin";
}

Result<Scope> ParseScope(std::string_view text) {
  for (const Scope scope : {Scope::kRead, Scope::kWrite, Scope::kAdmin}) {
    if (text == NameOf(scope)) return scope;
  }
  return InvalidArgument("unknown scope '" + std::string(text.substr(0, 64)) + "'", "Scopes are read, write and admin");
}

Result<KeyRing> KeyRing::Parse(std::string_view text, std::string_view path) {
  KeyRing ring;
  for (std::size_t number = 1; !text.empty(); number++) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos || line.starts_with('#')) continue;
    const std::string place = std::string(path) + " line " + std::to_string(number);
    auto key = ParseKey(std::string(line));
    if (!key) return std::move(key).error().In(place);
    if (ring.keys_.contains(key->id)) return InvalidArgument(place + ": the key '" + key->id + "' stands twice");
    if (ring.keys_.size() == kMaxKeys) return ResourceExhausted(std::string(path) + " holds more than 100000 keys");
    std::string id = key->id;
    ring.keys_.emplace(std::move(id), *std::move(key));
  }
  return ring;
}

const Key* KeyRing::Find(std::string_view presented) const {
  if (!presented.starts_with(kPrefix) || presented.size() > kMaxPresentedBytes) return nullptr;
  const std::string_view rest = presented.substr(kPrefix.size());
  const auto found = keys_.find(rest.substr(0, rest.find('_')));
  if (found == keys_.end()) return nullptr;
  const Digest digest = HashOf(found->second.salt, presented);
  return CRYPTO_memcmp(digest.data(), found->second.sha256.data(), digest.size()) == 0 ? &found->second : nullptr;
}

Entropy SystemEntropy() {
  return [](std::span<std::uint8_t> bytes) -> Status {
    // Up to 256 bytes come whole (getrandom(2)).
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
      return Internal("the system gives no random bytes");
    return {};
  };
}

Result<CreatedKey> CreateKey(const KeyRequest& request, const Entropy& entropy) {
  if (!IsKeyId(request.id)) return InvalidArgument("a key's id is 1 to 64 letters, digits, '.' and '-'");
  if (request.scopes.empty())
    return InvalidArgument("a key needs at least one scope", "Scopes are read, write and admin");
  FIRN_CHECK(CheckRate(request.requests_per_second, "requests_per_second"));
  FIRN_CHECK(CheckRate(request.burst, "burst"));
  std::array<std::uint8_t, 32> secret{};
  std::array<std::uint8_t, kSaltBytes> salt{};
  FIRN_CHECK(entropy(secret));
  FIRN_CHECK(entropy(salt));

  CreatedKey created;
  created.key = std::string(kPrefix) + request.id + "_" + ToHex(secret);
  std::string scopes;
  for (const Scope scope : {Scope::kRead, Scope::kWrite, Scope::kAdmin}) {
    if (std::ranges::find(request.scopes, scope) == request.scopes.end()) continue;
    scopes.append(scopes.empty() ? "\"" : ",\"").append(NameOf(scope)).append("\"");
  }
  created.line = R"({"id":")" + request.id + R"(","salt":")" + ToHex(salt) + R"(","sha256":")" +
                 ToHex(HashOf(salt, created.key)) + R"(","scopes":[)" + scopes + "]";
  if (request.requests_per_second > 0)
    created.line += ",\"requests_per_second\":" + NumberText(request.requests_per_second);
  if (request.burst > 0) created.line += ",\"burst\":" + NumberText(request.burst);
  created.line += "}\n";
  return created;
}

}  // namespace firn::server
