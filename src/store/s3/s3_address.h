#pragma once
// Where a bucket is: which host to call, and whether the bucket's name stands in the host or in the path.

#include <string>
#include <string_view>

#include "store/http/http_message.h"
#include "store/open.h"
#include "store/s3/credentials.h"

namespace firn::store {

struct S3Address {
  HttpEndpoint endpoint;  // with the bucket's name in front for the virtual-host style
  std::string root;       // what goes before "/key" in the path: "", "/bucket", "/base/bucket"
  std::string bucket;
  std::string region;
};

/// From the options, else the environment and the profile; see StoreOptions. A bucket with a dot in its name is reached
/// by path, as no certificate covers it in a host name. InvalidArgument for a bucket name or an endpoint that cannot be
/// right.
Result<S3Address> ResolveS3Address(std::string_view bucket, const StoreOptions& options,
                                   const CredentialContext& context);

}  // namespace firn::store
