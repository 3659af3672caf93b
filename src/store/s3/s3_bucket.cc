#include "store/s3/s3_bucket.h"

#include "store/s3/credential_providers.h"
#include "store/s3/s3_errors.h"

namespace firn::store {
namespace {

/// Over TLS, hashing a body only repeats what the transport does.
constexpr std::size_t kHashedOverTlsBytes = 64u << 10;

HttpClientOptions ToClientOptions(const StoreOptions& options, const Environment& environment) {
  HttpClientOptions client;
  client.max_connections = std::max<std::uint32_t>(1, options.max_connections);
  client.connect_timeout = options.connect_timeout;
  client.progress_timeout = options.attempt_timeout;
  client.tls_roots = FindTlsRoots(environment);
  return client;
}

bool IsTrue(std::string_view text) {
  return EqualsIgnoringCase(text, "true") || EqualsIgnoringCase(text, "yes") || text == "1";
}

}  // namespace

Result<std::shared_ptr<S3Bucket>> S3Bucket::Open(std::string_view bucket, const StoreOptions& options,
                                                 const StoreContext& context) {
  if (options.access_key_id.empty() != options.secret_access_key.empty()) {
    return InvalidArgument("only one half of the pair of S3 keys is given", "Give both, or neither");
  }
  const CredentialContext lookup = ProcessCredentialContext(context.environment, nullptr, context.clock);
  FIRN_TRY(S3Address address, ResolveS3Address(bucket, options, lookup));
  return std::make_shared<S3Bucket>(std::move(address), options, context);
}

S3Bucket::S3Bucket(S3Address address, const StoreOptions& options, const StoreContext& context)
    : address_(std::move(address)),
      clock_(context.clock),
      anonymous_(options.access_key_id.empty() && IsTrue(context.environment("AWS_NO_SIGN_REQUEST").value_or(""))),
      credential_context_(ProcessCredentialContext(
          context.environment,
          [this](HttpRequest request, const Deadline& deadline) { return client_.Send(std::move(request), deadline); },
          context.clock)),
      credentials_([this, options](const Deadline& deadline) { return Find(options, deadline); }, context.clock,
                   context.log),
      client_(ToClientOptions(options, context.environment), context.clock) {}

Result<Credentials> S3Bucket::Find(const StoreOptions& options, const Deadline& deadline) {
  if (anonymous_) return Credentials{};
  if (!options.access_key_id.empty()) {
    return Credentials{options.access_key_id, options.secret_access_key, options.session_token, std::nullopt};
  }
  return FindCredentials(credential_context_, deadline);
}

HttpRequest S3Bucket::ToRequest(S3Call call, const Credentials& credentials) const {
  UnsignedRequest to_sign;
  to_sign.method = call.method;
  to_sign.host = address_.endpoint.Authority();
  to_sign.path = address_.root + (call.key.empty() && !address_.root.empty() ? "" : "/" + call.key);
  to_sign.query = std::move(call.query);
  to_sign.headers = std::move(call.headers);
  const bool hashed = !address_.endpoint.tls || call.body.size() < kHashedOverTlsBytes;

  SignedRequest ready;
  if (anonymous_) {
    ready = LeaveUnsigned(std::move(to_sign));
  } else {
    to_sign.payload_sha256 = hashed ? Sha256Hex(call.body.bytes()) : std::string(kUnsignedPayload);
    ready = Sign(std::move(to_sign), credentials, {address_.region, "s3"}, clock_.WallNow());
  }

  HttpRequest request;
  request.endpoint = address_.endpoint;
  request.method = std::move(call.method);
  request.target = std::move(ready.target);
  request.headers = std::move(ready.headers);
  request.body = std::move(call.body);
  request.idempotent = call.idempotent;
  request.max_response_bytes = call.max_response_bytes;
  return request;
}

std::vector<Result<HttpResponse>> S3Bucket::SendAll(std::vector<S3Call> calls, const Deadline& deadline) {
  const Result<Credentials> credentials = credentials_.Get(deadline);
  if (!credentials) return std::vector<Result<HttpResponse>>(calls.size(), credentials.error());
  std::vector<HttpRequest> requests;
  requests.reserve(calls.size());
  for (S3Call& call : calls) requests.push_back(ToRequest(std::move(call), *credentials));
  std::vector<Result<HttpResponse>> responses = client_.SendAll(std::move(requests), deadline);
  for (Result<HttpResponse>& response : responses) response = Settle(std::move(response), *credentials);
  return responses;
}

Result<HttpResponse> S3Bucket::Send(S3Call call, const Deadline& deadline) {
  std::vector<S3Call> one;
  one.push_back(std::move(call));
  return std::move(SendAll(std::move(one), deadline).front());
}

void S3Bucket::Start(S3Call call, const Deadline& deadline, std::function<void(Result<HttpResponse>)> done) {
  Result<Credentials> credentials = credentials_.Get(deadline);
  if (!credentials) return done(std::move(credentials).error());
  HttpRequest request = ToRequest(std::move(call), *credentials);
  client_.Start(std::move(request), deadline,
                [this, used = *std::move(credentials), done = std::move(done)](Result<HttpResponse> response) {
                  done(Settle(std::move(response), used));
                });
}

Result<HttpResponse> S3Bucket::Settle(Result<HttpResponse> response, const Credentials& used) {
  if (!response || (response->status != 400 && response->status != 403)) return response;
  if (S3ErrorCode(*response) != "ExpiredToken" || !credentials_.Reject(used)) return response;
  return Unavailable("the AWS credentials have expired, and are renewed with the next attempt");
}

Error S3Bucket::ToError(const HttpResponse& response, std::string_view action) const {
  return ToS3Error(response, address_, action);
}

}  // namespace firn::store
