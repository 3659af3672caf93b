#include "store/faulty.h"

#include <algorithm>
#include <string>
#include <vector>

namespace firn::store {
namespace {

Error Injected(const FaultDecision& decision, std::string_view key) {
  const std::string_view how = decision.fault == Fault::kLoseAnswer ? "the answer was lost" : "the request failed";
  return {decision.kind, "Injected fault at " + std::string(key) + ": " + std::string(how), ""};
}

ReadResult Damaged(ReadResult read, Fault fault) {
  std::vector<std::uint8_t> bytes(read.bytes.bytes().begin(), read.bytes.bytes().end());
  if (fault == Fault::kTruncate) {
    bytes.resize(bytes.size() / 2);
  } else if (!bytes.empty()) {
    bytes[bytes.size() / 2] ^= 0x10;
  }
  read.bytes = Buffer::Of(std::move(bytes));
  return read;
}

/// What becomes of one answer of a round.
void Spoil(const FaultDecision& decision, std::string_view key, const Deadline& deadline, Result<ReadResult>& answer) {
  if (deadline.Expired()) return;
  if (decision.fault == Fault::kFailBefore || decision.fault == Fault::kLoseAnswer) {
    answer = Injected(decision, key);
  } else if (answer && (decision.fault == Fault::kCorrupt || decision.fault == Fault::kTruncate)) {
    answer = Damaged(*std::move(answer), decision.fault);
  }
}

/// Makes the call, or not, as decided.
template <class Call>
auto Perform(const FaultDecision& decision, std::string_view key, const Deadline& deadline, const Call& call)
    -> decltype(call()) {
  FIRN_CHECK(deadline.Check("A request to a faulty store"));
  if (decision.fault == Fault::kFailBefore) return Injected(decision, key);
  auto outcome = call();
  if (decision.fault == Fault::kLoseAnswer) return Injected(decision, key);
  return outcome;
}

}  // namespace

FaultPlan RandomFaults(std::uint64_t seed, const FaultRates& rates) {
  return [random = std::make_shared<Random>(seed), rates](const OperationInfo& info) {
    double at = random->Unit();
    const auto falls_in = [&at](double rate) {
      at -= rate;
      return at < 0;
    };
    FaultDecision decision;
    if (falls_in(rates.fail_before)) {
      decision.fault = Fault::kFailBefore;
    } else if (falls_in(rates.lose_answer)) {
      decision.fault = Fault::kLoseAnswer;
    } else if (info.operation == StoreOperation::kRead && falls_in(rates.corrupt)) {
      decision.fault = Fault::kCorrupt;
    } else if (info.operation == StoreOperation::kRead && falls_in(rates.truncate)) {
      decision.fault = Fault::kTruncate;
    }
    return decision;
  };
}

/// What the store shares with its uploads.
class FaultyStore::Decider {
 public:
  Decider(FaultPlan plan, Clock& clock) : plan_(std::move(plan)), clock_(clock) {}

  FaultDecision Decide(StoreOperation operation, std::string_view key) {
    FaultDecision decision = Ask(operation, key);
    Sleep(decision.delay);
    return decision;
  }
  /// Of requests that are under way together, the listing's last: they wait as long as the slowest of them.
  std::vector<FaultDecision> DecideRound(std::span<const ReadRequest> reads, const ListRequest* list = nullptr) {
    std::vector<FaultDecision> decisions;
    decisions.reserve(reads.size() + 1);
    for (const ReadRequest& read : reads) decisions.push_back(Ask(StoreOperation::kRead, read.key));
    if (list != nullptr) decisions.push_back(Ask(StoreOperation::kList, list->prefix));
    Duration slowest{};
    for (const FaultDecision& decision : decisions) slowest = std::max(slowest, decision.delay);
    Sleep(slowest);
    return decisions;
  }

 private:
  FaultDecision Ask(StoreOperation operation, std::string_view key) {
    const std::lock_guard lock(mutex_);
    return plan_({operation, key, next_++});
  }
  void Sleep(Duration duration) {
    if (duration > Duration::zero()) clock_.SleepFor(duration);
  }

  const FaultPlan plan_;
  Clock& clock_;
  std::mutex mutex_;
  std::uint64_t next_ = 0;
};

class FaultyStore::FaultyUpload final : public Upload {
 public:
  FaultyUpload(std::unique_ptr<Upload> inner, std::string key, std::shared_ptr<Decider> decider)
      : inner_(std::move(inner)), key_(std::move(key)), decider_(std::move(decider)) {}

  Status Append(ByteSpan bytes, const Deadline& deadline) override {
    if (!outcome_) return outcome_;
    const FaultDecision decision = decider_->Decide(StoreOperation::kAppend, key_);
    return outcome_ = Perform(decision, key_, deadline, [&] { return inner_->Append(bytes, deadline); });
  }
  Status Finish(const Deadline& deadline) override {
    if (!outcome_) return outcome_;
    const FaultDecision decision = decider_->Decide(StoreOperation::kFinish, key_);
    return outcome_ = Perform(decision, key_, deadline, [&] { return inner_->Finish(deadline); });
  }

 private:
  const std::unique_ptr<Upload> inner_;
  const std::string key_;
  const std::shared_ptr<Decider> decider_;
  Status outcome_;  // a failed upload stays failed
};

FaultyStore::FaultyStore(std::unique_ptr<ObjectStore> inner, FaultPlan plan, Clock& clock)
    : ForwardingStore(std::move(inner)), decider_(std::make_shared<Decider>(std::move(plan), clock)) {}

FaultyStore::~FaultyStore() = default;

std::vector<Result<ReadResult>> FaultyStore::ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) {
  const std::vector<FaultDecision> decisions = decider_->DecideRound(requests);
  std::vector<Result<ReadResult>> answers = inner().ReadMany(requests, deadline);
  for (std::size_t i = 0; i < answers.size(); i++) Spoil(decisions[i], requests[i].key, deadline, answers[i]);
  return answers;
}

ReadAndListResult FaultyStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                               const Deadline& deadline) {
  const std::vector<FaultDecision> decisions = decider_->DecideRound(requests, &list);
  ReadAndListResult both = inner().ReadManyAndList(requests, list, deadline);
  for (std::size_t i = 0; i < both.reads.size(); i++) Spoil(decisions[i], requests[i].key, deadline, both.reads[i]);
  both.list = Perform(decisions.back(), list.prefix, deadline, [&] { return std::move(both.list); });
  return both;
}

Status FaultyStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  const FaultDecision decision = decider_->Decide(StoreOperation::kPut, key);
  if (decision.fault == Fault::kIgnoreCondition) condition = PutCondition::kNone;
  return Perform(decision, key, deadline, [&] { return inner().Put(key, bytes, condition, deadline); });
}

Result<std::unique_ptr<Upload>> FaultyStore::StartUpload(std::string_view key, const Deadline& deadline) {
  return Perform(
      decider_->Decide(StoreOperation::kStartUpload, key), key, deadline, [&]() -> Result<std::unique_ptr<Upload>> {
        FIRN_TRY(std::unique_ptr<Upload> upload, inner().StartUpload(key, deadline));
        return std::unique_ptr<Upload>(std::make_unique<FaultyUpload>(std::move(upload), std::string(key), decider_));
      });
}

Result<ListPage> FaultyStore::List(const ListRequest& request, const Deadline& deadline) {
  return Perform(decider_->Decide(StoreOperation::kList, request.prefix), request.prefix, deadline,
                 [&] { return inner().List(request, deadline); });
}

Status FaultyStore::Delete(std::string_view key, const Deadline& deadline) {
  return Perform(decider_->Decide(StoreOperation::kDelete, key), key, deadline,
                 [&] { return inner().Delete(key, deadline); });
}

}  // namespace firn::store
