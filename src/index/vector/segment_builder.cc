#include "index/vector/segment_builder.h"

#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "simd/quantised.h"

namespace firn::index {
namespace {

constexpr std::size_t kBlockRows = simd::kBlockCodes;
constexpr std::size_t kListsAtOnce = 64;
constexpr std::size_t kMostRowsPerList = 1U << 16;

float Norm2(std::span<const float> values) {
  float result = 0;
  simd::DotMatrix(values.data(), 1, values.data(), 1, values.size(), &result);
  return result;
}

Status CheckLength(std::span<const float> vector) {
  constexpr float kMaxLength = SegmentBuilder::kMaxLength;
  if (Norm2(vector) < kMaxLength * kMaxLength) return {};
  return Unsupported("a vector is longer than what an index takes, 1e18", "Scale the vectors down");
}

std::size_t ListsFor(std::uint64_t rows, const SegmentOptions& options) {
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(rows)));
  const std::size_t per_list =
      options.rows_per_list != 0 ? options.rows_per_list : std::clamp<std::size_t>(root, 64, kMostRowsPerList);
  return std::clamp<std::size_t>((rows + per_list - 1) / per_list, 1, kMaxLists);
}

/// A row as it waits for its list to be written:
///   u32 row | bits d / 8 | f32 add, scale, error | nibbles d / 2 | f32 add, scale
struct RecordLayout {
  std::size_t bits, bit_factors, nibbles, level_factors, size;

  explicit RecordLayout(std::size_t d)
      : bits(4),
        bit_factors(bits + d / 8),
        nibbles(bit_factors + 12),
        level_factors(nibbles + d / 2),
        size(level_factors + 8) {}
};

}  // namespace

/// Records by list: in memory, or what does not fit there in a file that has no name.
class SegmentBuilder::Records {
 public:
  Records(std::size_t lists, RecordLayout layout, std::uint64_t memory_bytes, std::string scratch_folder)
      : layout_(layout), memory_bytes_(memory_bytes), scratch_folder_(std::move(scratch_folder)), lists_(lists) {}
  ~Records() {
    if (file_ != nullptr) std::fclose(file_);
  }
  Records(const Records&) = delete;
  Records& operator=(const Records&) = delete;

  const RecordLayout& layout() const { return layout_; }
  std::uint64_t RowsOf(std::size_t list) const { return lists_[list].rows; }

  Status Append(std::span<const std::uint32_t> lists, std::span<const std::uint8_t> records) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < lists.size(); i++) {
      List& list = lists_[lists[i]];
      const auto record = records.subspan(i * layout_.size, layout_.size);
      list.memory.insert(list.memory.end(), record.begin(), record.end());
      list.rows++;
    }
    held_bytes_ += records.size();
    return held_bytes_ > memory_bytes_ ? Spill() : Status();
  }

  Result<std::vector<std::uint8_t>> Of(std::size_t list) const {
    const List& from = lists_[list];
    std::vector<std::uint8_t> records;
    records.reserve(from.rows * layout_.size);
    for (const Run& run : from.runs) {
      const std::size_t before = records.size();
      records.resize(before + run.bytes);
      for (std::size_t done = 0; done < run.bytes;) {
        const ssize_t got = pread(fileno(file_), records.data() + before + done, run.bytes - done,
                                  static_cast<off_t>(run.offset + done));
        if (got <= 0) return Unavailable("the scratch file in " + scratch_folder_ + " cannot be read back");
        done += static_cast<std::size_t>(got);
      }
    }
    records.insert(records.end(), from.memory.begin(), from.memory.end());
    return records;
  }

 private:
  struct Run {
    std::uint64_t offset;
    std::size_t bytes;
  };
  struct List {
    std::vector<std::uint8_t> memory;
    std::vector<Run> runs;
    std::uint64_t rows = 0;
  };

  Status Spill() {
    if (file_ == nullptr) {
      std::string path = scratch_folder_ + "/firn-index-XXXXXX";
      const int descriptor = mkstemp(path.data());
      if (descriptor < 0)
        return Unavailable("no scratch file can be made in " + scratch_folder_,
                           "Name a folder with room: --scratch, or TMPDIR");
      unlink(path.c_str());
      file_ = fdopen(descriptor, "w+b");
    }
    for (List& list : lists_) {
      if (list.memory.empty()) continue;
      if (std::fwrite(list.memory.data(), 1, list.memory.size(), file_) != list.memory.size())
        return ResourceExhausted("the scratch folder " + scratch_folder_ + " is full",
                                 "Name one with more room: --scratch, or TMPDIR");
      list.runs.push_back({file_bytes_, list.memory.size()});
      file_bytes_ += list.memory.size();
      list.memory = {};
    }
    if (std::fflush(file_) != 0) return ResourceExhausted("the scratch folder " + scratch_folder_ + " is full");
    held_bytes_ = 0;
    return {};
  }

  const RecordLayout layout_;
  const std::uint64_t memory_bytes_;
  const std::string scratch_folder_;
  std::mutex mutex_;
  std::vector<List> lists_;
  std::uint64_t held_bytes_ = 0;
  std::FILE* file_ = nullptr;
  std::uint64_t file_bytes_ = 0;
};

std::size_t SampleRows(std::uint64_t rows, std::size_t dim, const SegmentOptions& options, std::uint64_t memory_bytes) {
  constexpr std::size_t kRowsPerList = 96;
  const std::uint64_t wanted = std::max<std::uint64_t>(ListsFor(rows, options) * kRowsPerList, 20'000);
  // As given, and rotated. Of many lists, clustering copies the rotated rows once more, when no codes are held yet.
  const std::uint64_t most = memory_bytes / (2 * sizeof(float) * std::max<std::size_t>(dim, 16));
  return static_cast<std::size_t>(std::min({rows, wanted, std::max<std::uint64_t>(most, 1000)}));
}

SegmentBuilder::SegmentBuilder(SegmentHeader header, TaskPool& pool)
    : header_(std::move(header)), rotation_(header_.dim, header_.seed), pool_(pool) {
  header_.padded_dim = static_cast<std::uint32_t>(rotation_.padded_dim());
}
SegmentBuilder::~SegmentBuilder() = default;

Result<std::unique_ptr<SegmentBuilder>> SegmentBuilder::Train(Matrix sample, std::uint64_t rows, simd::Metric metric,
                                                              simd::Element element,
                                                              std::vector<SegmentFragment> fragments,
                                                              const SegmentOptions& options, TaskPool& pool,
                                                              const Deadline& deadline) {
  if (metric == simd::Metric::kHamming)
    return Unsupported("there is no index for hamming distance yet", "Searches by hamming distance are exact");
  if (sample.dims > kMaxIndexDim) {
    return Unsupported("vectors of " + std::to_string(sample.dims) + " values are beyond what an index takes, " +
                       std::to_string(kMaxIndexDim));
  }
  if (sample.rows == 0) return InvalidArgument("there are no vectors to index");
  SegmentHeader header;
  header.dim = static_cast<std::uint32_t>(sample.dims);
  header.metric = metric;
  header.element = element;
  header.seed = options.seed;
  header.fragments = std::move(fragments);
  std::unique_ptr<SegmentBuilder> builder(new SegmentBuilder(std::move(header), pool));
  const std::size_t d = builder->header_.padded_dim;

  // The sample in the rotated frame, relative to its mean.
  std::vector<float> rotated(sample.rows * d);
  builder->header_.mean.assign(d, 0.0F);
  constexpr std::size_t kChunk = 1024;
  FIRN_CHECK(pool.ParallelFor((sample.rows + kChunk - 1) / kChunk, [&](std::size_t chunk) -> Status {
    std::vector<float> scratch(sample.dims);
    for (std::size_t i = chunk * kChunk; i < std::min(sample.rows, (chunk + 1) * kChunk); i++) {
      FIRN_CHECK(CheckLength(sample.Row(i)));
      builder->IntoFrame(sample.Row(i), scratch, std::span(rotated).subspan(i * d, d));
    }
    return deadline.Check("training an index");
  }));
  std::vector<double> sums(d, 0.0);
  for (std::size_t i = 0; i < sample.rows; i++) {
    for (std::size_t j = 0; j < d; j++) sums[j] += static_cast<double>(rotated[i * d + j]);
  }
  for (std::size_t j = 0; j < d; j++)
    builder->header_.mean[j] = static_cast<float>(sums[j] / static_cast<double>(sample.rows));
  for (std::size_t i = 0; i < sample.rows; i++) {
    for (std::size_t j = 0; j < d; j++) rotated[i * d + j] -= builder->header_.mean[j];
  }
  FIRN_CHECK(builder->ChooseCentroids({rotated.data(), sample.rows, d}, ListsFor(rows, options), options, deadline));
  return builder;
}

void SegmentBuilder::IntoFrame(std::span<const float> vector, std::span<float> scratch, std::span<float> out) const {
  std::ranges::copy(vector, scratch.begin());
  if (header_.metric == simd::Metric::kCosine) {
    if (const float norm2 = Norm2(vector); norm2 > 0) {
      const float inverse = 1.0F / std::sqrt(norm2);
      for (float& value : scratch) value *= inverse;
    }
  }
  rotation_.Apply(scratch, out);
  for (std::size_t j = 0; j < out.size(); j++) out[j] -= header_.mean[j];
}

/// Centroids are kept as bytes, and what the bytes say is the centroid that rows are coded against: nothing is lost by
/// it.
Status SegmentBuilder::ChooseCentroids(Matrix rotated, std::size_t lists, const SegmentOptions& options,
                                       const Deadline& deadline) {
  const std::size_t d = header_.padded_dim;
  FIRN_TRY(centroids_, Cluster(rotated, {.clusters = lists, .rounds = options.clustering_rounds, .seed = options.seed},
                               pool_, deadline));
  const auto [low, high] = std::ranges::minmax(centroids_);
  header_.centroid_low = low;
  header_.centroid_step = high > low ? (high - low) / 255.0F : 1.0F;
  std::vector<std::uint8_t> bytes(centroids_.size());
  for (std::size_t i = 0; i < bytes.size(); i++) {
    bytes[i] =
        static_cast<std::uint8_t>(std::clamp(std::lrint((centroids_[i] - low) / header_.centroid_step), 0L, 255L));
    centroids_[i] = low + header_.centroid_step * static_cast<float>(bytes[i]);
  }
  header_.centroids = Buffer::Of(std::move(bytes));
  header_.lists.resize(centroids_.size() / d);
  std::vector<float> unrotated_mean2(1);
  for (std::size_t list = 0; list < header_.lists.size(); list++) {
    const std::span centroid = std::span(centroids_).subspan(list * d, d);
    header_.lists[list].norm2 = Norm2(centroid);
    if (header_.metric != simd::Metric::kDot) continue;
    std::vector<float> absolute(centroid.begin(), centroid.end());
    for (std::size_t j = 0; j < d; j++) absolute[j] += header_.mean[j];
    header_.lists[list].bias = Norm2(absolute);
  }
  radius2_.assign(header_.lists.size(), 0.0);
  FIRN_TRY(Assigner assigner, Assigner::Make({centroids_.data(), header_.lists.size(), d}, pool_, deadline));
  assigner_ = std::make_unique<Assigner>(std::move(assigner));
  records_ =
      std::make_unique<Records>(header_.lists.size(), RecordLayout(d), options.memory_bytes, options.scratch_folder);
  return {};
}

Status SegmentBuilder::Add(Matrix vectors, std::span<const std::uint32_t> numbers) {
  const std::size_t d = header_.padded_dim;
  const RecordLayout& layout = records_->layout();
  constexpr std::size_t kChunk = 512;
  std::vector<float> rotated(kChunk * d), residual(d), scratch(vectors.dims), distance2(kChunk);
  std::vector<std::uint32_t> lists(kChunk);
  std::vector<std::uint8_t> nibbles(d), records(kChunk * layout.size);
  RowEncoder encoder(d);
  for (std::size_t first = 0; first < vectors.rows; first += kChunk) {
    const std::size_t count = std::min(kChunk, vectors.rows - first);
    for (std::size_t i = 0; i < count; i++) {
      FIRN_CHECK(CheckLength(vectors.Row(first + i)));
      IntoFrame(vectors.Row(first + i), scratch, std::span(rotated).subspan(i * d, d));
    }
    assigner_->Assign({rotated.data(), count, d}, lists.data(), distance2.data());
    for (std::size_t i = 0; i < count; i++) {
      const std::span centroid = std::span(centroids_).subspan(lists[i] * d, d);
      for (std::size_t j = 0; j < d; j++) residual[j] = rotated[i * d + j] - centroid[j];
      std::uint8_t* record = records.data() + i * layout.size;
      RowCode code = encoder.Encode(residual, centroid, record + layout.bits, nibbles.data());
      const std::span row = vectors.Row(first + i);
      if (header_.metric == simd::Metric::kDot) {
        const float norm2 = Norm2(row);
        code.bit.add -= norm2;
        code.level.add -= norm2;
      } else if (header_.metric == simd::Metric::kCosine && !(Norm2(row) > 0)) {
        // A zero vector has cosine distance 1: a squared distance of 2 from any unit vector, not of 1.
        code.bit.add += 1;
        code.level.add += 1;
      }
      simd::PackNibbles(nibbles.data(), d, record + layout.nibbles);
      std::memcpy(record, &numbers[first + i], 4);
      std::memcpy(record + layout.bit_factors, &code.bit, 12);
      std::memcpy(record + layout.level_factors, &code.level, 8);
    }
    FIRN_CHECK(records_->Append(std::span(lists).first(count), std::span(records).first(count * layout.size)));
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < count; i++) radius2_[lists[i]] += static_cast<double>(distance2[i]);
  }
  return {};
}

std::string SegmentBuilder::PackCodes(std::uint32_t list, std::span<const std::uint8_t> records,
                                      std::span<const std::uint32_t> order) {
  const RecordLayout& layout = records_->layout();
  const std::size_t groups = header_.groups(), bit_bytes = header_.padded_dim / 8;
  ListEntry& entry = header_.lists[list];
  const auto row_of = [&](std::size_t i) { return LoadLe<std::uint32_t>(records.data() + order[i] * layout.size); };
  entry.rows = static_cast<std::uint32_t>(order.size());
  entry.ref_low = order.empty() ? 0 : row_of(0);
  entry.ref_bits =
      order.empty() ? 0 : static_cast<std::uint32_t>(std::bit_width(row_of(order.size() - 1) - entry.ref_low));

  std::string out(header_.CodesBytes(entry), '\0');
  auto* block = reinterpret_cast<std::uint8_t*>(out.data());
  std::vector<std::uint8_t> bits(kBlockRows * bit_bytes);
  for (std::size_t first = 0; first < order.size(); first += kBlockRows, block += header_.block_bytes()) {
    const std::size_t count = std::min(kBlockRows, order.size() - first);
    float factors[3][kBlockRows] = {};
    std::fill(factors[0] + count, factors[0] + kBlockRows, std::numeric_limits<float>::infinity());
    for (std::size_t i = 0; i < count; i++) {
      const std::uint8_t* record = records.data() + order[first + i] * layout.size;
      std::memcpy(bits.data() + i * bit_bytes, record + layout.bits, bit_bytes);
      for (std::size_t f = 0; f < 3; f++) factors[f][i] = LoadLe<float>(record + layout.bit_factors + 4 * f);
    }
    simd::PackBlock(bits.data(), count, groups, block);
    std::memcpy(block + groups * 16, factors, sizeof factors);
  }
  for (std::size_t i = 0; i < order.size() && entry.ref_bits > 0; i++) {
    const std::size_t bit = i * entry.ref_bits;
    const std::uint64_t word = LoadLe<std::uint64_t>(block + bit / 8) | std::uint64_t{row_of(i) - entry.ref_low}
                                                                            << (bit % 8);
    std::memcpy(block + bit / 8, &word, 8);
  }
  entry.codes_crc = Crc32c(AsBytes(out));
  return out;
}

std::string SegmentBuilder::PackSupplement(std::span<const std::uint8_t> records,
                                           std::span<const std::uint32_t> order) const {
  const RecordLayout& layout = records_->layout();
  std::string out;
  out.reserve(order.size() * header_.supplement_row_bytes());
  for (const std::uint32_t i : order)
    out.append(AsChars(records.subspan(i * layout.size + layout.nibbles, header_.supplement_row_bytes())));
  return out;
}

Result<BuiltSegment> SegmentBuilder::Finish(store::ObjectStore& store, std::string_view key, const Deadline& deadline) {
  FIRN_TRY(const std::unique_ptr<store::Upload> upload, store.StartUpload(key, deadline));
  std::string head(kSegmentMagic);
  AppendLe(head, kSegmentVersion);
  AppendLe<std::uint32_t>(head, 0);
  FIRN_CHECK(upload->Append(AsBytes(head), deadline));
  std::uint64_t written = head.size();

  const std::size_t lists = header_.lists.size();
  for (const bool codes : {true, false}) {
    for (std::size_t first = 0; first < lists; first += kListsAtOnce) {
      FIRN_CHECK(deadline.Check("writing an index"));
      std::vector<std::string> packed(std::min(kListsAtOnce, lists - first));
      FIRN_CHECK(pool_.ParallelFor(packed.size(), [&](std::size_t i) -> Status {
        const auto list = static_cast<std::uint32_t>(first + i);
        FIRN_TRY(const std::vector<std::uint8_t> records, records_->Of(list));
        const std::size_t size = records_->layout().size;
        std::vector<std::uint32_t> order(records.size() / size);
        std::iota(order.begin(), order.end(), 0U);
        std::ranges::sort(order, {},
                          [&](std::uint32_t row) { return LoadLe<std::uint32_t>(records.data() + row * size); });
        packed[i] = codes ? PackCodes(list, records, order) : PackSupplement(records, order);
        if (!codes) header_.lists[list].supplement_crc = Crc32c(AsBytes(packed[i]));
        return {};
      }));
      for (const std::string& bytes : packed) {
        FIRN_CHECK(upload->Append(AsBytes(bytes), deadline));
        written += bytes.size();
      }
    }
  }

  for (std::size_t list = 0; list < lists; list++) {
    ListEntry& entry = header_.lists[list];
    header_.rows += entry.rows;
    entry.radius = entry.rows == 0 ? 0 : static_cast<float>(std::sqrt(radius2_[list] / entry.rows));
  }
  const std::string hot = EncodeHotPart(header_);
  BuiltSegment built;
  built.key = key;
  built.footer = {written, hot.size(), Crc32c(AsBytes(hot))};
  FIRN_CHECK(upload->Append(AsBytes(hot), deadline));
  FIRN_CHECK(upload->Append(AsBytes(EncodeSegmentFooter(built.footer)), deadline));
  FIRN_CHECK(upload->Finish(deadline));
  built.object_bytes = written + hot.size() + kSegmentFooterBytes;
  built.rows = header_.rows;
  built.lists = lists;
  return built;
}

}  // namespace firn::index
