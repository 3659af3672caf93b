#pragma once
// A large object in parts of 8 MiB and more, a few of them under way at a time.

#include <cstdint>
#include <memory>
#include <string>

#include "base/random.h"
#include "store/object_store.h"
#include "store/s3/s3_bucket.h"

namespace firn::store {

/// A part is sent again when its answer was Unavailable: nobody above can do that, as its bytes are gone there.
struct UploadRetry {
  Clock& clock;
  Random& random;
  std::uint32_t max_attempts = 1;
};

/// Touches no network before the first part is full; what is smaller than a part is one PUT in Finish. After a failure
/// every further call returns that failure again.
std::unique_ptr<Upload> NewS3Upload(std::shared_ptr<S3Bucket> bucket, std::string key, UploadRetry retry);

}  // namespace firn::store
