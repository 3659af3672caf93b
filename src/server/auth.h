#pragma once
// API keys. A key is "firn_ID_SECRET"; the server's file holds only a salted SHA-256 of it, one JSON object a line:
//   {"id":"ci","salt":"<32 hex>","sha256":"<64 hex of SHA-256(salt bytes, key
//   text)>","scopes":["read","write"],"requests_per_second":50,"burst":100}
// The secret has 256 random bits, so that a plain hash cannot be searched.

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace firn::server {

/// What a key may do. Admin may do everything; write does not include read.
enum class Scope : std::uint8_t { kRead = 1, kWrite = 2, kAdmin = 4 };
std::string_view NameOf(Scope scope);
Result<Scope> ParseScope(std::string_view text);

struct Key {
  std::string id;
  std::vector<std::uint8_t> salt;
  std::array<std::uint8_t, 32> sha256{};
  std::uint8_t scopes = 0;         // Scope, or-ed
  double requests_per_second = 0;  // 0 = any number
  double burst = 0;                // so many at once, after a pause

  bool Allows(Scope scope) const {
    return (scopes & (static_cast<std::uint8_t>(scope) | static_cast<std::uint8_t>(Scope::kAdmin))) != 0;
  }
};

/// Immutable, thread-safe.
class KeyRing {
 public:
  /// InvalidArgument names `path` and the line.
  static Result<KeyRing> Parse(std::string_view text, std::string_view path);
  KeyRing() = default;

  bool empty() const { return keys_.empty(); }
  std::size_t size() const { return keys_.size(); }
  /// The key that `presented` is; null for any other text. Takes the same time for every wrong secret.
  const Key* Find(std::string_view presented) const;

 private:
  std::map<std::string, Key, std::less<>> keys_;
};

/// Fills a span with bytes that nobody can guess.
using Entropy = std::function<Status(std::span<std::uint8_t>)>;
Entropy SystemEntropy();

struct KeyRequest {
  std::string id;  // 1..64 of [A-Za-z0-9.-]
  std::vector<Scope> scopes;
  double requests_per_second = 0;
  double burst = 0;  // 0 = requests_per_second, at least 1
};
struct CreatedKey {
  std::string key;   // shown once, to its user
  std::string line;  // for the keys file, ends in '\n'
};
Result<CreatedKey> CreateKey(const KeyRequest& request, const Entropy& entropy);

}  // namespace firn::server
