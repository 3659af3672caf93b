#include "store/throttled.h"

#include <algorithm>

namespace firn::store {
namespace {

Duration TransferTime(const ThrottleOptions& options, std::uint64_t bytes) {
  if (options.bytes_per_second == 0) return {};
  const double seconds = static_cast<double>(bytes) / static_cast<double>(options.bytes_per_second);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

std::uint64_t BytesIn(const std::vector<Result<ReadResult>>& answers) {
  std::uint64_t bytes = 0;
  for (const Result<ReadResult>& answer : answers) bytes += answer ? answer->bytes.size() : 0;
  return bytes;
}

Status Travel(Clock& clock, Duration duration, const Deadline& deadline) {
  if (duration > Duration::zero()) clock.SleepFor(std::min(duration, deadline.Remaining()));
  return deadline.Check("A request to a throttled store");
}

class ThrottledUpload final : public Upload {
 public:
  ThrottledUpload(std::unique_ptr<Upload> inner, const ThrottleOptions& options, Clock& clock)
      : inner_(std::move(inner)), options_(options), clock_(clock) {}

  Status Append(ByteSpan bytes, const Deadline& deadline) override {
    FIRN_CHECK(Travel(clock_, TransferTime(options_, bytes.size()), deadline));
    return inner_->Append(bytes, deadline);
  }
  Status Finish(const Deadline& deadline) override {
    FIRN_CHECK(Travel(clock_, options_.round_latency, deadline));
    return inner_->Finish(deadline);
  }

 private:
  const std::unique_ptr<Upload> inner_;
  const ThrottleOptions options_;
  Clock& clock_;
};

}  // namespace

std::vector<Result<ReadResult>> ThrottledStore::ReadMany(std::span<const ReadRequest> requests,
                                                         const Deadline& deadline) {
  if (requests.empty()) return {};
  std::vector<Result<ReadResult>> answers;
  if (const Status arrived = Travel(clock_, options_.round_latency, deadline); !arrived) {
    answers.assign(requests.size(), arrived.error());
    return answers;
  }
  answers = inner().ReadMany(requests, deadline);
  if (const Status back = Travel(clock_, TransferTime(options_, BytesIn(answers)), deadline); !back) {
    answers.assign(requests.size(), back.error());
  }
  return answers;
}

ReadAndListResult ThrottledStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                                  const Deadline& deadline) {
  const auto all_fail = [&](const Error& error) {
    return ReadAndListResult{std::vector<Result<ReadResult>>(requests.size(), error), error};
  };
  if (const Status arrived = Travel(clock_, options_.round_latency, deadline); !arrived) {
    return all_fail(arrived.error());
  }
  ReadAndListResult both = inner().ReadManyAndList(requests, list, deadline);
  const Status back = Travel(clock_, TransferTime(options_, BytesIn(both.reads)), deadline);
  return back ? std::move(both) : all_fail(back.error());
}

Status ThrottledStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  FIRN_CHECK(Travel(clock_, options_.round_latency + TransferTime(options_, bytes.size()), deadline));
  return inner().Put(key, bytes, condition, deadline);
}

Result<std::unique_ptr<Upload>> ThrottledStore::StartUpload(std::string_view key, const Deadline& deadline) {
  FIRN_CHECK(Travel(clock_, options_.round_latency, deadline));
  FIRN_TRY(std::unique_ptr<Upload> upload, inner().StartUpload(key, deadline));
  return std::unique_ptr<Upload>(std::make_unique<ThrottledUpload>(std::move(upload), options_, clock_));
}

Result<ListPage> ThrottledStore::List(const ListRequest& request, const Deadline& deadline) {
  FIRN_CHECK(Travel(clock_, options_.round_latency, deadline));
  return inner().List(request, deadline);
}

Status ThrottledStore::Delete(std::string_view key, const Deadline& deadline) {
  FIRN_CHECK(Travel(clock_, options_.round_latency, deadline));
  return inner().Delete(key, deadline);
}

}  // namespace firn::store
