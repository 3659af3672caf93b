#include "store/s3/sigv4.h"

// SHA256_* is deprecated in favour of EVP, whose first use loads a provider: milliseconds that a short command feels.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "store/s3/timestamps.h"

namespace firn::store {
namespace {

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;
constexpr std::size_t kBlockBytes = 64;

Digest Sha256(ByteSpan first, ByteSpan second = {}) {
  Digest digest;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, first.data(), first.size());
  SHA256_Update(&context, second.data(), second.size());
  SHA256_Final(digest.data(), &context);
  return digest;
}

/// RFC 2104.
Digest Hmac(ByteSpan key, std::string_view message) {
  std::array<std::uint8_t, kBlockBytes> block{};
  if (key.size() > block.size()) {
    std::ranges::copy(Sha256(key), block.begin());
  } else {
    std::ranges::copy(key, block.begin());
  }
  auto inner = block;
  auto outer = block;
  for (std::uint8_t& byte : inner) byte ^= 0x36;
  for (std::uint8_t& byte : outer) byte ^= 0x5c;
  return Sha256(outer, Sha256(inner, AsBytes(message)));
}

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), ToLower);
  return text;
}

/// Outer blanks go, inner runs of them become one.
std::string Folded(std::string_view value) {
  std::string folded;
  for (const char c : value) {
    if (c == ' ' && (folded.empty() || folded.back() == ' ')) continue;
    folded += c;
  }
  if (folded.ends_with(' ')) folded.pop_back();
  return folded;
}

std::string CanonicalQuery(QueryParameters query) {
  for (auto& [name, value] : query) {
    name = UriEncode(name, false);
    value = UriEncode(value, false);
  }
  std::ranges::sort(query);
  std::string text;
  for (const auto& [name, value] : query) {
    if (!text.empty()) text += '&';
    text += name + "=" + value;
  }
  return text;
}

std::string Target(std::string_view path, std::string_view query) {
  return query.empty() ? std::string(path) : std::string(path) + "?" + std::string(query);
}

}  // namespace

std::string Sha256Hex(ByteSpan bytes) { return ToHex(Sha256(bytes)); }

std::string UriEncode(std::string_view text, bool keep_slash) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size() + 8);
  for (const char c : text) {
    const char l = ToLower(c);
    const bool plain = (l >= 'a' && l <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                       c == '~' || (keep_slash && c == '/');
    if (plain) {
      encoded += c;
      continue;
    }
    const auto byte = static_cast<std::uint8_t>(c);
    encoded += '%';
    encoded += kDigits[byte >> 4];
    encoded += kDigits[byte & 15];
  }
  return encoded;
}

SignedRequest LeaveUnsigned(UnsignedRequest request) {
  const std::string path = UriEncode(request.path, true);
  return {Target(path, CanonicalQuery(std::move(request.query))), std::move(request.headers)};
}

SignedRequest Sign(UnsignedRequest request, const Credentials& credentials, const SigningScope& scope, WallTime now) {
  const std::string timestamp = FormatAmzTime(now);
  const std::string day = timestamp.substr(0, 8);
  const std::string path = UriEncode(request.path, true);
  const std::string query = CanonicalQuery(std::move(request.query));

  std::vector<HttpHeader>& headers = request.headers;
  headers.push_back({"x-amz-date", timestamp});
  if (scope.service == "s3") headers.push_back({"x-amz-content-sha256", request.payload_sha256});
  if (!credentials.session_token.empty()) headers.push_back({"x-amz-security-token", credentials.session_token});

  QueryParameters to_sign = {{"host", request.host}};
  for (const HttpHeader& header : headers) to_sign.emplace_back(Lower(header.name), Folded(header.value));
  std::ranges::sort(to_sign);
  std::string canonical_headers;
  std::string names;
  for (const auto& [name, value] : to_sign) {
    canonical_headers += name + ":" + value + "\n";
    names += (names.empty() ? "" : ";") + name;
  }

  const std::string canonical = request.method + "\n" + path + "\n" + query + "\n" + canonical_headers + "\n" + names +
                                "\n" + request.payload_sha256;
  const std::string scope_text = day + "/" + scope.region + "/" + scope.service + "/aws4_request";
  const std::string to_digest =
      "AWS4-HMAC-SHA256\n" + timestamp + "\n" + scope_text + "\n" + Sha256Hex(AsBytes(canonical));

  const std::string seed = "AWS4" + credentials.secret_access_key;
  const Digest day_key = Hmac(AsBytes(seed), day);
  const Digest region_key = Hmac(day_key, scope.region);
  const Digest service_key = Hmac(region_key, scope.service);
  const Digest signing_key = Hmac(service_key, "aws4_request");
  const std::string signature = ToHex(Hmac(signing_key, to_digest));

  headers.push_back({"Authorization", "AWS4-HMAC-SHA256 Credential=" + credentials.access_key_id + "/" + scope_text +
                                          ",SignedHeaders=" + names + ",Signature=" + signature});
  return {Target(path, query), std::move(headers)};
}

}  // namespace firn::store
