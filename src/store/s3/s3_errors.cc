#include "store/s3/s3_errors.h"

#include <algorithm>
#include <array>

#include "store/s3/xml.h"

namespace firn::store {
namespace {

constexpr std::size_t kMaxQuotedBytes = 200;

struct Refusal {
  std::string code;
  std::string message;
  std::string region;
};

/// Printable, and not longer than a sentence: the text is the server's.
std::string Quoted(std::string_view text) {
  std::string quoted(text.substr(0, kMaxQuotedBytes));
  std::ranges::replace_if(quoted, [](unsigned char c) { return c < ' ' || c == 0x7f; }, ' ');
  while (quoted.ends_with('.') || quoted.ends_with(' ')) quoted.pop_back();
  return quoted;
}

std::string CodeOfStatus(int status) {
  switch (status) {
    case 301:
    case 302:
    case 307:
    case 308:
      return "PermanentRedirect";
    case 403:
      return "AccessDenied";
    case 404:
      return "NoSuchKey";
    case 409:
      return "OperationAborted";
    case 412:
      return "PreconditionFailed";
    case 416:
      return "InvalidRange";
    case 501:
      return "NotImplemented";
    default:
      return "status " + std::to_string(status);
  }
}

Refusal Parse(const HttpResponse& response) {
  Refusal refusal;
  if (const auto root = ParseXml(response.body.chars()); root && root->name == "Error") {
    refusal = {Quoted(root->TextOf("Code")), Quoted(root->TextOf("Message")), Quoted(root->TextOf("Region"))};
  }
  if (refusal.code.empty() && response.status >= 300) refusal.code = CodeOfStatus(response.status);
  if (const std::string_view region = response.Header("x-amz-bucket-region"); !region.empty()) {
    refusal.region = Quoted(region);
  }
  return refusal;
}

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

bool IsTransient(int status, std::string_view code) {
  return status >= 500 || status == 429 || status == 408 ||
         IsOneOf(code,
                 {"SlowDown", "InternalError", "ServiceUnavailable", "RequestTimeout", "ConditionalRequestConflict",
                  "OperationAborted", "Throttling", "ThrottlingException", "TooManyRequests"});
}

}  // namespace

std::string S3ErrorCode(const HttpResponse& response) { return Parse(response).code; }

Error ToS3Error(const HttpResponse& response, const S3Address& address, std::string_view action) {
  const Refusal refusal = Parse(response);
  const std::string& code = refusal.code;
  const std::string what = "cannot " + std::string(action) + " in bucket " + address.bucket;
  const std::string who = address.endpoint.Authority();
  const std::string said = what + ": " + code + (refusal.message.empty() ? "" : ", " + refusal.message);

  if (code == "NoSuchBucket") {
    return NotFound("bucket " + address.bucket + " does not exist at " + who,
                    "Create it (`aws s3 mb s3://" + address.bucket + "`), or correct the name or the endpoint");
  }
  if (code == "NoSuchKey" || code == "NoSuchUpload") return NotFound(what + ": it is not there");
  if (code == "PreconditionFailed") return AlreadyExists(what + ": it is there already");
  if (code == "NotImplemented") {
    return Unsupported(said, "The server lacks what Firn needs, conditional writes above all; `firn doctor` says what");
  }
  if (IsOneOf(code, {"PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed",
                     "IllegalLocationConstraintException"})) {
    if (refusal.region.empty()) return InvalidArgument(said, "Check the region and the endpoint");
    return InvalidArgument("bucket " + address.bucket + " is in region " + refusal.region + ", not " + address.region,
                           "Set AWS_REGION=" + refusal.region);
  }
  if (code == "RequestTimeTooSkewed") {
    return PermissionDenied(what + ": " + who + " has another time than this machine", "Set this machine's clock");
  }
  if (IsOneOf(code, {"InvalidAccessKeyId", "XAdminUserNotFound"})) {  // the second is versitygw's
    return PermissionDenied(what + ": " + who + " does not know the access key",
                            "Check AWS_ACCESS_KEY_ID, and that the endpoint is the one that the key belongs to");
  }
  if (code == "SignatureDoesNotMatch") {
    return PermissionDenied(what + ": the secret key does not fit the access key", "Check AWS_SECRET_ACCESS_KEY");
  }
  if (IsOneOf(code, {"ExpiredToken", "InvalidToken", "TokenRefreshRequired"})) {
    return PermissionDenied(what + ": the session token is invalid or has expired",
                            "Sign in again, and set AWS_SESSION_TOKEN with its two keys");
  }
  if (IsTransient(response.status, code)) return Unavailable(said);
  if (response.status == 401 || response.status == 403) {
    return PermissionDenied(said,
                            "The keys need s3:ListBucket on the bucket, and s3:GetObject, s3:PutObject and "
                            "s3:DeleteObject on its objects");
  }
  if (response.status == 405) return Unsupported(said, "Check that the endpoint is an S3 server");
  if (response.status == 404) return NotFound(said, "Check the endpoint and the bucket's name");
  return InvalidArgument(said, "Check the endpoint, the region and the bucket's name");
}

}  // namespace firn::store
