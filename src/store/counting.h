#pragma once
// What a store was asked to do, counted: the measure of every promise about rounds, requests and bytes.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>

#include "store/forwarding.h"

namespace firn::store {

/// A value to read, to subtract and to compare.
struct StoreCounts {
  struct Operation {
    std::uint64_t rounds =
        0;  // calls that the caller waited for: one ReadMany is one; a ReadManyAndList is one of `lists`
    std::uint64_t requests = 0;  // one per ReadRequest, Put, List, Delete; two per upload (start and finish)
    std::uint64_t failures = 0;  // requests answered with an error
    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;

    bool operator==(const Operation&) const = default;
  };
  Operation reads;
  Operation puts;
  Operation uploads;
  Operation lists;
  Operation deletes;

  Operation Total() const;
  std::uint64_t rounds() const { return Total().rounds; }
  std::uint64_t requests() const { return Total().requests; }
  std::uint64_t failures() const { return Total().failures; }
  std::uint64_t bytes_read() const { return Total().bytes_read; }
  std::uint64_t bytes_written() const { return Total().bytes_written; }

  /// What happened between `earlier` and this.
  StoreCounts operator-(const StoreCounts& earlier) const;
  bool operator==(const StoreCounts&) const = default;
};

/// US dollars of the requests at S3's list price (S3 Standard, us-east-1: $0.40 for a million reads, $5 for a million
/// of all others but deletes, which are free). Bytes cost nothing inside the region.
double PriceAtS3(const StoreCounts& counts);

/// Sums up over any number of stores and threads. Thread-safe.
class StoreCounter {
 public:
  enum Kind : std::uint8_t { kReads, kPuts, kUploads, kLists, kDeletes };

  void Add(Kind kind, const StoreCounts::Operation& counted);
  StoreCounts Counts() const;

 private:
  struct Sums {
    std::atomic<std::uint64_t> rounds{0}, requests{0}, failures{0}, bytes_read{0}, bytes_written{0};
  };
  std::array<Sums, 5> sums_;
};

class CountingStore final : public ForwardingStore {
 public:
  /// `counter` must outlive the store and the uploads it started.
  CountingStore(std::unique_ptr<ObjectStore> inner, StoreCounter& counter)
      : ForwardingStore(std::move(inner)), counter_(counter) {}

  std::vector<Result<ReadResult>> ReadMany(std::span<const ReadRequest> requests, const Deadline& deadline) override;
  Status Put(std::string_view key, ByteSpan bytes, PutCondition condition, const Deadline& deadline) override;
  Result<std::unique_ptr<Upload>> StartUpload(std::string_view key, const Deadline& deadline) override;
  Result<ListPage> List(const ListRequest& request, const Deadline& deadline) override;
  ReadAndListResult ReadManyAndList(std::span<const ReadRequest> requests, const ListRequest& list,
                                    const Deadline& deadline) override;
  Status Delete(std::string_view key, const Deadline& deadline) override;

 private:
  StoreCounter& counter_;
};

}  // namespace firn::store
