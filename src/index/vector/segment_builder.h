#pragma once
// Makes a vector segment from rows that stream by, in bounded memory: train on a sample, add rows in any order from
// any number of threads, finish. The object does not depend on the order, or on the number of threads.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/task_pool.h"
#include "index/vector/clustering.h"
#include "index/vector/quantiser.h"
#include "index/vector/rotation.h"
#include "index/vector/segment_format.h"
#include "store/object_store.h"

namespace firn::index {

struct SegmentOptions {
  /// Rows a list should have on average; 0 = about the square root of the rows, between 64 and 65,536: so the bytes of
  /// lists and of centroids grow alike.
  std::size_t rows_per_list = 0;
  std::size_t clustering_rounds = 8;
  std::uint64_t seed = 1;
  /// Codes held in memory; beyond it they go to an unnamed file in `scratch_folder`.
  std::uint64_t memory_bytes = 512ULL << 20;
  std::string scratch_folder = "/tmp";
};

/// How many rows a sample for `rows` rows should have.
std::size_t SampleRows(std::uint64_t rows, std::size_t dim, const SegmentOptions& options, std::uint64_t memory_bytes);

struct BuiltSegment {
  std::string key;
  SegmentFooter footer;
  std::uint64_t object_bytes = 0;
  std::uint64_t rows = 0;
  std::size_t lists = 0;
};

class SegmentBuilder {
 public:
  /// Squares of what is longer do not fit a float.
  static constexpr float kMaxLength = 1e18F;

  /// Trains: `sample` holds vectors of the column as floats, `rows` how many will come. Unsupported: hamming; vectors
  /// longer than kMaxLength.
  static Result<std::unique_ptr<SegmentBuilder>> Train(Matrix sample, std::uint64_t rows, simd::Metric metric,
                                                       simd::Element element, std::vector<SegmentFragment> fragments,
                                                       const SegmentOptions& options, TaskPool& pool,
                                                       const Deadline& deadline);
  ~SegmentBuilder();

  /// Thread-safe. numbers[i]: the row number of row i of `vectors` (counted over the segment's fragments); each comes
  /// at most once.
  Status Add(Matrix vectors, std::span<const std::uint32_t> numbers);

  /// Writes the object. Nothing is visible before it is whole.
  Result<BuiltSegment> Finish(store::ObjectStore& store, std::string_view key, const Deadline& deadline);

 private:
  class Records;
  SegmentBuilder(SegmentHeader header, TaskPool& pool);
  Status ChooseCentroids(Matrix rotated, std::size_t lists, const SegmentOptions& options, const Deadline& deadline);
  void IntoFrame(std::span<const float> vector, std::span<float> scratch, std::span<float> out) const;
  /// Of one list's records, in the order of their rows.
  std::string PackCodes(std::uint32_t list, std::span<const std::uint8_t> records,
                        std::span<const std::uint32_t> order);
  std::string PackSupplement(std::span<const std::uint8_t> records, std::span<const std::uint32_t> order) const;

  SegmentHeader header_;
  Rotation rotation_;
  TaskPool& pool_;
  std::vector<float> centroids_;  // as the bytes give them
  std::unique_ptr<Assigner> assigner_;
  std::unique_ptr<Records> records_;
  std::mutex mutex_;
  std::vector<double> radius2_;  // sums of |o|^2 by list
};

}  // namespace firn::index
