#pragma once
// Balanced k-means: the lists of a segment.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"

namespace firn::index {

/// Row after row of `dims` floats.
struct Matrix {
  const float* values = nullptr;
  std::size_t rows = 0;
  std::size_t dims = 0;

  std::span<const float> Row(std::size_t i) const { return {values + i * dims, dims}; }
};

/// Which centroid is nearest (squared Euclidean distance), for many rows at once.
class Assigner {
 public:
  explicit Assigner(Matrix centroids);
  /// nearest[i]: of row i; ties go to the lower centroid. distance2 may be null.
  void Assign(Matrix rows, std::uint32_t* nearest, float* distance2) const;

 private:
  Matrix centroids_;
  std::vector<float> half_norms2_;  // |c|^2 / 2
};

struct ClusteringOptions {
  std::size_t clusters = 1;  // wanted; fewer come back when rows are few or equal
  std::size_t rounds = 8;    // of Lloyd's
  std::uint64_t seed = 1;
};

/// Centroids of `sample`, row after row. After each round a cluster of more than twice the mean size gives half its
/// rows to a centroid of a cluster that has less than a quarter of it: the longest list sets the bytes of a cold query.
/// Works on `pool`; DeadlineExceeded when cancelled.
Result<std::vector<float>> Cluster(Matrix sample, const ClusteringOptions& options, TaskPool& pool,
                                   const Deadline& deadline);

}  // namespace firn::index
