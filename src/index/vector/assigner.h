#pragma once
// From rows to their nearest centroids.

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

/// Which centroid is nearest (squared Euclidean distance), for many rows at once. What a row gets does not depend on
/// the rows beside it. Thread-safe.
class Assigner {
 public:
  /// Of more centroids than that, Make compares a row with some only.
  static constexpr std::size_t kMostCompared = 1024;

  /// Compares each row with every centroid. `centroids` is a view and must outlive the assigner.
  explicit Assigner(Matrix centroids);

  /// The same for up to kMostCompared centroids. More are copied into groups, and a row is compared with those of some
  /// groups whose centres are nearest: in time about sqrt(centroids) a row. 1 row in 100, of embeddings, then gets not
  /// the nearest centroid but one a little farther. Works on `pool`; DeadlineExceeded when cancelled.
  static Result<Assigner> Make(Matrix centroids, TaskPool& pool, const Deadline& deadline);

  /// nearest[i]: of row i; ties go to the lower centroid. distance2 may be null.
  void Assign(Matrix rows, std::uint32_t* nearest, float* distance2) const;

 private:
  struct Choice;  // the groups that a row is compared with

  Assigner(Matrix centroids, std::vector<float> centres, std::span<const std::uint32_t> group_of);
  std::size_t groups() const { return centre_half_norms2_.size(); }
  // `scores` are <x, c> - |c|^2 / 2: largest where |x - c| is smallest.
  void CompareWithAll(Matrix rows, std::uint32_t* nearest, float* scores) const;
  void CompareWithSome(Matrix rows, std::uint32_t* nearest, float* scores) const;
  void CompareWith(std::span<const Choice> choices, Matrix rows, std::uint32_t* nearest, float* scores) const;

  Matrix centroids_;
  std::vector<float> half_norms2_;  // |c|^2 / 2, in the order of grouped_ where there are groups

  std::vector<float> centres_, centre_half_norms2_;
  std::vector<float> grouped_;              // centroids, group after group
  std::vector<std::uint32_t> numbers_;      // of those, as they were given
  std::vector<std::uint32_t> group_begin_;  // in grouped_; one more than groups
};

}  // namespace firn::index
