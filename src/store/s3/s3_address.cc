#include "store/s3/s3_address.h"

#include <algorithm>

#include "store/s3/credential_providers.h"
#include "store/s3/profile_file.h"

namespace firn::store {
namespace {

constexpr std::size_t kMaxBucketBytes = 255;

bool IsNameChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

/// More lenient than AWS: old buckets and other servers have capitals and underscores.
Status CheckBucket(std::string_view bucket) {
  const bool fits = !bucket.empty() && bucket.size() <= kMaxBucketBytes && std::ranges::all_of(bucket, IsNameChar);
  if (fits && bucket != "." && bucket != "..") return {};
  return InvalidArgument("'" + std::string(bucket.substr(0, kMaxBucketBytes)) + "' is no bucket name",
                         "Write the database as s3://bucket or s3://bucket/prefix");
}

Status CheckRegion(std::string_view region) {
  const bool fits = region.size() <= 64 && std::ranges::all_of(region, IsNameChar);
  if (fits) return {};
  return InvalidArgument("'" + std::string(region.substr(0, 64)) + "' is no region", "A region looks like eu-west-1");
}

std::string GivenEndpoint(const StoreOptions& options, const CredentialContext& context) {
  if (!options.endpoint.empty()) return options.endpoint;
  for (const std::string_view name : {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"}) {
    if (std::string url = Variable(context, name); !url.empty()) return url;
  }
  return {};
}

std::string AwsEndpoint(const std::string& region) {
  return "https://s3." + region + (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
}

bool IsIpAddress(std::string_view host) {
  return host.find(':') != host.npos || host.find_first_not_of("0123456789.") == host.npos;
}

}  // namespace

Result<S3Address> ResolveS3Address(std::string_view bucket, const StoreOptions& options,
                                   const CredentialContext& context) {
  FIRN_CHECK(CheckBucket(bucket));
  S3Address address;
  address.bucket = bucket;
  address.region = options.region.empty() ? FindRegion(context) : options.region;
  FIRN_CHECK(CheckRegion(address.region));

  const std::string given = GivenEndpoint(options, context);
  FIRN_TRY(HttpUrl url, ParseHttpUrl(given.empty() ? AwsEndpoint(address.region) : given));
  if (url.target.find('?') != std::string::npos) {
    return InvalidArgument("the endpoint '" + given + "' has a query", "Write it as http://host:port or https://host");
  }
  while (url.target.ends_with('/')) url.target.pop_back();
  address.endpoint = std::move(url.endpoint);
  address.root = std::move(url.target);

  const bool has_dot = bucket.find('.') != std::string_view::npos;
  const bool virtual_host = options.virtual_host.value_or(given.empty() && !has_dot);
  if (!virtual_host) {
    address.root += "/" + address.bucket;
    return address;
  }
  if (IsIpAddress(address.endpoint.host)) {
    return InvalidArgument("virtual-host style needs an endpoint with a name, not " + address.endpoint.host,
                           "Use path style, or an endpoint whose name covers the buckets");
  }
  address.endpoint.host.insert(0, address.bucket + ".");
  return address;
}

}  // namespace firn::store
