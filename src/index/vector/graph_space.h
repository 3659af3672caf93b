#pragma once
// The space that a graph lives in: rows less their mean, turned to their principal axes, the leading ones kept and
// turned at random among each other (so that RaBitQ's estimate is unbiased), in units in which the mean row has the
// energy 1. What the dropped axes hold counts as energy that is at right angles to everything.
//
// For dot, rows come lifted (lifting.h), so that neighbours are those of l2. Queries need not know of that: all that
// decides among rows is <q, x>, and the centred rows' part of it is taken from the kept axes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "simd/distance.h"
#include "simd/quantised.h"

namespace firn::index {

/// Rows [first, first + count) as floats, one after the other (cosine: of length one, or zero). Called from one thread
/// at a time.
using RowReader = std::function<Status(std::size_t first, std::size_t count, float* out)>;

/// With a row's signed bytes: its value on axis i is bytes[i] * step.
struct RowTerms {
  // The energy of the row: that of its bytes, and that of the dropped axes. For dot, once neighbours are chosen:
  // -2 <mean, row>.
  float norm2 = 0;
  float step = 0;
};

/// A query, ready to be compared. Buffers are kept from query to query.
struct SpaceQuery {
  std::vector<float> centred;
  std::vector<std::int8_t> centred_bytes;
  std::vector<std::int32_t> products;
  std::vector<float> values;       // one an axis
  std::vector<std::int8_t> bytes;  // values[i] = bytes[i] * step, nearly
  float step = 0;
  float norm2 = 0;
  // For ErrorOf: of the values, of what they leave out, and of what rounding adds to each.
  float kept_energy = 0, dropped_energy = 0, rounding_energy = 0;
  float unit = 1, offset = 0;       // from units of the space to the metric's distance
  std::vector<std::uint8_t> table;  // of `values`, for codes
  // The inner product of `values` with a code's signs (+1 where a bit is set, else -1) is sum * sign_step + sign_bias.
  float sign_step = 0;
  float sign_bias = 0;
};

/// How many axes are kept: multiples of 64. More than the least only where those say too little of what tells near rows
/// apart.
struct AxesRange {
  std::size_t least, most;
};

class Space {
 public:
  /// Learns the axes from a sample of the rows. For dot, `dim` and rows are those of lifted ones.
  static Result<Space> Learn(std::size_t rows, std::size_t dim, simd::Metric metric, AxesRange axes, std::uint64_t seed,
                             const RowReader& read, TaskPool& pool, const Deadline& deadline);

  std::size_t axes() const { return axes_; }
  std::size_t groups() const { return axes_ / 4; }
  std::size_t SizeBytes() const;

  /// `count` rows to bytes: row i at bytes + i * stride.
  void Encode(const float* rows, std::size_t count, std::int8_t* bytes, std::size_t stride, RowTerms* terms) const;

  void Prepare(std::span<const float> query, SpaceQuery& out) const;
  /// For dot: from terms for comparing rows with each other to those for queries.
  void FaceQueries(const std::int8_t* bytes, RowTerms& terms) const;
  /// A stored row as a query.
  void Prepare(const std::int8_t* bytes, const RowTerms& terms, SpaceQuery& out) const;

  /// From units of this space to the metric's distance.
  float Unscaled(float distance, const SpaceQuery& query) const {
    return lifted_ ? query.offset + distance * query.unit : std::max(0.0F, distance) * unit_;
  }
  /// By how much, in the metric's distance, a distance by bytes is rarely off: for what the dropped axes would have
  /// said, and for rounding. Infinite for dot, where a row's energy is not known any more.
  float ErrorOf(const std::int8_t* bytes, const RowTerms& terms, const SpaceQuery& query) const;

 private:
  void Finish(SpaceQuery& out) const;

  std::size_t dim_ = 0;
  std::size_t padded_dim_ = 0;  // a multiple of 64
  std::size_t axes_ = 0;
  bool cosine_ = false;
  bool lifted_ = false;
  float scale_ = 1;  // of lengths
  float unit_ = 1;
  float query_length_ = 1;  // dot: that queries are given
  std::vector<float> mean_;
  std::vector<float> turned_mean_;   // dot: on the axes
  std::vector<std::int8_t> matrix_;  // an axis after the other, padded_dim_ each
  float matrix_step_ = 0;
  std::vector<float> wide_matrix_;  // the same, as floats; only while building
 public:
  void ForgetBuildState() { wide_matrix_ = {}; }
};

}  // namespace firn::index
