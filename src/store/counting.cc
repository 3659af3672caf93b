#include "store/counting.h"

namespace firn::store {

double PriceAtS3(const StoreCounts& counts) {
  constexpr double kRead = 0.4e-6, kOther = 5e-6;
  return kRead * static_cast<double>(counts.reads.requests) +
         kOther * static_cast<double>(counts.lists.requests + counts.puts.requests + counts.uploads.requests);
}
namespace {

using Operation = StoreCounts::Operation;

/// One call of one request.
template <class Answer>
Operation OneRequest(const Answer& answer) {
  return {.rounds = 1, .requests = 1, .failures = answer ? 0U : 1U};
}

/// The requests of a round, without the round.
Operation RequestsOf(const std::vector<Result<ReadResult>>& answers) {
  Operation counted{.requests = answers.size()};
  for (const Result<ReadResult>& answer : answers) {
    if (answer) {
      counted.bytes_read += answer->bytes.size();
    } else {
      counted.failures++;
    }
  }
  return counted;
}

Operation Sum(const Operation& a, const Operation& b) {
  return {a.rounds + b.rounds, a.requests + b.requests, a.failures + b.failures, a.bytes_read + b.bytes_read,
          a.bytes_written + b.bytes_written};
}

Operation Difference(const Operation& a, const Operation& b) {
  return {a.rounds - b.rounds, a.requests - b.requests, a.failures - b.failures, a.bytes_read - b.bytes_read,
          a.bytes_written - b.bytes_written};
}

class CountingUpload final : public Upload {
 public:
  CountingUpload(std::unique_ptr<Upload> inner, StoreCounter& counter) : inner_(std::move(inner)), counter_(counter) {}

  Status Append(ByteSpan bytes, const Deadline& deadline) override {
    Status status = inner_->Append(bytes, deadline);
    counter_.Add(StoreCounter::kUploads,
                 {.failures = status ? 0U : 1U, .bytes_written = status ? bytes.size() : std::size_t{0}});
    return status;
  }
  Status Finish(const Deadline& deadline) override {
    Status status = inner_->Finish(deadline);
    counter_.Add(StoreCounter::kUploads, OneRequest(status));
    return status;
  }

 private:
  const std::unique_ptr<Upload> inner_;
  StoreCounter& counter_;
};

}  // namespace

StoreCounts::Operation StoreCounts::Total() const { return Sum(Sum(Sum(reads, puts), Sum(uploads, lists)), deletes); }

StoreCounts StoreCounts::operator-(const StoreCounts& earlier) const {
  return {Difference(reads, earlier.reads), Difference(puts, earlier.puts), Difference(uploads, earlier.uploads),
          Difference(lists, earlier.lists), Difference(deletes, earlier.deletes)};
}

void StoreCounter::Add(Kind kind, const Operation& counted) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  Sums& sums = sums_[kind];
  sums.rounds.fetch_add(counted.rounds, kRelaxed);
  sums.requests.fetch_add(counted.requests, kRelaxed);
  sums.failures.fetch_add(counted.failures, kRelaxed);
  sums.bytes_read.fetch_add(counted.bytes_read, kRelaxed);
  sums.bytes_written.fetch_add(counted.bytes_written, kRelaxed);
}

StoreCounts StoreCounter::Counts() const {
  const auto read = [&](Kind kind) {
    const Sums& sums = sums_[kind];
    return Operation{sums.rounds.load(), sums.requests.load(), sums.failures.load(), sums.bytes_read.load(),
                     sums.bytes_written.load()};
  };
  return {read(kReads), read(kPuts), read(kUploads), read(kLists), read(kDeletes)};
}

std::vector<Result<ReadResult>> CountingStore::ReadMany(std::span<const ReadRequest> requests,
                                                        const Deadline& deadline) {
  std::vector<Result<ReadResult>> answers = inner().ReadMany(requests, deadline);
  Operation counted = RequestsOf(answers);
  counted.rounds = requests.empty() ? 0 : 1;
  counter_.Add(StoreCounter::kReads, counted);
  return answers;
}

ReadAndListResult CountingStore::ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                                 const Deadline& deadline) {
  ReadAndListResult both = inner().ReadManyAndList(requests, list, deadline);
  counter_.Add(StoreCounter::kReads, RequestsOf(both.reads));
  counter_.Add(StoreCounter::kLists, OneRequest(both.list));
  return both;
}

Status CountingStore::Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) {
  Status status = inner().Put(key, bytes, condition, deadline);
  Operation counted = OneRequest(status);
  if (status) counted.bytes_written = bytes.size();
  counter_.Add(StoreCounter::kPuts, counted);
  return status;
}

Result<std::unique_ptr<Upload>> CountingStore::StartUpload(std::string_view key, const Deadline& deadline) {
  Result<std::unique_ptr<Upload>> upload = inner().StartUpload(key, deadline);
  counter_.Add(StoreCounter::kUploads, OneRequest(upload));
  if (!upload) return upload;
  return std::unique_ptr<Upload>(std::make_unique<CountingUpload>(*std::move(upload), counter_));
}

Result<ListPage> CountingStore::List(const ListRequest& request, const Deadline& deadline) {
  Result<ListPage> page = inner().List(request, deadline);
  counter_.Add(StoreCounter::kLists, OneRequest(page));
  return page;
}

Status CountingStore::Delete(std::string_view key, const Deadline& deadline) {
  Status status = inner().Delete(key, deadline);
  counter_.Add(StoreCounter::kDeletes, OneRequest(status));
  return status;
}

}  // namespace firn::store
