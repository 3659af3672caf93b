#pragma once
// What S3's refusals mean to a caller.

#include <string>
#include <string_view>

#include "base/result.h"
#include "store/http/http_message.h"
#include "store/s3/s3_address.h"

namespace firn::store {

/// The code in an error's XML ("NoSuchKey"), or one that the status stands for when there is no XML; "" for no error.
std::string S3ErrorCode(const HttpResponse& response);

/// Of a response that is no success. `action` completes "cannot ...": "read table/data/x.lance".
/// NotFound, AlreadyExists (412), PermissionDenied, Unavailable, Unsupported (501), InvalidArgument (the region, and
/// all else that is wrong with a request).
Error ToS3Error(const HttpResponse& response, const S3Address& address, std::string_view action);

}  // namespace firn::store
