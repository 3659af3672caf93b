#include "store/s3/s3_upload.h"

#include <algorithm>
#include <deque>
#include <future>

#include "store/s3/s3_errors.h"
#include "store/s3/xml.h"

namespace firn::store {
namespace {

constexpr std::size_t kPartBytes = 8u << 20;
constexpr std::size_t kMaxInFlight = 4;
constexpr int kMaxParts = 10'000;         // S3's limit
constexpr int kPartsPerDoubling = 2'000;  // so that 10,000 parts hold 484 GiB; below 16 GiB all parts are equal
constexpr auto kPoll = std::chrono::milliseconds(10);
constexpr Duration kFirstBackoff = std::chrono::milliseconds(100);
constexpr Duration kAbortTime = std::chrono::seconds(5);

struct Part {
  int number = 0;  // from 1
  Buffer body;
  std::uint32_t attempts = 0;
  std::future<Result<HttpResponse>> answer;
};

std::string XmlEscape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else
      escaped += c;
  }
  return escaped;
}

class S3Upload final : public Upload {
 public:
  S3Upload(std::shared_ptr<S3Bucket> bucket, std::string key, UploadRetry retry)
      : bucket_(std::move(bucket)), key_(std::move(key)), retry_(retry) {}

  ~S3Upload() override { Abort(); }

  Status Append(ByteSpan bytes, const Deadline& deadline) override { return Remember(AppendAll(bytes, deadline)); }

  Status Finish(const Deadline& deadline) override {
    if (finished_) return {};
    Status status = Remember(id_.empty() ? PutWhole(deadline) : FinishParts(deadline));
    finished_ = status.has_value();
    return status;
  }

 private:
  Status Remember(Status status) {
    if (!status && !failure_) failure_ = status.error();
    return status;
  }

  S3Call CallFor(std::string method, QueryParameters query) const {
    S3Call call;
    call.method = std::move(method);
    call.key = key_;
    call.query = std::move(query);
    return call;
  }

  std::string Action() const { return "upload " + key_; }

  Status AppendAll(ByteSpan bytes, const Deadline& deadline) {
    if (failure_) return *failure_;
    total_ += bytes.size();
    while (!bytes.empty()) {
      const std::size_t size = NextPartBytes();
      pending_.reserve(size);
      const std::size_t taken = std::min(bytes.size(), size - pending_.size());
      pending_.insert(pending_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(taken));
      bytes = bytes.subspan(taken);
      if (pending_.size() == size) FIRN_CHECK(SendPending(deadline));
    }
    return {};
  }

  std::size_t NextPartBytes() const { return kPartBytes << (etags_.size() / kPartsPerDoubling); }

  // Parts.

  Status SendPending(const Deadline& deadline) {
    if (id_.empty()) FIRN_CHECK(Create(deadline));
    if (etags_.size() >= kMaxParts) return ResourceExhausted(key_ + " has more parts than S3 takes");
    while (in_flight_.size() >= kMaxInFlight) FIRN_CHECK(AwaitFirst(deadline));
    etags_.emplace_back();
    Part part;
    part.number = static_cast<int>(etags_.size());
    part.body = Buffer::Of(std::exchange(pending_, {}));
    Start(part);
    in_flight_.push_back(std::move(part));
    return {};
  }

  /// Lives longer than the call that starts it, and so has no deadline of its own but the client's timeouts.
  void Start(Part& part) {
    S3Call call = CallFor("PUT", {{"partNumber", std::to_string(part.number)}, {"uploadId", id_}});
    call.body = part.body;
    ++part.attempts;
    auto promise = std::make_shared<std::promise<Result<HttpResponse>>>();
    part.answer = promise->get_future();
    bucket_->Start(std::move(call), Deadline::Never().WithCancel(cancelled_),
                   [promise](Result<HttpResponse> response) { promise->set_value(std::move(response)); });
  }

  Status AwaitFirst(const Deadline& deadline) {
    Part& part = in_flight_.front();
    while (true) {
      while (part.answer.wait_for(kPoll) != std::future_status::ready) FIRN_CHECK(deadline.Check(Action()));
      Result<HttpResponse> answer = part.answer.get();
      Status sent = StatusOf(answer);
      if (sent && answer->Header("ETag").empty()) sent = Unavailable("the server gave no ETag for a part of " + key_);
      if (sent) {
        etags_[static_cast<std::size_t>(part.number) - 1] = answer->Header("ETag");
        in_flight_.pop_front();
        return {};
      }
      if (sent.error().kind != ErrorKind::kUnavailable || part.attempts >= retry_.max_attempts) {
        in_flight_.pop_front();
        return sent;
      }
      BackOff(part.attempts, deadline);
      Start(part);
    }
  }

  Status StatusOf(const Result<HttpResponse>& answer) const {
    if (!answer) return Error(answer.error()).In("cannot " + Action());
    if (answer->status / 100 != 2) return bucket_->ToError(*answer, Action());
    return {};
  }

  void BackOff(std::uint32_t attempts, const Deadline& deadline) const {
    const Duration longest = kFirstBackoff * (1 << std::min<std::uint32_t>(attempts, 6));
    const auto jittered =
        Duration(static_cast<std::int64_t>(retry_.random.Unit() * static_cast<double>(longest.count())));
    retry_.clock.SleepFor(std::min(jittered, deadline.Remaining()));
  }

  // The calls around the parts.

  /// Again while it is Unavailable.
  Result<HttpResponse> SendPatiently(const S3Call& call, const Deadline& deadline) {
    for (std::uint32_t attempts = 1;; ++attempts) {
      Result<HttpResponse> answer = bucket_->Send(call, deadline);
      const Status sent = StatusOf(answer);
      const bool again = !sent && sent.error().kind == ErrorKind::kUnavailable;
      if (!again || attempts >= retry_.max_attempts || deadline.Expired()) return answer;
      BackOff(attempts, deadline);
    }
  }

  Status PutWhole(const Deadline& deadline) {
    if (failure_) return *failure_;
    S3Call call = CallFor("PUT", {});
    call.headers.push_back({"Content-Type", "application/octet-stream"});
    call.body = Buffer(nullptr, pending_);
    return StatusOf(SendPatiently(call, deadline));
  }

  Status Create(const Deadline& deadline) {
    S3Call call = CallFor("POST", {{"uploads", ""}});
    call.headers.push_back({"Content-Type", "application/octet-stream"});
    const Result<HttpResponse> answer = SendPatiently(call, deadline);
    FIRN_CHECK(StatusOf(answer));
    FIRN_TRY(const XmlElement root, ParseXml(answer->body.chars()));
    id_ = root.TextOf("UploadId");
    if (id_.empty()) return Unavailable("the server gave no id for the upload of " + key_);
    return {};
  }

  Status FinishParts(const Deadline& deadline) {
    if (failure_) return *failure_;
    if (!pending_.empty()) FIRN_CHECK(SendPending(deadline));
    while (!in_flight_.empty()) FIRN_CHECK(AwaitFirst(deadline));

    std::string xml = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (std::size_t i = 0; i < etags_.size(); ++i) {
      xml += "<Part><PartNumber>" + std::to_string(i + 1) + "</PartNumber><ETag>" + XmlEscape(etags_[i]) +
             "</ETag></Part>";
    }
    S3Call call = CallFor("POST", {{"uploadId", id_}});
    call.headers.push_back({"Content-Type", "application/xml"});
    call.body = Buffer::Of(xml + "</CompleteMultipartUpload>");
    call.idempotent = false;
    for (std::uint32_t attempts = 1;; ++attempts) {
      const Result<HttpResponse> answer = bucket_->Send(call, deadline);
      const Status completed = Completed(answer);
      if (completed) return {};
      // An earlier attempt whose answer was lost has finished the upload.
      if (attempts > 1 && answer && S3ErrorCode(*answer) == "NoSuchUpload" && IsThere(deadline)) return {};
      const bool again = completed.error().kind == ErrorKind::kUnavailable;
      if (!again || attempts >= retry_.max_attempts || deadline.Expired()) return completed;
      BackOff(attempts, deadline);
    }
  }

  /// S3 may answer 200 first, and find out later that it failed: the body tells.
  Status Completed(const Result<HttpResponse>& answer) const {
    FIRN_CHECK(StatusOf(answer));
    if (S3ErrorCode(*answer).empty()) return {};
    HttpResponse failed = *answer;
    failed.status = 500;
    return bucket_->ToError(failed, Action());
  }

  bool IsThere(const Deadline& deadline) const {
    const Result<HttpResponse> head = bucket_->Send(CallFor("HEAD", {}), deadline);
    return head && head->status == 200 && head->Header("Content-Length") == std::to_string(total_);
  }

  void Abort() {
    cancelled_->store(true);
    for (Part& part : in_flight_) part.answer.wait();
    if (id_.empty() || finished_) return;
    S3Call call = CallFor("DELETE", {{"uploadId", id_}});
    // Best effort: what remains costs space until the bucket's own rules clear it.
    (void)bucket_->Send(std::move(call), Deadline::After(retry_.clock, kAbortTime));
  }

  const std::shared_ptr<S3Bucket> bucket_;
  const std::string key_;
  const UploadRetry retry_;
  const std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);

  std::vector<std::uint8_t> pending_;  // not yet a part
  std::uint64_t total_ = 0;
  bool finished_ = false;
  std::string id_;                  // "" until the first part
  std::vector<std::string> etags_;  // of part i + 1; "" while it is in flight
  std::deque<Part> in_flight_;
  std::optional<Error> failure_;
};

}  // namespace

std::unique_ptr<Upload> NewS3Upload(std::shared_ptr<S3Bucket> bucket, std::string key, UploadRetry retry) {
  return std::make_unique<S3Upload>(std::move(bucket), std::move(key), retry);
}

}  // namespace firn::store
