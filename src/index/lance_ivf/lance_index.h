#pragma once
// Vector indexes that LanceDB built, to search where no index of Firn's covers a fragment. An index is a folder,
// _indices/{uuid}/, with two Lance files:
//
//   index.idx      no rows. Schema metadata "lance:index" = {"type":"IVF_PQ","distance_type":"l2"}.
//                  Global buffer 1: an Ivf message with the centroids (float32, partitions x dimension).
//   auxiliary.idx  a row for each indexed vector, partition after partition: "_rowid" (uint64, a row address), and
//                    IVF_FLAT "flat"       the vector (for cosine, of length 1)
//                    IVF_SQ   "__sq_code"  a byte for each value: floor((value - start) * 255 / (end - start))
//                    IVF_PQ   "__pq_code"  a byte for each sub-vector. Inside a partition of n rows the bytes are
//                                          transposed: that of sub-vector s of row r stands at s * n + r
//                  Global buffer 1: an Ivf message with each partition's first row and number of rows.
//                  Schema metadata "storage_metadata" = ["{...}"]: SQ's bounds; PQ's sub-vectors, and which global
//                  buffer is the codebook (float32, sub-vector x 256 x dimension of a sub-vector).
//
// For l2 and cosine, PQ codes stand for the difference of vector and centroid; for dot, for the vector itself.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"
#include "lance/manifest.h"
#include "simd/distance.h"
#include "store/object_store.h"

namespace firn::index {

/// One segment of a vector index. Segments with the same name cover different fragments.
struct LanceIndexInfo {
  std::string name;
  std::string uuid;
  std::vector<std::int32_t> field_ids;
  std::uint64_t dataset_version = 0;
  std::string kind;                   // "IVF_PQ"; "" when the manifest does not say (older writers), Open finds out
  std::set<std::uint64_t> fragments;  // empty when not recorded: it cannot be used then
  std::int32_t index_version = 0;
  std::optional<std::uint32_t> base_id;             // its files lie in another base path
  std::map<std::string, std::uint64_t> file_sizes;  // "index.idx"; empty when not recorded
};

/// The vector indexes that the manifest lists, in its order. DataCorruption when its index section cannot be decoded.
Result<std::vector<LanceIndexInfo>> ListLanceIndexes(const lance::Manifest& manifest);

/// Immutable and thread-safe. The store must outlive it. Holds the centroids and the codebook; codes are read by each
/// search.
class LanceIndex {
 public:
  /// Two rounds at most (one for small indexes; more when a file's metadata is larger than 64 KiB).
  /// Unsupported, with a sentence, when this Firn cannot use the index: other kinds (IVF_HNSW_*, IVF_RQ, 4-bit PQ),
  /// vectors other than float32, metrics other than l2, cosine and dot, files of Lance 2.0, stable row ids. NotFound
  /// when its files are gone. DataCorruption naming the object. None of them makes the table unreadable: a search
  /// without the index is right.
  static Result<std::shared_ptr<const LanceIndex>> Open(store::ObjectStore& store, std::string_view root,
                                                        const LanceIndexInfo& info, const lance::Manifest& manifest,
                                                        const Deadline& deadline);
  /// The same index (`info.uuid` must be this one's) as another version of the table lists it. Reads nothing; errors as
  /// Open.
  Result<std::shared_ptr<const LanceIndex>> At(const LanceIndexInfo& info, const lance::Manifest& manifest) const;

  simd::Metric metric() const;
  std::string_view kind() const;  // "IVF_FLAT"
  std::size_t dimension() const;
  std::size_t partitions() const;
  /// The fragments for which it answers: its own that the manifest still has. Every other fragment must be scanned.
  const std::set<std::uint64_t>& covered() const { return covered_; }
  /// True when distances come from codes, not from the vectors.
  bool approximate() const;
  /// What a distance of Search times this stands for, in the convention of simd::Distances: 0.5 for cosine from codes
  /// (LanceDB answers with the squared distance of normalised vectors, which is twice 1 - cos), else 1.
  float scale_to_metric() const;

  /// The at most `k` nearest rows by the index's own distance (LanceDB's without refine), nearest first, ties by row
  /// address, of the covered fragments and for whose address `accept` holds (null: all). Deleted rows are among them
  /// unless `accept` says no. Looks into the `nprobes` partitions with the nearest centroids (at least one), which are
  /// read in one round. `accept` may be called from several threads when a `pool` is given. InvalidArgument when the
  /// query has another dimension; DataCorruption.
  Result<std::vector<simd::Hit>> Search(std::span<const float> query, std::size_t nprobes, std::size_t k,
                                        const std::function<bool(lance::RowAddress)>* accept, const Deadline& deadline,
                                        TaskPool* pool = nullptr) const;

 private:
  struct Files;
  struct Coverage;
  LanceIndex(std::shared_ptr<const Files> files, std::shared_ptr<const Coverage> coverage,
             std::set<std::uint64_t> covered)
      : files_(std::move(files)), coverage_(std::move(coverage)), covered_(std::move(covered)) {}

  std::shared_ptr<const Files> files_;
  std::shared_ptr<const Coverage> coverage_;
  std::set<std::uint64_t> covered_;
};

}  // namespace firn::index
