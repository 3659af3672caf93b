#include "index/vector/segment.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "index/vector/quantiser.h"

namespace firn::index {
namespace {

constexpr std::uint64_t kTailBytes = 1U << 20;
constexpr std::size_t kBlocksAtOnce = 8;
constexpr std::size_t kBlockRows = simd::kBlockCodes;

Error Corrupt(std::string_view object, std::string_view what) {
  return DataCorruption("index object " + std::string(object) + ": " + std::string(what),
                        "Searches go on without it; build the index again");
}

float Norm2(std::span<const float> values) {
  float result = 0;
  simd::DotMatrix(values.data(), 1, values.data(), 1, values.size(), &result);
  return result;
}

}  // namespace

VectorSegment::VectorSegment(std::string key, SegmentHeader header, const SegmentFooter& footer)
    : key_(std::move(key)), header_(std::move(header)), footer_(footer), rotation_(header_.dim, header_.seed) {
  std::uint64_t at = kSegmentHeaderBytes;
  for (const ListEntry& list : header_.lists) {
    codes_at_.push_back(at);
    at += header_.CodesBytes(list);
  }
  codes_at_.push_back(at);
  for (const ListEntry& list : header_.lists) {
    supplements_at_.push_back(at);
    at += header_.SupplementBytes(list);
  }
  supplements_at_.push_back(at);
  for (const SegmentFragment& fragment : header_.fragments) physical_rows_ += fragment.rows;
}

Result<std::shared_ptr<const VectorSegment>> VectorSegment::Parse(std::string key, Buffer hot,
                                                                  const SegmentFooter& footer) {
  if (hot.size() != footer.hot_bytes || Crc32c(hot.bytes()) != footer.hot_crc)
    return Corrupt(key, "the checksum of its hot part does not match");
  FIRN_TRY(SegmentHeader header, DecodeHotPart(std::move(hot), key));
  std::shared_ptr<const VectorSegment> segment(new VectorSegment(std::move(key), std::move(header), footer));
  if (segment->supplements_at_.back() != footer.hot_offset)
    return Corrupt(segment->key_, "its lists do not end where its hot part begins");
  return segment;
}

Result<std::shared_ptr<const VectorSegment>> VectorSegment::Open(store::ObjectStore& store, std::string_view key,
                                                                 const Deadline& deadline) {
  FIRN_TRY(const store::ReadResult tail,
           store::Read(store, store::ReadRequest::Tail(std::string(key), kTailBytes), deadline));
  FIRN_TRY(const SegmentFooter footer, DecodeSegmentFooter(tail.bytes.bytes(), tail.object_size_bytes, key));
  const std::uint64_t tail_at = tail.object_size_bytes - tail.bytes.size();
  if (footer.hot_offset >= tail_at)
    return Parse(std::string(key), tail.bytes.Slice(footer.hot_offset - tail_at, footer.hot_bytes), footer);
  return OpenAt(store, key, footer, deadline);
}

Result<std::shared_ptr<const VectorSegment>> VectorSegment::OpenAt(store::ObjectStore& store, std::string_view key,
                                                                   const SegmentFooter& footer,
                                                                   const Deadline& deadline) {
  FIRN_TRY(
      store::ReadResult hot,
      store::Read(store, store::ReadRequest::Range(std::string(key), footer.hot_offset, footer.hot_bytes), deadline));
  return Parse(std::string(key), std::move(hot.bytes), footer);
}

std::size_t VectorSegment::ResidentBytes() const {
  return sizeof *this + footer_.hot_bytes + header_.lists.size() * (sizeof(ListEntry) + 16) + header_.padded_dim * 8;
}

store::ReadRequest VectorSegment::CodesRequest(std::size_t list) const {
  return store::ReadRequest::Range(key_, codes_at_[list], codes_at_[list + 1] - codes_at_[list]);
}

store::ReadRequest VectorSegment::SupplementRequest(std::size_t list) const {
  return store::ReadRequest::Range(key_, supplements_at_[list], supplements_at_[list + 1] - supplements_at_[list]);
}

// ---- loading ----

Result<LoadedLists> VectorSegment::Map(Buffer object) const {
  if (object.size() != object_bytes()) return Corrupt(key_, "its size is not what its footer says");
  LoadedLists loaded;
  loaded.lists.resize(header_.lists.size());
  loaded.checked = std::make_unique<std::atomic<bool>[]>(2 * header_.lists.size());
  const ByteSpan bytes = object.bytes();
  for (std::size_t i = 0; i < header_.lists.size(); i++) {
    loaded.lists[i] = {bytes.subspan(codes_at_[i], codes_at_[i + 1] - codes_at_[i]),
                       bytes.subspan(supplements_at_[i], supplements_at_[i + 1] - supplements_at_[i])};
  }
  loaded.buffers.push_back(std::move(object));
  return loaded;
}

Status VectorSegment::CheckPart(std::size_t part, const LoadedLists& loaded, ByteSpan bytes, std::uint64_t size,
                                std::uint32_t crc) const {
  if (loaded.checked[part].load(std::memory_order_relaxed)) return {};
  if (bytes.size() != size || Crc32c(bytes) != crc)
    return Corrupt(key_, "the checksum of list " + std::to_string(part / 2) + " does not match");
  loaded.checked[part].store(true, std::memory_order_relaxed);
  return {};
}

Status VectorSegment::CheckCodes(std::uint32_t list, const LoadedLists& loaded) const {
  const ListEntry& entry = header_.lists[list];
  return CheckPart(2 * std::size_t{list}, loaded, loaded.lists[list].codes, header_.CodesBytes(entry), entry.codes_crc);
}

/// Apart from the codes: of far lists nothing is refined, and supplements are most of a segment's bytes.
Status VectorSegment::CheckSupplement(std::uint32_t list, const LoadedLists& loaded) const {
  const ListEntry& entry = header_.lists[list];
  return CheckPart(2 * std::size_t{list} + 1, loaded, loaded.lists[list].supplement, header_.SupplementBytes(entry),
                   entry.supplement_crc);
}

std::vector<store::ReadRequest> VectorSegment::Requests(std::span<const std::uint32_t> lists, bool supplements) const {
  std::vector<store::ReadRequest> requests;
  for (const std::uint32_t list : lists) {
    requests.push_back(CodesRequest(list));
    if (supplements) requests.push_back(SupplementRequest(list));
  }
  return requests;
}

Result<LoadedLists> VectorSegment::Accept(std::span<const std::uint32_t> lists, bool supplements,
                                          std::span<Result<store::ReadResult>> answers) const {
  const std::size_t parts = supplements ? 2 : 1;
  LoadedLists loaded;
  loaded.lists.resize(header_.lists.size());
  loaded.checked = std::make_unique<std::atomic<bool>[]>(2 * header_.lists.size());
  for (std::size_t i = 0; i < answers.size(); i++) {
    if (!answers[i]) {
      // The object is shorter than its hot part says.
      if (answers[i].error().kind == ErrorKind::kInvalidArgument) return Corrupt(key_, "it is truncated");
      return std::move(answers[i]).error();
    }
    LoadedLists::List& list = loaded.lists[lists[i / parts]];
    (i % parts == 0 ? list.codes : list.supplement) = answers[i]->bytes.bytes();
    loaded.buffers.push_back(std::move(answers[i]->bytes));
  }
  return loaded;
}

// ---- the query ----

void VectorSegment::Prepare(std::span<const float> vector, SegmentQuery& query) const {
  const std::size_t d = header_.padded_dim;
  query.input_.assign(vector.begin(), vector.end());
  query.norm2_ = Norm2(vector);
  if (header_.metric == simd::Metric::kCosine && query.norm2_ > 0) {
    const float inverse = 1.0F / std::sqrt(query.norm2_);
    for (float& value : query.input_) value *= inverse;
    query.norm2_ = 1;
  }
  query.rotated_.resize(d);
  rotation_.Apply(query.input_, query.rotated_);
  // In lanes, since an addition waits for the one before it. Padded dimensions are a multiple of 16.
  constexpr std::size_t kLanes = 8;
  float sums[kLanes] = {}, absolutes[kLanes] = {}, largests[kLanes] = {};
  for (std::size_t i = 0; i < d; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; lane++) {
      const float value = query.rotated_[i + lane] - header_.mean[i + lane];
      query.rotated_[i + lane] = value;
      sums[lane] += value;
      absolutes[lane] += std::abs(value);
      largests[lane] = std::max(largests[lane], std::abs(value));
    }
  }
  query.sum_ = std::accumulate(sums, sums + kLanes, 0.0F);
  const float absolute = std::accumulate(absolutes, absolutes + kLanes, 0.0F);
  const float largest = *std::max_element(largests, largests + kLanes);
  query.table_.resize(header_.groups() * 16);
  query.table_scale_ = simd::BuildTable(query.rotated_, query.table_.data());
  query.bytes_.resize(d);
  query.byte_step_ = simd::QuantiseToInt8(query.rotated_, query.bytes_.data());
  // Of a rounding to steps of s, the deviation is s / sqrt(12); the mean square of a nibble is 77.5.
  const float groups = static_cast<float>(header_.groups());
  query.bits_error_ = query.table_scale_.step * std::sqrt(groups / 12);
  query.levels_error_ = std::hypot(16 * query.bits_error_, query.byte_step_ * std::sqrt(4 * groups * 77.5F / 12));

  query.in_bytes_.resize(d);
  for (std::size_t i = 0; i < d; i++)
    query.in_bytes_[i] = (query.rotated_[i] - header_.centroid_low) / header_.centroid_step;

  // |q - c|^2 for every centroid, by integer products: exact to about 1 part in 10,000 of |q| |c|.
  // The step leaves room for 255 * sum |q| in 31 bits.
  const float short_step = largest > 0 ? std::max(largest / 2047.0F, absolute * 0x1p-22F) : 1.0F;
  query.shorts_.resize(d);
  for (std::size_t i = 0; i < d; i++)
    query.shorts_[i] = static_cast<std::int16_t>(std::lrint(query.rotated_[i] / short_step));
  const std::size_t lists = header_.lists.size();
  query.products_.resize(lists);
  simd::DotBytes(header_.centroids.data(), lists, d, query.shorts_.data(), query.products_.data());
  query.distance2_.resize(lists);
  query.all_.probes.resize(lists);
  const float query_norm2 = Norm2(query.rotated_);
  for (std::uint32_t i = 0; i < lists; i++) {
    const ListEntry& list = header_.lists[i];
    const float product =
        header_.centroid_low * query.sum_ + header_.centroid_step * short_step * static_cast<float>(query.products_[i]);
    query.distance2_[i] = std::max(0.0F, query_norm2 + list.norm2 - 2 * product);
    query.all_.probes[i] = {query.distance2_[i] - list.bias, i};
  }
  query.all_.sorted = 0;
}

void SegmentQuery::Order::Sort(std::size_t count) {
  count = std::min(count, probes.size());
  if (count <= sorted) return;
  const auto begin = probes.begin() + static_cast<std::ptrdiff_t>(sorted);
  const auto end = probes.begin() + static_cast<std::ptrdiff_t>(count);
  if (end != probes.end()) std::nth_element(begin, end, probes.end());
  std::sort(begin, end);
  sorted = count;
}

std::vector<std::uint32_t> VectorSegment::Probes(SegmentQuery& query, std::size_t count) const {
  query.all_.Sort(count);
  std::vector<std::uint32_t> lists;
  for (std::size_t i = 0; i < std::min(count, query.all_.probes.size()); i++)
    lists.push_back(query.all_.probes[i].list);
  return lists;
}

/// Inside a segment distances are squared Euclidean ones; for dot, less |x|^2.
float VectorSegment::ToMetric(const SegmentQuery& query, float distance2) const {
  switch (header_.metric) {
    case simd::Metric::kL2:
      return distance2;
    case simd::Metric::kCosine:
      return distance2 / 2;
    default:
      return 1 + (distance2 - query.norm2_) / 2;
  }
}

float VectorSegment::ListScore(const SegmentQuery& query, std::uint32_t list, float distance) const {
  const ListEntry& entry = header_.lists[list];
  const float distance2 = query.distance2_[list];
  if (header_.metric == simd::Metric::kDot) {
    const float spread = 2 * std::sqrt(query.norm2_) * entry.radius;
    return spread > 0 ? (distance2 - entry.bias - distance) * std::sqrt(static_cast<float>(header_.padded_dim)) / spread
                      : 0;
  }
  const float mean = distance2 + entry.radius * entry.radius;
  const float spread = 2 * std::sqrt(distance2) * entry.radius;
  if (!(spread > 0)) return mean <= distance ? 0 : std::numeric_limits<float>::max();
  return (mean - distance) * std::sqrt(static_cast<float>(header_.padded_dim)) / spread;
}

/// What is compared with ScanOptions::stop before a list is scanned.
float VectorSegment::ScoreFor(const SegmentQuery& query, std::uint32_t list, const ScanOptions& options) const {
  if (query.best_.size() < options.k) return std::numeric_limits<float>::lowest();
  const float score = ListScore(query, list, query.best_.front());
  if (options.matches == nullptr || options.sparse_shift == 0) return score;
  const auto share = static_cast<float>(options.matches->counts[list]) / static_cast<float>(header_.lists[list].rows);
  return score - options.sparse_shift * std::log10(share);
}

Result<std::span<const Candidate>> VectorSegment::Scan(SegmentQuery& query, const LoadedLists& loaded,
                                                       const ScanOptions& options, ScanCounts& counts) const {
  constexpr std::size_t kFirstSorted = 24;
  query.found_.clear();
  query.best_.clear();
  if (options.k == 0) return std::span<const Candidate>();
  if (options.scores != nullptr) options.scores->assign(header_.lists.size(), std::numeric_limits<float>::lowest());
  const auto matches = [&](std::uint32_t list) {
    return options.matches == nullptr || options.matches->counts[list] > 0;
  };
  // A filter may leave few lists with a match, and the scan goes through all of those: the others need no order, unless
  // they count.
  const bool all_count = options.matches == nullptr || options.max_lists < query.all_.probes.size();
  if (!all_count) {
    query.matching_.probes.clear();
    query.matching_.sorted = 0;
    std::ranges::copy_if(query.all_.probes, std::back_inserter(query.matching_.probes), matches,
                         &SegmentQuery::Probe::list);
  }
  SegmentQuery::Order& order = all_count ? query.all_ : query.matching_;
  const std::size_t most = std::min(options.max_lists, order.probes.size());
  for (std::size_t i = 0; i < most; i++) {
    if (i >= order.sorted) order.Sort(std::max(kFirstSorted, 2 * i));
    const std::uint32_t list = order.probes[i].list;
    if (!matches(list)) continue;
    const float score = ScoreFor(query, list, options);
    if (options.scores != nullptr) (*options.scores)[list] = score;
    if (score > options.stop) {
      if (options.matches == nullptr) break;
      continue;  // a later list may match better
    }
    if (loaded.lists[list].codes.empty()) {
      counts.missing++;
      continue;
    }
    FIRN_CHECK(CheckCodes(list, loaded));
    FIRN_CHECK(ScanList(query, list, loaded, options, counts));
    counts.lists++;
  }
  // What came early passed a wider bound.
  const float bound = query.best_.size() == options.k ? query.best_.front() : std::numeric_limits<float>::infinity();
  std::erase_if(query.found_, [&](const Candidate& candidate) { return candidate.distance - candidate.error > bound; });
  const std::size_t kept = std::min(query.found_.size(), options.max_candidates);
  std::partial_sort(query.found_.begin(), query.found_.begin() + static_cast<std::ptrdiff_t>(kept), query.found_.end());
  query.found_.resize(kept);
  const float scale = header_.metric == simd::Metric::kL2 ? 1.0F : 0.5F;
  for (Candidate& candidate : query.found_) {
    candidate.distance = ToMetric(query, candidate.distance);
    candidate.error *= scale;
  }
  return std::span<const Candidate>(query.found_);
}

std::uint32_t VectorSegment::RowAt(std::uint32_t list, ByteSpan codes, std::size_t i) const {
  const ListEntry& entry = header_.lists[list];
  const std::uint8_t* refs = codes.data() + SegmentHeader::BlocksOf(entry) * header_.block_bytes();
  const std::size_t bit = i * entry.ref_bits;
  const std::uint64_t word = LoadLe<std::uint64_t>(refs + bit / 8) >> (bit % 8);
  return entry.ref_low + static_cast<std::uint32_t>(word & ((std::uint64_t{1} << entry.ref_bits) - 1));
}

Result<ListMatches> VectorSegment::MatchLists(const LoadedLists& loaded, const RowMask& mask) const {
  ListMatches matches;
  for (std::uint32_t list = 0; list < header_.lists.size(); list++) {
    const ListEntry& entry = header_.lists[list];
    const ByteSpan codes = loaded.lists[list].codes;
    FIRN_CHECK(CheckCodes(list, loaded));
    const std::size_t first = matches.blocks.size();
    matches.first_blocks.push_back(first);
    matches.blocks.resize(first + SegmentHeader::BlocksOf(entry));
    std::uint32_t count = 0;
    for (std::size_t i = 0; i < entry.rows; i++) {
      const std::uint32_t row = RowAt(list, codes, i);
      if (row >= physical_rows_ || (mask[row / 64] >> (row % 64) & 1) == 0) continue;
      matches.blocks[first + i / kBlockRows] |= 1U << (i % kBlockRows);
      count++;
    }
    matches.counts.push_back(count);
  }
  matches.used_blocks =
      static_cast<std::size_t>(std::ranges::count_if(matches.blocks, [](auto bits) { return bits != 0; }));
  return matches;
}

/// Keeps a candidate that may be among the k nearest, and the k smallest estimates.
void VectorSegment::Offer(SegmentQuery& query, const ScanOptions& options, const Candidate& candidate) const {
  const bool full = query.best_.size() == options.k;
  if (full && candidate.distance - candidate.error > query.best_.front()) return;
  query.found_.push_back(candidate);
  if (full && candidate.distance >= query.best_.front()) return;
  if (full) {
    std::ranges::pop_heap(query.best_);
    query.best_.back() = candidate.distance;
  } else {
    query.best_.push_back(candidate.distance);
  }
  std::ranges::push_heap(query.best_);
}

/// |q - c|^2 without the rounding of Prepare, which rows of tight clusters would feel: in units of the centroids'
/// bytes.
float VectorSegment::CentreDistance2(const SegmentQuery& query, std::uint32_t list) const {
  const std::size_t d = header_.padded_dim;
  float units2 = 0;
  simd::Distances(simd::Metric::kL2, simd::Element::kU8, query.in_bytes_, header_.centroids.data() + list * d, 1,
                  {&units2, 1});
  return units2 * header_.centroid_step * header_.centroid_step;
}

Status VectorSegment::ScanList(SegmentQuery& query, std::uint32_t list, const LoadedLists& loaded,
                               const ScanOptions& options, ScanCounts& counts) const {
  const ListEntry& entry = header_.lists[list];
  const LoadedLists::List& bytes = loaded.lists[list];
  const std::size_t stride = header_.block_bytes();
  const std::size_t code_bytes = header_.groups() * 16;
  const std::size_t row_bytes = header_.supplement_row_bytes();
  const std::size_t nibble_bytes = header_.padded_dim / 2;
  const std::size_t blocks = SegmentHeader::BlocksOf(entry);
  const bool refine = !bytes.supplement.empty();
  const std::uint32_t* wanted =
      options.matches == nullptr ? nullptr : options.matches->blocks.data() + options.matches->first_blocks[list];
  const float centre2 = CentreDistance2(query, list);
  const float centre = std::sqrt(centre2);
  const float slack = options.slack * centre;
  // Of u = b - 1/2; scales are negative, so that what is added makes room for the query's rounding.
  const float bit_bias = query.table_scale_.bias - query.sum_ / 2 + options.slack * query.bits_error_;
  const float rounding = options.slack * query.levels_error_;
  query.sums_.resize(kBlocksAtOnce * kBlockRows);
  std::uint32_t kept[kBlockRows];
  float lower[kBlockRows];

  for (std::size_t first = 0; first < blocks; first += kBlocksAtOnce) {
    const std::size_t some = std::min(kBlocksAtOnce, blocks - first);
    if (wanted != nullptr &&
        std::all_of(wanted + first, wanted + first + some, [](std::uint32_t bits) { return bits == 0; }))
      continue;
    const std::uint8_t* block = bytes.codes.data() + first * stride;
    simd::ScanBlocks(block, stride, some, header_.groups(), query.table_.data(), query.sums_.data());
    for (std::size_t b = 0; b < some; b++, block += stride) {
      if (wanted != nullptr && wanted[first + b] == 0) continue;
      const auto* factors = reinterpret_cast<const float*>(block + code_bytes);  // read unaligned
      const std::uint32_t* sums = query.sums_.data() + b * kBlockRows;
      const float bound =
          query.best_.size() == options.k ? query.best_.front() : std::numeric_limits<float>::infinity();
      std::size_t count =
          simd::KeepBelow(sums, factors, factors + kBlockRows, factors + 2 * kBlockRows, query.table_scale_.step,
                          bit_bias, slack, kBlockRows, bound - centre2, kept, lower);
      if (wanted != nullptr) {
        std::size_t left = 0;
        for (std::size_t j = 0; j < count; j++) {
          if ((wanted[first + b] >> kept[j] & 1) == 0) continue;
          kept[left] = kept[j];
          lower[left++] = lower[j];
        }
        count = left;
      }
      const std::size_t base = (first + b) * kBlockRows;
      if (refine && count > 0) {
        FIRN_CHECK(CheckSupplement(list, loaded));
        for (std::size_t j = 0; j < count; j++)
          __builtin_prefetch(bytes.supplement.data() + (base + kept[j]) * row_bytes);
      }
      for (std::size_t j = 0; j < count; j++) {
        const std::size_t i = kept[j];
        if (base + i >= entry.rows) continue;
        const std::uint32_t row = RowAt(list, bytes.codes, base + i);
        if (row >= physical_rows_) continue;
        if (wanted == nullptr && options.mask != nullptr && ((*options.mask)[row / 64] >> (row % 64) & 1) == 0)
          continue;
        const float bit_error = LoadLe<float>(factors + 2 * kBlockRows + i) * slack;
        if (!refine) {
          if (!std::isfinite(lower[j] + bit_error)) continue;  // factors that no builder makes
          Offer(query, options, {lower[j] + bit_error + centre2, bit_error, row});
          continue;
        }
        counts.refined++;
        const std::uint8_t* supplement = bytes.supplement.data() + (base + i) * row_bytes;
        const auto nibbles = static_cast<float>(simd::DotNibbles(supplement, query.bytes_.data(), header_.padded_dim));
        const float bits = static_cast<float>(sums[i]) * query.table_scale_.step + query.table_scale_.bias;
        const float product = 16 * bits + nibbles * query.byte_step_ - 15.5F * query.sum_;
        const auto scale = LoadLe<float>(supplement + nibble_bytes + 4);
        const float distance2 = centre2 + LoadLe<float>(supplement + nibble_bytes) + scale * product;
        const float coding = bit_error * kLevelErrorRatio;
        const float error = std::sqrt(coding * coding + scale * scale * rounding * rounding);
        if (!std::isfinite(distance2 + error)) continue;  // factors that no builder makes
        Offer(query, options, {distance2, error, row});
      }
    }
  }
  counts.estimated += entry.rows;
  return {};
}

}  // namespace firn::index
