#pragma once
// A bucket, or a prefix of one, on any S3: AWS, MinIO, versitygw and the like.

#include <memory>
#include <string_view>

#include "store/object_store.h"
#include "store/open.h"

namespace firn::store {

/// A store whose keys live under `prefix` ("" = the whole bucket; a trailing '/' is optional) of `bucket`. Touches no
/// network: credentials are looked up, and the first connection made, by the first call. It does not retry (see the
/// retrying wrapper), except on a kept-alive connection that turned out to be closed.
///
/// InvalidArgument for a bucket name, a prefix or an endpoint that cannot be right, or for half a pair of keys.
Result<std::unique_ptr<ObjectStore>> OpenS3(std::string_view bucket, std::string_view prefix,
                                            const StoreOptions& options, const StoreContext& context);

}  // namespace firn::store
