#include "store/retrying.h"

#include <algorithm>
#include <string>
#include <utility>

namespace firn::store {
namespace {

/// How soon a sleeper notices that its caller went away.
constexpr Duration kSleepSlice = std::chrono::milliseconds(50);

bool MayPass(const Error& error, const Deadline& deadline) {
  // DeadlineExceeded with time left was the end of one attempt, not of the call.
  return InfoOf(error.kind).retryable && !deadline.Expired();
}

}  // namespace

std::size_t RetryBudget::Take(std::size_t wanted) {
  const std::lock_guard lock(mutex_);
  const std::size_t granted = std::min(wanted, static_cast<std::size_t>(tokens_));
  tokens_ -= static_cast<double>(granted);
  return granted;
}

void RetryBudget::Succeeded(std::size_t requests) {
  const std::lock_guard lock(mutex_);
  tokens_ = std::min(capacity_, tokens_ + refill_ * static_cast<double>(requests));
}

class RetryingStore::Backoff {
 public:
  Backoff(const RetryPolicy& policy, Clock& clock, Random& random, Log& log)
      : policy_(policy), clock_(clock), random_(random), log_(log), budget_(policy.budget, policy.refill) {}

  RetryBudget& budget() { return budget_; }
  std::uint32_t max_attempts() const { return policy_.max_attempts; }

  template <class Call>
  auto Retry(std::string_view what, const Deadline& deadline, const Call& call) -> decltype(call()) {
    for (std::uint32_t attempt = 1;; attempt++) {
      auto outcome = call();
      if (outcome) {
        budget_.Succeeded(1);
        return outcome;
      }
      const bool again = attempt < policy_.max_attempts && MayPass(outcome.error(), deadline) && budget_.Take(1) == 1 &&
                         Wait(outcome.error(), attempt, what, deadline);
      if (!again) return outcome;
    }
  }

  /// After the failure of `attempt` (1, 2, ...): sleeps and says yes, or says at once that there is no time for
  /// another.
  bool Wait(const Error& error, std::uint32_t attempt, std::string_view what, const Deadline& deadline) {
    const Duration pause = Pause(attempt);
    if (pause >= deadline.Remaining()) return false;
    log_.Info("store: retrying", {{"what", what},
                                  {"attempt", attempt + 1},
                                  {"pause_ms", std::chrono::duration_cast<std::chrono::milliseconds>(pause).count()},
                                  {"kind", InfoOf(error.kind).name},
                                  {"error", error.message}});
    for (Duration left = pause; left > Duration::zero() && !deadline.Expired(); left -= kSleepSlice) {
      clock_.SleepFor(std::min(left, kSleepSlice));
    }
    return !deadline.Expired();
  }

 private:
  Duration Pause(std::uint32_t attempt) {
    Duration most = policy_.first_backoff;
    for (std::uint32_t i = 1; i < attempt && most < policy_.max_backoff; i++) most *= 2;
    most = std::min(most, policy_.max_backoff);
    return Duration(static_cast<Duration::rep>(random_.Unit() * static_cast<double>(most.count())));
  }

  const RetryPolicy policy_;
  Clock& clock_;
  Random& random_;
  Log& log_;
  RetryBudget budget_;
};

RetryingStore::RetryingStore(std::unique_ptr<ObjectStore> inner, const RetryPolicy& policy, Clock& clock,
                             Random& random, Log& log)
    : ForwardingStore(std::move(inner)), backoff_(std::make_unique<Backoff>(policy, clock, random, log)) {}

RetryingStore::~RetryingStore() = default;

std::vector<Result<ReadResult>> RetryingStore::ReadMany(std::span<const ReadRequest> requests,
                                                        const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers = inner().ReadMany(requests, deadline);
  ReadAgain(requests, answers, deadline);
  return answers;
}

ReadAndListResult RetryingStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                                 const Deadline& deadline) {
  ReadAndListResult both = inner().ReadManyAndList(requests, list, deadline);
  ReadAgain(requests, both.reads, deadline);
  bool first_attempt = true;
  both.list = backoff_->Retry("list", deadline, [&] {
    return std::exchange(first_attempt, false) ? std::move(both.list) : inner().List(list, deadline);
  });
  return both;
}

void RetryingStore::ReadAgain(std::span<const ReadRequest> requests, std::vector<Result<ReadResult>>& answers,
                              const Deadline& deadline) {
  for (std::uint32_t attempt = 1; attempt < backoff_->max_attempts(); attempt++) {
    std::vector<std::size_t> failed;
    for (std::size_t i = 0; i < answers.size(); i++) {
      if (!answers[i] && MayPass(answers[i].error(), deadline)) failed.push_back(i);
    }
    failed.resize(backoff_->budget().Take(failed.size()));
    if (failed.empty() || !backoff_->Wait(answers[failed[0]].error(), attempt, "read", deadline)) break;

    std::vector<ReadRequest> again;
    again.reserve(failed.size());
    for (const std::size_t i : failed) again.push_back(requests[i]);
    std::vector<Result<ReadResult>> new_answers = inner().ReadMany(again, deadline);
    for (std::size_t i = 0; i < failed.size(); i++) answers[failed[i]] = std::move(new_answers[i]);
  }
  backoff_->budget().Succeeded(
      static_cast<std::size_t>(std::ranges::count_if(answers, [](const auto& answer) { return answer.has_value(); })));
}

Status RetryingStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  if (condition == PutCondition::kIfAbsent) return PutIfAbsent(key, bytes, deadline);
  return backoff_->Retry("put", deadline, [&] { return inner().Put(key, bytes, condition, deadline); });
}

Status RetryingStore::PutIfAbsent(std::string_view key, ByteSpan bytes, const Deadline& deadline) {
  bool may_be_done = false;  // by an earlier attempt whose answer we did not get
  Status outcome = backoff_->Retry("put", deadline, [&] {
    Status status = inner().Put(key, bytes, PutCondition::kIfAbsent, deadline);
    if (!status && status.error().kind != ErrorKind::kAlreadyExists) may_be_done = true;
    return status;
  });
  if (outcome || outcome.error().kind != ErrorKind::kAlreadyExists || !may_be_done) return outcome;

  const Result<ReadResult> found = Read(*this, ReadRequest::Whole(std::string(key)), deadline);
  if (!found) {
    return Unavailable("Whether " + std::string(key) + " was written to " + Describe() +
                       " is not known: " + found.error().message);
  }
  if (found->bytes.chars() == AsChars(bytes)) return {};
  return outcome;
}

Result<std::unique_ptr<Upload>> RetryingStore::StartUpload(std::string_view key, const Deadline& deadline) {
  return backoff_->Retry("start an upload", deadline, [&] { return inner().StartUpload(key, deadline); });
}

Result<ListPage> RetryingStore::List(const ListRequest& request, const Deadline& deadline) {
  return backoff_->Retry("list", deadline, [&] { return inner().List(request, deadline); });
}

Status RetryingStore::Delete(std::string_view key, const Deadline& deadline) {
  return backoff_->Retry("delete", deadline, [&] { return inner().Delete(key, deadline); });
}

}  // namespace firn::store
