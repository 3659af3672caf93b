#pragma once
// Balanced k-means: the lists of a segment.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "index/vector/assigner.h"

namespace firn::index {

struct ClusteringOptions {
  std::size_t clusters = 1;  // wanted; fewer come back when rows are few or equal
  std::size_t rounds = 8;    // of Lloyd's
  std::uint64_t seed = 1;
};

/// Centroids of `sample`, row after row. After each round a cluster of more than twice the mean size gives half its
/// rows to a centroid of a cluster that has less than a quarter of it: the longest list sets the bytes of a cold query.
///
/// More than Assigner::kMostCompared clusters are found in two levels: groups of rows first, then each group's share of
/// the clusters, then some rounds over all. Time grows with rows * clusters below that number, with rows *
/// sqrt(clusters) beyond; memory beside the sample and the centroids is at most that of the sample once more.
///
/// The same for any number of threads. Works on `pool`; DeadlineExceeded when cancelled.
Result<std::vector<float>> Cluster(Matrix sample, const ClusteringOptions& options, TaskPool& pool,
                                   const Deadline& deadline);

}  // namespace firn::index
