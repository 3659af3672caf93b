#pragma once
// Small data sets and segments over them, to test with.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "base/random.h"
#include "index/vector/segment.h"
#include "index/vector/segment_builder.h"
#include "store/memory/memory_store.h"

namespace firn::index {

template <class T>
T Must(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().ToString();
  return std::move(result.value());
}

/// Standard normal, from additions alone: the same on every machine.
inline float Normal(Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; i++) sum += random.Unit();
  return static_cast<float>(sum);
}

struct Vectors {
  std::size_t dims = 0;
  std::vector<float> values;

  std::size_t rows() const { return values.size() / dims; }
  Matrix matrix() const { return {values.data(), rows(), dims}; }
  std::span<const float> Row(std::size_t i) const { return matrix().Row(i); }
  std::span<float> Row(std::size_t i) { return std::span(values).subspan(i * dims, dims); }
};

/// Normal blobs of deviation `spread` around random centres, which lie about 1.4 sqrt(dims) from each other.
inline Vectors Clustered(std::size_t rows, std::size_t dims, std::size_t clusters, std::uint64_t seed,
                         float spread = 0.4F) {
  Random random(seed);
  Vectors centres{dims, {}};
  for (std::size_t i = 0; i < clusters * dims; i++) centres.values.push_back(Normal(random));
  Vectors out{dims, {}};
  for (std::size_t i = 0; i < rows; i++) {
    for (const float value : std::as_const(centres).Row(random.Below(clusters)))
      out.values.push_back(value + spread * Normal(random));
  }
  return out;
}

inline float DistanceOf(simd::Metric metric, std::span<const float> query, std::span<const float> row) {
  float distance = 0;
  simd::Distances(metric, simd::Element::kF32, query, row.data(), 1, {&distance, 1});
  return distance;
}

/// Row numbers of all rows, nearest first.
inline std::vector<std::uint32_t> ByDistance(const Vectors& rows, simd::Metric metric, std::span<const float> query) {
  std::vector<std::pair<float, std::uint32_t>> all;
  for (std::size_t i = 0; i < rows.rows(); i++)
    all.emplace_back(DistanceOf(metric, query, rows.Row(i)), static_cast<std::uint32_t>(i));
  std::ranges::sort(all);
  std::vector<std::uint32_t> order;
  for (const auto& [distance, row] : all) order.push_back(row);
  return order;
}

struct BuildHow {
  simd::Metric metric = simd::Metric::kL2;
  SegmentOptions options{.rows_per_list = 60};
  std::size_t threads = 2;
  std::vector<std::uint32_t> order{};  // in which rows are added; empty: their own
  std::size_t rows_at_once = 97;
  std::vector<std::uint32_t> numbers{};      // of the rows; empty: 0, 1, 2, ...
  std::uint64_t physical_rows = 0;           // 0: as many as there are vectors
  std::vector<SegmentFragment> fragments{};  // empty: one
};

inline Result<BuiltSegment> BuildInto(store::ObjectStore& store, std::string_view key, const Vectors& rows,
                                      BuildHow how) {
  TaskPool pool(how.threads);
  if (how.fragments.empty()) how.fragments = {{7, how.physical_rows != 0 ? how.physical_rows : rows.rows(), "a.lance"}};
  FIRN_TRY(const auto builder, SegmentBuilder::Train(rows.matrix(), rows.rows(), how.metric, simd::Element::kF32,
                                                     how.fragments, how.options, pool, Deadline::Never()));
  if (how.order.empty()) {
    how.order.resize(rows.rows());
    std::iota(how.order.begin(), how.order.end(), 0U);
  }
  FIRN_CHECK(pool.ParallelFor((rows.rows() + how.rows_at_once - 1) / how.rows_at_once, [&](std::size_t part) -> Status {
    Vectors some{rows.dims, {}};
    std::vector<std::uint32_t> numbers;
    for (std::size_t i = part * how.rows_at_once; i < std::min(rows.rows(), (part + 1) * how.rows_at_once); i++) {
      const std::uint32_t row = how.order[i];
      some.values.insert(some.values.end(), rows.Row(row).begin(), rows.Row(row).end());
      numbers.push_back(how.numbers.empty() ? row : how.numbers[row]);
    }
    return builder->Add(some.matrix(), numbers);
  }));
  return builder->Finish(store, key, Deadline::Never());
}

/// The bytes of the object.
inline std::string BuildBytes(const Vectors& rows, BuildHow how = {}) {
  const auto store = store::OpenMemory("test", SystemClock());
  const auto built = BuildInto(*store, "s.vec", rows, std::move(how));
  if (!built) {
    ADD_FAILURE() << built.error().ToString();
    return "";
  }
  const auto object = Must(store::Read(*store, store::ReadRequest::Whole("s.vec"), Deadline::Never()));
  EXPECT_EQ(object.bytes.size(), built->object_bytes);
  return std::string(object.bytes.chars());
}

/// An opened segment with all of its lists.
struct Opened {
  std::shared_ptr<const VectorSegment> segment;
  LoadedLists lists;

  Result<std::vector<Candidate>> Scan(std::span<const float> query, const ScanOptions& options,
                                      ScanCounts* counts = nullptr) const {
    SegmentQuery scratch;
    ScanCounts ignored;
    segment->Prepare(query, scratch);
    FIRN_TRY(const auto found, segment->Scan(scratch, lists, options, counts != nullptr ? *counts : ignored));
    return std::vector<Candidate>(found.begin(), found.end());
  }
};

/// From the bytes of an object alone.
inline Result<Opened> OpenBytes(std::string bytes) {
  const Buffer object = Buffer::Of(std::move(bytes));
  FIRN_TRY(const SegmentFooter footer, DecodeSegmentFooter(object.bytes(), object.size(), "s.vec"));
  FIRN_TRY(auto segment, VectorSegment::Parse("s.vec", object.Slice(footer.hot_offset, footer.hot_bytes), footer));
  FIRN_TRY(LoadedLists lists, segment->Map(object));
  return Opened{std::move(segment), std::move(lists)};
}

inline std::vector<std::uint32_t> RowsOf(std::span<const Candidate> candidates) {
  std::vector<std::uint32_t> rows;
  for (const Candidate& candidate : candidates) rows.push_back(candidate.row);
  return rows;
}

}  // namespace firn::index
