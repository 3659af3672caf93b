// Keys that a container's or an instance's own endpoint hands out.
#include <simdjson.h>

#include <array>

#include "store/s3/credential_providers.h"
#include "store/s3/timestamps.h"

namespace firn::store {
namespace {

constexpr Duration kMetadataTime = std::chrono::seconds(1);  // it is on the same machine, or nowhere
constexpr Duration kContainerTime = std::chrono::seconds(5);
constexpr std::uint64_t kMaxAnswerBytes = 256u << 10;
constexpr std::string_view kRolePath = "/latest/meta-data/iam/security-credentials/";

/// The link-local addresses of ECS and of EKS Pod Identity.
constexpr std::array<std::string_view, 3> kContainerHosts = {"169.254.170.2", "169.254.170.23", "fd00:ec2::23"};

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

bool IsTrue(std::string_view text) { return EqualsIgnoringCase(text, "true") || text == "1"; }

Result<HttpUrl> ContainerUrl(const CredentialContext& context) {
  if (const std::string path = Variable(context, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"); !path.empty()) {
    return ParseHttpUrl("http://169.254.170.2" + (path.starts_with('/') ? path : "/" + path));
  }
  FIRN_TRY(HttpUrl url, ParseHttpUrl(Variable(context, "AWS_CONTAINER_CREDENTIALS_FULL_URI")));
  const bool near =
      url.endpoint.IsLoopback() || std::ranges::find(kContainerHosts, url.endpoint.host) != kContainerHosts.end();
  if (url.endpoint.tls || near) return url;
  return PermissionDenied(
      "AWS_CONTAINER_CREDENTIALS_FULL_URI would send keys over plain http from " + url.endpoint.host,
      "Use https, or an address of this machine, of ECS or of EKS");
}

/// The instance metadata service, with what each request to it has in common.
class Metadata {
 public:
  Metadata(const CredentialContext& context, const Deadline& deadline, HttpEndpoint endpoint)
      : context_(context), deadline_(deadline), endpoint_(std::move(endpoint)) {}

  Result<HttpResponse> Send(std::string method, std::string path, HttpHeader header) const {
    HttpRequest request;
    request.endpoint = endpoint_;
    request.method = std::move(method);
    request.target = std::move(path);
    request.headers.push_back(std::move(header));
    request.max_response_bytes = kMaxAnswerBytes;
    return context_.http(std::move(request), deadline_.Within(*context_.clock, kMetadataTime));
  }

 private:
  const CredentialContext& context_;
  const Deadline& deadline_;
  HttpEndpoint endpoint_;
};

Result<HttpEndpoint> MetadataEndpoint(const CredentialContext& context) {
  std::string url = Variable(context, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  const bool v6 = EqualsIgnoringCase(Variable(context, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"), "ipv6");
  if (url.empty()) url = v6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
  FIRN_TRY(const HttpUrl parsed, ParseHttpUrl(url));
  return parsed.endpoint;
}

bool IsHeaderText(std::string_view text) {
  return !text.empty() && text.size() <= 4096 && text.find_first_of("\r\n ") == std::string_view::npos;
}

}  // namespace

Result<Credentials> ParseCredentialJson(std::string_view text, std::string_view what) {
  const std::string who(what);
  if (text.size() > kMaxAnswerBytes) return PermissionDenied(who + " gave too long an answer");
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(text);
  simdjson::dom::object object;
  if (parser.parse(padded).get(object) != simdjson::SUCCESS) return PermissionDenied(who + " gave no JSON object");
  const auto field = [&object](std::string_view name) {
    std::string_view value;
    return object[name].get(value) == simdjson::SUCCESS ? std::string(value) : std::string();
  };
  if (const std::string code = field("Code"); !code.empty() && code != "Success") {
    return PermissionDenied(who + " gave no keys: " + code);
  }
  Credentials credentials{field("AccessKeyId"), field("SecretAccessKey"), field("Token"), std::nullopt};
  if (credentials.session_token.empty()) credentials.session_token = field("SessionToken");
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty()) {
    return PermissionDenied(who + " gave no AccessKeyId or no SecretAccessKey");
  }
  if (const std::string expires = field("Expiration"); !expires.empty()) {
    credentials.expires = ParseIsoTime(expires);
    if (!credentials.expires) return PermissionDenied(who + " gave an Expiration that is no time");
  }
  return credentials;
}

Result<ProviderAnswer> FromContainer(const CredentialContext& context, const Deadline& deadline) {
  if (Variable(context, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").empty() &&
      Variable(context, "AWS_CONTAINER_CREDENTIALS_FULL_URI").empty()) {
    return ProviderAnswer{std::nullopt, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI and _FULL_URI are not set"};
  }
  FIRN_TRY(HttpUrl url, ContainerUrl(context));
  HttpRequest request;
  request.endpoint = std::move(url.endpoint);
  request.target = std::move(url.target);
  request.max_response_bytes = kMaxAnswerBytes;
  std::string token = Variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN");
  if (const std::string file = Variable(context, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"); !file.empty()) {
    FIRN_TRY(const std::string text, context.read_file(file));
    token = Trimmed(text);
  }
  if (!token.empty()) request.headers.push_back({"Authorization", token});

  const std::string who = "the container's credential endpoint " + request.endpoint.Authority();
  FIRN_TRY(const HttpResponse response,
           context.http(std::move(request), deadline.Within(*context.clock, kContainerTime)));
  if (response.status >= 500 || response.status == 429) {
    return Unavailable(who + " answered with status " + std::to_string(response.status));
  }
  if (response.status != 200) {
    return PermissionDenied(who + " answered with status " + std::to_string(response.status));
  }
  FIRN_TRY(Credentials credentials, ParseCredentialJson(response.body.chars(), who));
  return ProviderAnswer{std::move(credentials), {}};
}

Result<ProviderAnswer> FromInstanceMetadata(const CredentialContext& context, const Deadline& deadline) {
  if (IsTrue(Variable(context, "AWS_EC2_METADATA_DISABLED"))) {
    return ProviderAnswer{std::nullopt, "AWS_EC2_METADATA_DISABLED is set"};
  }
  FIRN_TRY(const HttpEndpoint endpoint, MetadataEndpoint(context));
  const std::string who = "the instance metadata service " + endpoint.Authority();
  const auto absent = [&](std::string_view why) { return ProviderAnswer{std::nullopt, who + " " + std::string(why)}; };
  const Metadata metadata(context, deadline, endpoint);

  const auto token = metadata.Send("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds", "21600"});
  FIRN_CHECK(deadline.Check("looking for AWS credentials"));
  if (!token) return absent("does not answer");
  if (token->status != 200 || !IsHeaderText(token->body.chars())) return absent("gives no token");
  const HttpHeader proof{"X-aws-ec2-metadata-token", std::string(token->body.chars())};

  FIRN_TRY(const HttpResponse roles, metadata.Send("GET", std::string(kRolePath), proof));
  const std::string_view role = Trimmed(roles.body.chars().substr(0, roles.body.chars().find('\n')));
  if (roles.status != 200 || !IsHeaderText(role)) return absent("knows no role of this instance");

  FIRN_TRY(const HttpResponse keys, metadata.Send("GET", std::string(kRolePath) + std::string(role), proof));
  if (keys.status != 200) return Unavailable(who + " answered with status " + std::to_string(keys.status));
  FIRN_TRY(Credentials credentials, ParseCredentialJson(keys.body.chars(), who));
  return ProviderAnswer{std::move(credentials), {}};
}

}  // namespace firn::store
