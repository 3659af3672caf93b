#include "store/s3/sts.h"

#include "store/s3/credential_providers.h"
#include "store/s3/profile_file.h"
#include "store/s3/sigv4.h"
#include "store/s3/timestamps.h"
#include "store/s3/xml.h"

namespace firn::store {
namespace {

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

std::string FormOf(const QueryParameters& parameters) {
  std::string form;
  for (const auto& [name, value] : parameters) {
    if (!form.empty()) form += '&';
    form += UriEncode(name, false) + "=" + UriEncode(value, false);
  }
  return form;
}

QueryParameters RoleParameters(std::string_view action, const RoleRequest& role) {
  QueryParameters parameters = {{"Action", std::string(action)}, {"Version", "2011-06-15"}, {"RoleArn", role.arn}};
  parameters.emplace_back("RoleSessionName", role.session_name.empty() ? "firn" : role.session_name);
  if (!role.external_id.empty()) parameters.emplace_back("ExternalId", role.external_id);
  if (!role.duration_seconds.empty()) parameters.emplace_back("DurationSeconds", role.duration_seconds);
  return parameters;
}

Result<HttpRequest> StsRequest(const CredentialContext& context, const std::string& region, std::string form) {
  std::string url = Variable(context, "AWS_ENDPOINT_URL_STS");
  if (url.empty()) url = "https://sts." + region + (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
  FIRN_TRY(const HttpUrl parsed, ParseHttpUrl(url));
  HttpRequest request;
  request.endpoint = parsed.endpoint;
  request.method = "POST";
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = Buffer::Of(std::move(form));
  request.max_response_bytes = 1u << 20;
  return request;
}

Error StsError(const RoleRequest& role, const HttpResponse& response) {
  std::string why = "status " + std::to_string(response.status);
  if (const auto root = ParseXml(response.body.chars())) {
    if (const XmlElement* error = root->Find("Error")) {
      why = std::string(error->TextOf("Code")) + ", " + std::string(error->TextOf("Message"));
    }
  }
  std::string message = "STS gave no credentials for the role " + role.arn + ": " + why;
  if (response.status >= 500 || response.status == 429) return Unavailable(std::move(message));
  return PermissionDenied(std::move(message), "Check the role's trust policy and the keys or token that assume it");
}

Result<Credentials> Exchange(const CredentialContext& context, const RoleRequest& role, std::string_view action,
                             HttpRequest request, const Deadline& deadline) {
  FIRN_TRY(const HttpResponse response, context.http(std::move(request), deadline));
  if (response.status != 200) return StsError(role, response);
  FIRN_TRY(const XmlElement root, ParseXml(response.body.chars()));
  const XmlElement* result = root.Find(std::string(action) + "Result");
  const XmlElement* keys = result ? result->Find("Credentials") : nullptr;
  if (keys == nullptr) return Unavailable("STS answered without credentials");
  Credentials credentials{std::string(keys->TextOf("AccessKeyId")), std::string(keys->TextOf("SecretAccessKey")),
                          std::string(keys->TextOf("SessionToken")), ParseIsoTime(keys->TextOf("Expiration"))};
  if (credentials.access_key_id.empty() || credentials.secret_access_key.empty() || !credentials.expires) {
    return Unavailable("STS answered with incomplete credentials");
  }
  return credentials;
}

}  // namespace

Result<Credentials> AssumeRole(const CredentialContext& context, const RoleRequest& role, const Credentials& source,
                               const Deadline& deadline) {
  const std::string region = FindRegion(context);
  FIRN_TRY(HttpRequest request, StsRequest(context, region, FormOf(RoleParameters("AssumeRole", role))));
  UnsignedRequest to_sign;
  to_sign.method = request.method;
  to_sign.host = request.endpoint.Authority();
  to_sign.path = "/";
  to_sign.headers = std::move(request.headers);
  to_sign.payload_sha256 = Sha256Hex(request.body.bytes());
  request.headers = Sign(std::move(to_sign), source, {region, "sts"}, context.clock->WallNow()).headers;
  return Exchange(context, role, "AssumeRole", std::move(request), deadline);
}

Result<Credentials> AssumeRoleWithWebIdentity(const CredentialContext& context, const RoleRequest& role,
                                              const std::string& token_file, const Deadline& deadline) {
  Result<std::string> token = context.read_file(token_file);
  if (!token) {
    return PermissionDenied("the web identity token cannot be read: " + token.error().message,
                            "Check AWS_WEB_IDENTITY_TOKEN_FILE");
  }
  QueryParameters parameters = RoleParameters("AssumeRoleWithWebIdentity", role);
  parameters.emplace_back("WebIdentityToken", std::string(Trimmed(*token)));
  FIRN_TRY(HttpRequest request, StsRequest(context, FindRegion(context), FormOf(parameters)));
  return Exchange(context, role, "AssumeRoleWithWebIdentity", std::move(request), deadline);
}

Result<ProviderAnswer> FromWebIdentity(const CredentialContext& context, const Deadline& deadline) {
  const std::string file = Variable(context, "AWS_WEB_IDENTITY_TOKEN_FILE");
  if (file.empty()) return ProviderAnswer{std::nullopt, "AWS_WEB_IDENTITY_TOKEN_FILE is not set"};
  const RoleRequest role{Variable(context, "AWS_ROLE_ARN"), Variable(context, "AWS_ROLE_SESSION_NAME"), {}, {}};
  if (role.arn.empty()) {
    return PermissionDenied("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not", "Set both, or neither");
  }
  FIRN_TRY(Credentials credentials, AssumeRoleWithWebIdentity(context, role, file, deadline));
  return ProviderAnswer{std::move(credentials), {}};
}

}  // namespace firn::store
