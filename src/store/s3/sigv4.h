#pragma once
// AWS Signature Version 4: what a request needs in its headers so that S3 or STS believes who sent it.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "store/http/http_message.h"
#include "store/s3/credentials.h"

namespace firn::store {

/// Names and values as they are, not yet encoded.
using QueryParameters = std::vector<std::pair<std::string, std::string>>;

struct SigningScope {
  std::string region;
  std::string service;  // "s3", "sts"
};

struct UnsignedRequest {
  std::string method;
  std::string host;  // what the Host header will hold
  std::string path;  // "/bucket/key", not encoded
  QueryParameters query;
  std::vector<HttpHeader> headers;  // all are signed
  std::string payload_sha256;       // hexadecimal, or kUnsignedPayload
};

struct SignedRequest {
  std::string target;               // encoded path and query, for the request line
  std::vector<HttpHeader> headers;  // the given ones, and the signature's; without Host
};

/// For bodies that TLS protects already.
inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

SignedRequest Sign(UnsignedRequest request, const Credentials& credentials, const SigningScope& scope, WallTime now);

/// Encodes as Sign does, and adds no signature: for buckets that anyone may read.
SignedRequest LeaveUnsigned(UnsignedRequest request);

/// Lower-case hexadecimal.
std::string Sha256Hex(ByteSpan bytes);

/// RFC 3986: everything but letters, digits and "-._~" as %XX; '/' stays if `keep_slash`.
std::string UriEncode(std::string_view text, bool keep_slash);

}  // namespace firn::store
