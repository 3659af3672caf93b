#include "lance/writing/mini_block_page.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "arrow/buffers.h"

namespace firn::lance {
namespace {

constexpr std::size_t kMaxChunkBytes = 32768;
constexpr std::size_t kMaxHeaderBytes = 16;
constexpr std::int64_t kMaxChunkValues = 4096;
// Where a chunk is big enough: reading one value reads all of it.
constexpr std::int64_t kGoodChunkBytes = 8192;

void PadTo8(std::string& to) { to.resize((to.size() + 7) & ~std::size_t{7}, '\0'); }
std::size_t PaddedTo8(std::size_t size) { return (size + 7) & ~std::size_t{7}; }

/// The values of chunks, of one type.
class ValueCutter {
 public:
  explicit ValueCutter(const arrow::Array& values) : values_(values), bits_(arrow::BitWidth(values.type())) {}

  bool variable() const { return bits_ == 0; }

  std::int64_t Bytes(std::int64_t begin, std::int64_t end) const {
    if (!variable()) return ((end - begin) * bits_ + 7) / 8;
    const std::int64_t bytes = (end - begin + 1) * OffsetBytes() + OffsetAt(end) - OffsetAt(begin);
    return (bytes + OffsetBytes() - 1) / OffsetBytes() * OffsetBytes();
  }

  void Append(std::int64_t begin, std::int64_t end, std::string& to) const {
    if (!variable()) return AppendFixed(begin, end, to);
    return OffsetBytes() == 4 ? AppendVariable<std::uint32_t>(begin, end, to)
                              : AppendVariable<std::uint64_t>(begin, end, to);
  }

  pb::CompressiveEncoding Encoding() const {
    return variable() ? VariableEncoding(static_cast<std::uint64_t>(8 * OffsetBytes()))
                      : FlatEncoding(static_cast<std::uint64_t>(bits_));
  }

 private:
  std::int64_t OffsetBytes() const { return arrow::HasLargeOffsets(values_.type().id) ? 8 : 4; }
  std::int64_t OffsetAt(std::int64_t i) const {
    const std::uint8_t* offsets = values_.data().data.data();
    return OffsetBytes() == 4 ? LoadLe<std::int32_t>(offsets + 4 * i) : LoadLe<std::int64_t>(offsets + 8 * i);
  }

  void AppendFixed(std::int64_t begin, std::int64_t end, std::string& to) const {
    const std::uint8_t* data = values_.data().data.data();
    if (bits_ == 1) {
      to +=
          arrow::SliceBits(values_.data().data, begin, end - begin).chars().substr(0, arrow::BytesForBits(end - begin));
      return;
    }
    const std::int64_t width = bits_ / 8;
    to.append(reinterpret_cast<const char*>(data) + begin * width, static_cast<std::size_t>((end - begin) * width));
  }

  template <class Offset>
  void AppendVariable(std::int64_t begin, std::int64_t end, std::string& to) const {
    const std::int64_t first = OffsetAt(begin);
    const std::int64_t header = (end - begin + 1) * static_cast<std::int64_t>(sizeof(Offset));
    for (std::int64_t i = begin; i <= end; i++) AppendLe(to, static_cast<Offset>(header + OffsetAt(i) - first));
    to.append(reinterpret_cast<const char*>(values_.data().bytes.data()) + first,
              static_cast<std::size_t>(OffsetAt(end) - first));
    while (to.size() % sizeof(Offset) != 0) to += '\0';
  }

  const arrow::Array& values_;
  const std::int64_t bits_;
};

class MiniBlockEncoder {
 public:
  MiniBlockEncoder(const LeafColumn& leaf, ChunkSizes sizes)
      : leaf_(leaf), sizes_(sizes), values_(leaf.values), max_rep_(leaf.max_rep()) {}

  std::optional<EncodedPage> Run() {
    const std::int64_t count = leaf_.values.length();
    for (std::int64_t begin = 0; begin < count;) {
      const std::int64_t end = EndOfChunk(begin);
      if (end == begin) return std::nullopt;
      AppendChunk(begin, end);
      begin = end;
    }
    return Finish();
  }

 private:
  /// The levels of the values up to `value_end`: with them go the null and empty lists before each, and after the last
  /// of all.
  std::size_t LevelsEnd(std::int64_t begin, std::int64_t end) const {
    if (leaf_.rep.empty()) return leaf_.def.empty() ? 0 : static_cast<std::size_t>(end);
    if (end == leaf_.values.length()) return leaf_.rep.size();
    std::size_t level = level_;
    for (std::int64_t taken = begin; taken < end; level++) {
      if (leaf_.def.empty() || leaf_.def[level] <= leaf_.max_visible_def) taken++;
    }
    return level;
  }

  std::size_t ChunkBytes(std::int64_t begin, std::int64_t end, std::size_t levels) const {
    const std::size_t level_bytes = PaddedTo8(2 * levels);
    std::size_t bytes = kMaxHeaderBytes + PaddedTo8(static_cast<std::size_t>(values_.Bytes(begin, end)));
    if (!leaf_.rep.empty()) bytes += level_bytes;
    if (!leaf_.def.empty()) bytes += level_bytes;
    return bytes;
  }

  bool Fits(std::int64_t begin, std::int64_t end) const {
    const std::size_t levels = LevelsEnd(begin, end) - level_;
    return levels <= kMaxChunkBytes / 2 && ChunkBytes(begin, end, levels) <= kMaxChunkBytes;
  }

  /// `begin` when not even the fewest values fit.
  std::int64_t EndOfChunk(std::int64_t begin) const {
    const std::int64_t left = leaf_.values.length() - begin;
    if (left <= kMaxChunkValues && values_.Bytes(begin, begin + left) <= kGoodChunkBytes && Fits(begin, begin + left)) {
      return begin + left;
    }
    std::int64_t count = std::bit_floor(static_cast<std::uint64_t>(std::min(left, kMaxChunkValues)));
    while (count > 2 && values_.Bytes(begin, begin + count) > kGoodChunkBytes) count /= 2;
    while (count > 1 && !Fits(begin, begin + count)) count /= 2;
    return Fits(begin, begin + count) ? begin + count : begin;
  }

  void AppendChunk(std::int64_t begin, std::int64_t end) {
    const std::size_t start = chunks_.size();
    const std::size_t levels_end = LevelsEnd(begin, end);
    const std::size_t levels = levels_end - level_;
    AppendLe(chunks_, static_cast<std::uint16_t>(levels));
    if (!leaf_.rep.empty()) AppendLe(chunks_, static_cast<std::uint16_t>(2 * levels));
    if (!leaf_.def.empty()) AppendLe(chunks_, static_cast<std::uint16_t>(2 * levels));
    AppendSize(static_cast<std::uint32_t>(values_.Bytes(begin, end)), chunks_);
    PadTo8(chunks_);
    if (!leaf_.rep.empty()) AppendLevels(leaf_.rep, levels);
    if (!leaf_.def.empty()) AppendLevels(leaf_.def, levels);
    values_.Append(begin, end, chunks_);
    PadTo8(chunks_);
    const bool last = end == leaf_.values.length();
    const auto log_values =
        last ? 0U : static_cast<unsigned>(std::countr_zero(static_cast<std::uint64_t>(end - begin)));
    const std::size_t words = (chunks_.size() - start) / 8;
    AppendSize(static_cast<std::uint32_t>((words - 1) << 4 | log_values), table_);
    if (!leaf_.rep.empty()) IndexRows(levels, last);
    level_ = levels_end;
  }

  void AppendSize(std::uint32_t size, std::string& to) const {
    to.append(reinterpret_cast<const char*>(&size), sizes_ == ChunkSizes::k32Bits ? 4 : 2);
  }

  void AppendLevels(const std::vector<std::uint16_t>& levels, std::size_t count) {
    chunks_.append(reinterpret_cast<const char*>(levels.data() + level_), 2 * count);
    PadTo8(chunks_);
  }

  /// The repetition index. A row ends where the next begins, maybe only in the next chunk: then the items that seemed
  /// to be left over were a whole row after all.
  void IndexRows(std::size_t levels, bool last) {
    const std::uint16_t* rep = leaf_.rep.data() + level_;
    const bool starts_with_row = rep[0] == max_rep_;
    if (starts_with_row && !row_index_.empty() && row_index_.back() != 0) {
      row_index_[row_index_.size() - 2]++;
      row_index_.back() = 0;
    }
    auto ended = static_cast<std::uint64_t>(std::count(rep + 1, rep + levels, max_rep_));
    std::uint64_t left_over = 0;
    if (last) {
      ended++;
    } else {
      for (std::size_t i = levels; i-- > 0;) {
        left_over++;
        if (rep[i] == max_rep_) break;
      }
    }
    row_index_.push_back(ended);
    row_index_.push_back(left_over);
  }

  EncodedPage Finish() {
    EncodedPage page;
    page.rows = static_cast<std::uint64_t>(leaf_.rows);
    pb::MiniBlockLayout& layout = *page.layout.mutable_mini_block_layout();
    if (!leaf_.rep.empty()) *layout.mutable_rep_compression() = FlatEncoding(16);
    if (!leaf_.def.empty()) *layout.mutable_def_compression() = FlatEncoding(16);
    *layout.mutable_value_compression() = values_.Encoding();
    for (const pb::RepDefLayer layer : leaf_.layers) layout.add_layers(layer);
    layout.set_num_buffers(1);
    layout.set_repetition_index_depth(leaf_.rep.empty() ? 0 : 1);
    layout.set_has_large_chunk(sizes_ == ChunkSizes::k32Bits);
    layout.set_num_items(static_cast<std::uint64_t>(leaf_.values.length()));
    page.AddBuffer(Buffer::Of(std::move(table_)));
    page.AddBuffer(Buffer::Of(std::move(chunks_)));
    if (!leaf_.rep.empty()) page.AddBuffer(Buffer::OfValues(std::move(row_index_)));
    return page;
  }

  const LeafColumn& leaf_;
  const ChunkSizes sizes_;
  const ValueCutter values_;
  const std::uint16_t max_rep_;
  std::size_t level_ = 0;  // the first one of the chunk under way
  std::string table_;
  std::string chunks_;
  std::vector<std::uint64_t> row_index_;
};

}  // namespace

std::optional<EncodedPage> EncodeMiniBlockPage(const LeafColumn& leaf, ChunkSizes sizes) {
  return MiniBlockEncoder(leaf, sizes).Run();
}

}  // namespace firn::lance
