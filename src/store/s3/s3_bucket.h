#pragma once
// A bucket as a place to send signed requests to: the address, the credentials and the connections together.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "store/http/http_client.h"
#include "store/open.h"
#include "store/s3/credentials.h"
#include "store/s3/s3_address.h"
#include "store/s3/sigv4.h"

namespace firn::store {

struct S3Call {
  std::string method = "GET";
  std::string key;  // in the bucket; "" = the bucket itself
  QueryParameters query;
  std::vector<HttpHeader> headers;
  Buffer body;
  bool idempotent = true;
  std::uint64_t max_response_bytes = 16ULL << 20;
};

/// Thread-safe. An answer of any status is a response; ToError says what a refusal means. Only keys that have expired
/// and can be renewed are settled here: the answer is then Unavailable, and the next call has new ones.
class S3Bucket {
 public:
  /// Looks at the environment and the profile files, and not at the network.
  static Result<std::shared_ptr<S3Bucket>> Open(std::string_view bucket, const StoreOptions& options,
                                                const StoreContext& context);

  Result<HttpResponse> Send(S3Call call, const Deadline& deadline);
  std::vector<Result<HttpResponse>> SendAll(std::vector<S3Call> calls, const Deadline& deadline);
  /// As HttpClient::Start; but the credentials are looked up before it returns, within `deadline`.
  void Start(S3Call call, const Deadline& deadline, std::function<void(Result<HttpResponse>)> done);

  /// See ToS3Error.
  Error ToError(const HttpResponse& response, std::string_view action) const;
  const S3Address& address() const { return address_; }

  S3Bucket(S3Address address, const StoreOptions& options, const StoreContext& context);

 private:
  Result<Credentials> Find(const StoreOptions& options, const Deadline& deadline);
  HttpRequest ToRequest(S3Call call, const Credentials& credentials) const;
  Result<HttpResponse> Settle(Result<HttpResponse> response, const Credentials& used);

  const S3Address address_;
  const Clock& clock_;
  const bool anonymous_;
  CredentialContext credential_context_;
  CredentialCache credentials_;
  HttpClient client_;  // last, so that it ends what is under way before the rest goes
};

}  // namespace firn::store
