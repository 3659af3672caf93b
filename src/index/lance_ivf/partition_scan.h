#pragma once
// Private to lance_ivf/: distances from a query to the codes of a partition, as LanceDB computes them.

#include <cstddef>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "index/lance_ivf/ivf_model.h"

namespace firn::index {

/// A query made ready for an index. Thread-safe.
class QueryScan {
 public:
  QueryScan(const IndexHeader& header, const IvfModel& model, std::span<const float> query);

  /// The `nprobes` partitions with the nearest centroids, nearest first.
  std::vector<std::size_t> NearestPartitions(std::size_t nprobes) const;

  /// Distances to the `distances.size()` rows of `partition`, whose codes these are, row after row as they are stored;
  /// the caller has checked that there are enough.
  void Distances(std::size_t partition, const void* codes, std::span<float> distances) const;

 private:
  void ScalarDistances(const std::uint8_t* codes, std::span<float> distances) const;
  void ProductDistances(std::size_t partition, const std::uint8_t* codes, std::span<float> distances) const;
  std::vector<float> ProductTable(std::size_t partition) const;

  const IndexHeader& header_;
  const IvfModel& model_;
  std::vector<float> query_;         // of length 1 for cosine
  std::vector<float> scalar_query_;  // quantised like the rows
};

}  // namespace firn::index
