#include "store/s3/s3_store.h"

#include <algorithm>
#include <charconv>

#include "store/s3/s3_bucket.h"
#include "store/s3/s3_errors.h"
#include "store/s3/s3_listing.h"
#include "store/s3/s3_upload.h"

namespace firn::store {
namespace {

constexpr std::uint64_t kMaxWholeBytes = 4ULL << 30;
constexpr std::uint64_t kMaxPutBytes = 5ULL << 30;  // S3's own limit on one PUT
/// Beyond the range: an error's text, or a whole object from a server that ignores ranges.
constexpr std::uint64_t kRangeSlackBytes = 16ULL << 20;
constexpr int kMaxEmptyPages = 100;

/// What "bytes 0-9/100" says; the total is absent in "bytes 0-9/*".
struct ContentRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::uint64_t total = 0;
};

bool TakeNumber(std::string_view& text, std::uint64_t& number) {
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  return true;
}

bool TakeChar(std::string_view& text, char c) {
  if (!text.starts_with(c)) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<ContentRange> ParseContentRange(std::string_view text) {
  if (!text.starts_with("bytes ")) return std::nullopt;
  text.remove_prefix(6);
  ContentRange range;
  const bool whole = TakeNumber(text, range.first) && TakeChar(text, '-') && TakeNumber(text, range.last) &&
                     TakeChar(text, '/') && TakeNumber(text, range.total) && text.empty();
  if (!whole || range.first > range.last || range.last >= range.total) return std::nullopt;
  return range;
}

Error PastTheEnd(const ReadRequest& request) {
  return InvalidArgument("bytes [" + std::to_string(request.offset) + ", +" + std::to_string(request.length) +
                         ") lie past the end of " + request.key);
}

/// The part of a whole object that was asked for.
Result<ReadResult> Cut(const ReadRequest& request, const Buffer& whole, std::string etag) {
  FIRN_TRY(const ByteRange range, RangeOf(request, whole.size()));
  return ReadResult{whole.Slice(range.offset, range.length), whole.size(), std::move(etag)};
}

/// No key starts so: asking a server could only go wrong.
bool CannotHoldKeys(std::string_view prefix) {
  while (true) {
    const std::size_t slash = prefix.find('/');
    if (slash == std::string_view::npos) return false;
    const std::string_view part = prefix.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return true;
    prefix.remove_prefix(slash + 1);
  }
}

class S3Store final : public ObjectStore {
 public:
  S3Store(std::shared_ptr<S3Bucket> bucket, std::string prefix, const StoreOptions& options,
          const StoreContext& context)
      : bucket_(std::move(bucket)),
        prefix_(std::move(prefix)),
        upload_retry_{context.clock, context.random, std::max<std::uint32_t>(1, options.max_attempts)} {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

  std::string Describe() const override {
    std::string text = "s3://" + bucket_->address().bucket;
    if (!prefix_.empty()) text += "/" + prefix_.substr(0, prefix_.size() - 1);
    return text;
  }

 private:
  Result<S3Call> ToCall(const ReadRequest& request) const;
  Result<ReadResult> ToResult(const ReadRequest& request, HttpResponse response) const;
  Result<ReadResult> FromPartialContent(const ReadRequest& request, HttpResponse response) const;
  Result<S3Listing> ListOnce(const ListRequest& request, const std::string& continuation, const Deadline& deadline);
  ListPage ToPage(const ListRequest& request, S3Listing listing) const;

  const std::shared_ptr<S3Bucket> bucket_;
  const std::string prefix_;  // "" or ends in '/'
  const UploadRetry upload_retry_;
};

// Reading.

std::vector<Result<ReadResult>> S3Store::ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) {
  std::vector<Result<ReadResult>> results(requests.size());
  std::vector<S3Call> calls;
  std::vector<std::size_t> origin;  // of each call, the request
  for (std::size_t i = 0; i < requests.size(); ++i) {
    if (Result<S3Call> call = ToCall(requests[i])) {
      calls.push_back(*std::move(call));
      origin.push_back(i);
    } else {
      results[i] = std::move(call).error();
    }
  }
  std::vector<Result<HttpResponse>> responses = bucket_->SendAll(std::move(calls), deadline);
  for (std::size_t i = 0; i < responses.size(); ++i) {
    const ReadRequest& request = requests[origin[i]];
    if (responses[i]) {
      results[origin[i]] = ToResult(request, *std::move(responses[i]));
    } else {
      results[origin[i]] = std::move(responses[i]).error().In("cannot read " + request.key);
    }
  }
  return results;
}

Result<S3Call> S3Store::ToCall(const ReadRequest& request) const {
  FIRN_CHECK(CheckKey(request.key));
  S3Call call;
  call.key = prefix_ + request.key;
  if (request.part == ReadRequest::Part::kWhole) {
    call.max_response_bytes = kMaxWholeBytes;
    return call;
  }
  if (request.length == 0) {
    call.method = "HEAD";  // HTTP has no empty range; the size is what there is to learn
    return call;
  }
  std::string range = "bytes=-" + std::to_string(request.length);
  if (request.part == ReadRequest::Part::kRange) {
    if (request.offset > UINT64_MAX - request.length) return PastTheEnd(request);
    range = "bytes=" + std::to_string(request.offset) + "-" + std::to_string(request.offset + request.length - 1);
  }
  call.headers.push_back({"Range", std::move(range)});
  call.max_response_bytes = std::min(request.length, kMaxWholeBytes) + kRangeSlackBytes;
  return call;
}

Result<ReadResult> S3Store::ToResult(const ReadRequest& request, HttpResponse response) const {
  const bool is_head = request.part != ReadRequest::Part::kWhole && request.length == 0;
  std::string etag(response.Header("ETag"));
  if (response.status == 200 && is_head) {
    ReadResult result{{}, 0, std::move(etag)};
    std::string_view length = response.Header("Content-Length");
    if (!TakeNumber(length, result.object_size_bytes))
      return Unavailable("the size of " + request.key + " was not told");
    FIRN_CHECK(RangeOf(request, result.object_size_bytes));
    return result;
  }
  if (response.status == 200) return Cut(request, response.body, std::move(etag));
  if (response.status == 206) return FromPartialContent(request, std::move(response));
  if (response.status == 416) {
    if (request.part == ReadRequest::Part::kRange) return PastTheEnd(request);
    return ReadResult{};  // the last bytes of nothing: only an empty object has none
  }
  return bucket_->ToError(response, "read " + request.key);
}

Result<ReadResult> S3Store::FromPartialContent(const ReadRequest& request, HttpResponse response) const {
  const auto range = ParseContentRange(response.Header("Content-Range"));
  const bool is_whole_range = range && response.body.size() == range->last - range->first + 1;
  if (!is_whole_range || request.part == ReadRequest::Part::kWhole) {
    return Unavailable("the server sent another part of " + request.key + " than it says");
  }
  FIRN_TRY(const ByteRange wanted, RangeOf(request, range->total));
  if (range->first != wanted.offset || response.body.size() != wanted.length) {
    return Unavailable("the server sent another part of " + request.key + " than was asked for");
  }
  return ReadResult{std::move(response.body), range->total, std::string(response.Header("ETag"))};
}

// Writing.

Status S3Store::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  FIRN_CHECK(CheckKey(key));
  if (bytes.size() > kMaxPutBytes) {
    return InvalidArgument(std::string(key) + " is larger than the 5 GiB that S3 takes at once");
  }
  S3Call call;
  call.method = "PUT";
  call.key = prefix_ + std::string(key);
  call.headers.push_back({"Content-Type", "application/octet-stream"});
  call.body = Buffer(nullptr, bytes);
  if (condition == PutCondition::kIfAbsent) {
    call.headers.push_back({"If-None-Match", "*"});
    call.idempotent = false;  // the second would meet the first, and say that somebody else was faster
  }
  Result<HttpResponse> response = bucket_->Send(std::move(call), deadline);
  if (!response) return std::move(response).error().In("cannot write " + std::string(key));
  if (response->status / 100 == 2) return {};
  return bucket_->ToError(*response, "write " + std::string(key));
}

Result<std::unique_ptr<Upload>> S3Store::StartUpload(std::string_view key, const Deadline& deadline) {
  FIRN_CHECK(CheckKey(key));
  FIRN_CHECK(deadline.Check("an upload to " + Describe()));
  return NewS3Upload(bucket_, prefix_ + std::string(key), upload_retry_);
}

Status S3Store::Delete(std::string_view key, const Deadline& deadline) {
  FIRN_CHECK(CheckKey(key));
  S3Call call;
  call.method = "DELETE";
  call.key = prefix_ + std::string(key);
  Result<HttpResponse> response = bucket_->Send(std::move(call), deadline);
  if (!response) return std::move(response).error().In("cannot delete " + std::string(key));
  if (response->status / 100 == 2 || S3ErrorCode(*response) == "NoSuchKey") return {};
  return bucket_->ToError(*response, "delete " + std::string(key));
}

// Listing.

Result<ListPage> S3Store::List(const ListRequest& request, const Deadline& deadline) {
  FIRN_CHECK(CheckList(request));
  FIRN_CHECK(deadline.Check("listing " + Describe()));
  if (CannotHoldKeys(request.prefix)) return ListPage{};
  std::string continuation;
  for (int page = 0; page < kMaxEmptyPages; ++page) {
    FIRN_TRY(S3Listing listing, ListOnce(request, continuation, deadline));
    continuation = listing.continuation_token;
    const bool more = listing.truncated && !continuation.empty();
    ListPage found = ToPage(request, std::move(listing));
    // A page may hold only what is left out: the folder that the last page ended with, or markers of empty folders.
    if (!found.objects.empty() || !found.folders.empty() || !more) return found;
  }
  return Unavailable("listing " + Describe() + "/" + request.prefix + " makes no progress");
}

Result<S3Listing> S3Store::ListOnce(const ListRequest& request, const std::string& continuation,
                                    const Deadline& deadline) {
  S3Call call;
  call.query = {{"list-type", "2"},
                {"encoding-type", "url"},
                {"prefix", prefix_ + request.prefix},
                {"max-keys", std::to_string(request.limit)}};
  if (request.by_folder) call.query.emplace_back("delimiter", "/");
  if (!continuation.empty()) {
    call.query.emplace_back("continuation-token", continuation);
  } else if (!request.start_after.empty()) {
    call.query.emplace_back("start-after", prefix_ + request.start_after);
  }
  Result<HttpResponse> response = bucket_->Send(std::move(call), deadline);
  if (!response) return std::move(response).error().In("cannot list " + Describe() + "/" + request.prefix);
  if (response->status != 200) return bucket_->ToError(*response, "list '" + request.prefix + "'");
  return ParseS3Listing(response->body.chars());
}

ListPage S3Store::ToPage(const ListRequest& request, S3Listing listing) const {
  ListPage page;
  std::string last;
  const auto take = [&](std::string_view key) -> std::optional<std::string> {
    if (!key.starts_with(prefix_)) return std::nullopt;
    key.remove_prefix(prefix_.size());
    if (key > last) last = key;
    if (!key.starts_with(request.prefix) || key <= request.start_after) return std::nullopt;
    return std::string(key);
  };
  for (ObjectInfo& object : listing.objects) {
    std::optional<std::string> key = take(object.key);
    // Consoles make "folder/" objects to show empty folders: no store's keys.
    if (!key || key->ends_with('/')) continue;
    object.key = *std::move(key);
    page.objects.push_back(std::move(object));
  }
  for (const std::string& folder : listing.folders) {
    if (std::optional<std::string> key = take(folder)) page.folders.push_back(*std::move(key));
  }
  std::ranges::sort(page.objects, {}, &ObjectInfo::key);
  std::ranges::sort(page.folders);
  if (listing.truncated) page.next_start_after = last;
  return page;
}

}  // namespace

Result<std::unique_ptr<ObjectStore>> OpenS3(std::string_view bucket, std::string_view prefix,
                                            const StoreOptions& options, const StoreContext& context) {
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  while (prefix.ends_with('/')) prefix.remove_suffix(1);
  std::string root(prefix);
  if (!root.empty()) {
    FIRN_CHECK(CheckKey(root));
    root += '/';
  }
  FIRN_TRY(std::shared_ptr<S3Bucket> opened, S3Bucket::Open(bucket, options, context));
  return std::make_unique<S3Store>(std::move(opened), std::move(root), options, context);
}

}  // namespace firn::store
