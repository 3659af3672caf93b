#pragma once
// An opened vector segment, and the scan of its lists for one query. A search is four calls:
//
//   Prepare   the query in the segment's frame: lookup table, bytes, distance to every centroid
//   Probes    the lists nearest to the query, best first
//   Load      their bytes: one round, or none when the whole object is mapped
//   Scan      1-bit estimates, the supplement for those that the error bound cannot exclude; candidates come out
//
// Exact distances are the caller's: he has the table.

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "index/vector/candidate.h"
#include "index/vector/rotation.h"
#include "index/vector/segment_format.h"
#include "simd/quantised.h"
#include "store/object_store.h"

namespace firn::index {

/// Rows of a segment by number: bit r % 64 of word r / 64 set = row r may be found.
using RowMask = std::vector<std::uint64_t>;

/// The rows that a mask lets through, in the order in which lists hold them.
struct ListMatches {
  std::vector<std::uint32_t> counts;      // of each list
  std::vector<std::size_t> first_blocks;  // of each list, its first in `blocks`
  std::vector<std::uint32_t> blocks;      // of 32 rows: bit i is set when row i matches
  std::size_t used_blocks = 0;            // in which any is set
  std::size_t SizeBytes() const { return 4 * (counts.size() + blocks.size()) + 8 * first_blocks.size(); }
};

struct ScanOptions {
  std::size_t k = 10;
  std::size_t max_lists = SIZE_MAX;
  /// Adaptive end: a list is not scanned when its rows would have to lie further than `stop` standard deviations from
  /// their mean distance to be among the k nearest (see ListScore). Infinity: only max_lists ends the scan.
  float stop = 1e30F;
  /// Error bounds are multiplied by this; 1.9 loses almost nothing (RaBitQ's epsilon).
  float slack = 1.9F;
  std::size_t max_candidates = 1000;
  const RowMask* mask = nullptr;
  /// With a mask: the same by lists. Lists and blocks without any row are passed over, and a list of which a share s
  /// matches ends as if its score were higher by sparse_shift * log10(1 / s): its rows hold fewer of the k.
  const ListMatches* matches = nullptr;
  float sparse_shift = 0;
  /// Given: becomes the ListScore of each list just before its scan; lowest() where it was passed over (calibration).
  std::vector<float>* scores = nullptr;
};

struct ScanCounts {
  std::uint64_t lists = 0;      // scanned
  std::uint64_t estimated = 0;  // rows by one bit
  std::uint64_t refined = 0;    // rows by the supplement
  std::uint64_t missing = 0;    // lists that the scan came to, and that are not loaded
};

/// Memory of one search, used again by the next. One thread at a time.
class SegmentQuery {
  friend class VectorSegment;
  struct Probe {
    float key = 0;  // smaller is scanned earlier
    std::uint32_t list = 0;
    friend bool operator<(const Probe& a, const Probe& b) {
      return a.key < b.key || (a.key == b.key && a.list < b.list);
    }
  };
  std::vector<float> input_;    // normalised for cosine
  std::vector<float> rotated_;  // relative to the mean
  std::vector<std::uint8_t> table_;
  simd::TableScale table_scale_;
  std::vector<std::int8_t> bytes_;
  float byte_step_ = 0;
  float bits_error_ = 0;    // one deviation of the table's <bits, q> from the query's
  float levels_error_ = 0;  // and of the 5-bit <u, q>
  float sum_ = 0;           // of rotated_
  float norm2_ = 0;         // of the query in the table's own frame
  std::vector<std::int16_t> shorts_;
  std::vector<std::int32_t> products_;
  std::vector<float> distance2_;  // to each centroid, rounded
  std::vector<float> in_bytes_;   // rotated_, in units of the centroids' bytes
  /// Lists, the first `sorted` of them in order.
  struct Order {
    std::vector<Probe> probes;
    std::size_t sorted = 0;
    void Sort(std::size_t count);
  };
  Order all_;
  Order matching_;  // those with a row that matches the filter
  std::vector<std::uint32_t> sums_;
  std::vector<Candidate> found_;
  std::vector<float> best_;  // the k smallest refined estimates, largest on top
};

/// The bytes of lists that were loaded; empty where not. Codes and supplement of each list are compared with their
/// checksums before their first use.
struct LoadedLists {
  struct List {
    ByteSpan codes;
    ByteSpan supplement;
  };
  std::vector<List> lists;                               // one for each of the segment's
  std::vector<Buffer> buffers;                           // what they point into
  mutable std::unique_ptr<std::atomic<bool>[]> checked;  // of list i, codes at 2 i and the supplement after them
};

/// Immutable and thread-safe.
class VectorSegment {
 public:
  /// `hot`: the hot part's bytes, whose checksum has been compared.
  static Result<std::shared_ptr<const VectorSegment>> Parse(std::string key, Buffer hot, const SegmentFooter& footer);
  /// Reads the object's end: one round, two when the hot part is larger than 1 MiB.
  static Result<std::shared_ptr<const VectorSegment>> Open(store::ObjectStore& store, std::string_view key,
                                                           const Deadline& deadline);
  /// Reads a hot part whose place is known: one round.
  static Result<std::shared_ptr<const VectorSegment>> OpenAt(store::ObjectStore& store, std::string_view key,
                                                             const SegmentFooter& footer, const Deadline& deadline);

  const std::string& key() const { return key_; }
  const SegmentHeader& header() const { return header_; }
  const SegmentFooter& footer() const { return footer_; }
  std::uint64_t object_bytes() const { return footer_.hot_offset + footer_.hot_bytes + kSegmentFooterBytes; }
  std::size_t ResidentBytes() const;

  store::ReadRequest CodesRequest(std::size_t list) const;
  store::ReadRequest SupplementRequest(std::size_t list) const;

  /// All lists, from the whole object (a mapping, on a folder). DataCorruption: it has another size.
  Result<LoadedLists> Map(Buffer object) const;
  /// The requests for some lists, two for each or one without supplements, and what their answers hold. Rows of a list
  /// without its supplement become candidates by their 1-bit estimate.
  std::vector<store::ReadRequest> Requests(std::span<const std::uint32_t> lists, bool supplements) const;
  Result<LoadedLists> Accept(std::span<const std::uint32_t> lists, bool supplements,
                             std::span<Result<store::ReadResult>> answers) const;

  /// `vector`: dim finite values.
  void Prepare(std::span<const float> vector, SegmentQuery& query) const;
  /// The `count` nearest lists (fewer when there are fewer), best first.
  std::vector<std::uint32_t> Probes(SegmentQuery& query, std::size_t count) const;
  /// Scans lists in the query's order, of those that are loaded. Candidates, nearest first, are valid until the next
  /// call. DataCorruption: a list's checksum does not match.
  Result<std::span<const Candidate>> Scan(SegmentQuery& query, const LoadedLists& loaded, const ScanOptions& options,
                                          ScanCounts& counts) const;
  /// How far, in standard deviations of its rows' distances, a list's rows must lie from their mean to come below
  /// `distance`, the estimate of the k-th nearest so far: for a row x = c + o, |x - q|^2 = |q - c|^2 + |o|^2 - 2 <q -
  /// c, o>, where the last term is near normal with deviation 2 |q - c| |o| / sqrt(d).
  float ListScore(const SegmentQuery& query, std::uint32_t list, float distance) const;

  /// Row number of position `i` of a list whose codes are loaded.
  std::uint32_t RowAt(std::uint32_t list, ByteSpan codes, std::size_t i) const;
  /// The mask by lists, all of which must be loaded. DataCorruption as Scan.
  Result<ListMatches> MatchLists(const LoadedLists& loaded, const RowMask& mask) const;

 private:
  VectorSegment(std::string key, SegmentHeader header, const SegmentFooter& footer);
  Status CheckCodes(std::uint32_t list, const LoadedLists& loaded) const;
  Status CheckSupplement(std::uint32_t list, const LoadedLists& loaded) const;
  Status CheckPart(std::size_t part, const LoadedLists& loaded, ByteSpan bytes, std::uint64_t size,
                   std::uint32_t crc) const;
  float ScoreFor(const SegmentQuery& query, std::uint32_t list, const ScanOptions& options) const;
  void Offer(SegmentQuery& query, const ScanOptions& options, const Candidate& candidate) const;
  float CentreDistance2(const SegmentQuery& query, std::uint32_t list) const;
  Status ScanList(SegmentQuery& query, std::uint32_t list, const LoadedLists& loaded, const ScanOptions& options,
                  ScanCounts& counts) const;
  float ToMetric(const SegmentQuery& query, float distance2) const;

  std::string key_;
  SegmentHeader header_;
  SegmentFooter footer_;
  Rotation rotation_;
  std::vector<std::uint64_t> codes_at_;  // offset of each list, one more for the end
  std::vector<std::uint64_t> supplements_at_;
  std::uint64_t physical_rows_ = 0;
};

}  // namespace firn::index
