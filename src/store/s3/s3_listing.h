#pragma once
// The answer to ListObjectsV2.

#include <string>
#include <vector>

#include "base/result.h"
#include "store/object_store.h"

namespace firn::store {

/// Whole keys, with the store's prefix, as the bucket has them.
struct S3Listing {
  std::vector<ObjectInfo> objects;
  std::vector<std::string> folders;
  bool truncated = false;
  std::string continuation_token;
};

/// Unavailable for an answer that is not one.
Result<S3Listing> ParseS3Listing(std::string_view xml);

}  // namespace firn::store
