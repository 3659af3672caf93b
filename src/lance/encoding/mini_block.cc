#include "lance/encoding/mini_block.h"

#include <algorithm>
#include <string>

#include "lance/encoding/dictionary.h"
#include "lance/encoding/values.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kChunkAlignment = 8;

/// The table and the dictionary, kept for later reads.
struct MiniBlockIndex final : PageIndex {
  std::vector<MiniBlockChunk> chunks;
  std::shared_ptr<const Items> dictionary;

  std::size_t SizeBytes() const override {
    return sizeof *this + chunks.size() * sizeof(MiniBlockChunk) +
           (dictionary ? dictionary->data.size() + dictionary->bytes.size() : 0);
  }
};

/// What chunks decode into.
struct Decoded {
  Items rep = Items::Fixed(2);
  Items def = Items::Fixed(2);
  Items values;
  Items indices;  // into the dictionary
  std::uint64_t slots = 0;
};

/// Takes the parts of one chunk off its front.
class ChunkParts {
 public:
  explicit ChunkParts(ByteSpan chunk) : chunk_(chunk) {}

  template <class T>
  Result<std::uint64_t> Number() {
    if (chunk_.size() - at_ < sizeof(T)) return DataCorruption("a chunk ends early");
    const T value = LoadLe<T>(chunk_.data() + at_);
    at_ += sizeof(T);
    return value;
  }
  /// Aligned at 8 bytes of the chunk.
  Result<ByteSpan> Part(std::uint64_t size) {
    const std::uint64_t from = (at_ + kChunkAlignment - 1) / kChunkAlignment * kChunkAlignment;
    if (!InBounds(from, size, chunk_.size())) return DataCorruption("a chunk ends early");
    at_ = from + size;
    return chunk_.subspan(from, size);
  }

 private:
  ByteSpan chunk_;
  std::size_t at_ = 0;
};

Status DecodeChunk(const MiniBlockLayout& layout, const Items* dictionary, ByteSpan chunk, std::uint64_t values,
                   Decoded& out) {
  ChunkParts parts(chunk);
  FIRN_TRY(const std::uint64_t levels, parts.Number<std::uint16_t>());
  std::uint64_t rep_size = 0;
  std::uint64_t def_size = 0;
  if (layout.rep) {
    FIRN_TRY(rep_size, parts.Number<std::uint16_t>());
  }
  if (layout.def) {
    FIRN_TRY(def_size, parts.Number<std::uint16_t>());
  }
  std::vector<std::uint64_t> sizes(layout.value_buffers);
  for (std::uint64_t& size : sizes) {
    if (layout.large_chunks) {
      FIRN_TRY(size, parts.Number<std::uint32_t>());
    } else {
      FIRN_TRY(size, parts.Number<std::uint16_t>());
    }
  }
  if (layout.rep) {
    FIRN_TRY(const ByteSpan rep, parts.Part(rep_size));
    FIRN_CHECK(DecodeBlock(*layout.rep, rep, levels, out.rep));
  }
  if (layout.def) {
    FIRN_TRY(const ByteSpan def, parts.Part(def_size));
    FIRN_CHECK(DecodeBlock(*layout.def, def, levels, out.def));
  }
  std::vector<ByteSpan> buffers;
  buffers.reserve(sizes.size());
  for (const std::uint64_t size : sizes) {
    FIRN_TRY(const ByteSpan part, parts.Part(size));
    buffers.push_back(part);
  }
  if (layout.rep && values > levels) return DataCorruption("a chunk has more values than levels");
  out.slots += layout.rep || layout.def ? levels : values;
  if (dictionary == nullptr) return DecodeMiniBlock(layout.values, buffers, values, out.values);
  out.indices.data.Truncate(0);
  out.indices.count = 0;
  FIRN_CHECK(DecodeMiniBlock(layout.values, buffers, values, out.indices));
  return AppendFromDictionary(*dictionary, out.indices, out.values);
}

class MiniBlockReader final : public PageReader {
 public:
  MiniBlockReader(PageRead read, const MiniBlockLayout& layout)
      : read_(std::move(read)), layout_(layout), has_lists_(read_.page.layout.HasLists()) {
    if (read_.index) known_ = std::dynamic_pointer_cast<const MiniBlockIndex>(read_.index);
    std::uint64_t bytes = 0;
    for (const ByteRange& buffer : read_.page.buffers) bytes += buffer.length;
    whole_ = read_.WholePage();
    at_once_ = whole_ || bytes <= read_.read_whole_bytes;
  }

  void RequestIndex(PageFetch& fetch) override {
    if (!known_ && !at_once_) AddIndex(fetch);
  }

  Status RequestValues(PageFetch& fetch) override {
    if (at_once_ && !known_) {
      fetched_whole_ = true;
      AddIndex(fetch);
      parts_.resize(1);
      fetch.Add(Chunks(), &parts_[0]);
      return {};
    }
    FIRN_CHECK(LearnIndex());
    runs_ = whole_ ? std::vector<ChunkRun>{{0, known_->chunks.size()}} : ChunksOf(known_->chunks, read_.rows);
    parts_.resize(runs_.size());
    for (std::size_t i = 0; i < runs_.size(); i++) {
      if (runs_[i].begin == runs_[i].end) continue;
      const MiniBlockChunk& first = known_->chunks[runs_[i].begin];
      const MiniBlockChunk& last = known_->chunks[runs_[i].end - 1];
      fetch.Add({Chunks().offset + first.offset, last.offset + last.size - first.offset}, &parts_[i]);
    }
    return {};
  }

  Result<std::vector<arrow::Array>> Decode() override {
    FIRN_CHECK(LearnIndex());
    if (fetched_whole_) {
      runs_ = whole_ ? std::vector<ChunkRun>{{0, known_->chunks.size()}} : ChunksOf(known_->chunks, read_.rows);
    }
    Decoded decoded;
    FIRN_TRY(decoded.values, Items::For(read_.path.leaf()));
    if (known_->dictionary) decoded.indices = Items::Fixed(static_cast<std::uint32_t>(DecodedBits(layout_.values) / 8));
    ReserveFor(decoded);

    // A run that begins in the middle of a row gets that row's rest as a row of its own, which nobody asks for.
    std::vector<RowSelection::Range> positions;
    std::uint64_t total_rows = 0;
    auto wanted = read_.rows.begin();
    for (std::size_t i = 0; i < runs_.size(); i++) {
      const ChunkRun& run = runs_[i];
      const std::uint64_t first_slot = decoded.slots;
      FIRN_CHECK(DecodeRun(run, parts_[fetched_whole_ ? 0 : i], decoded));
      if (whole_) {
        total_rows = read_.page.rows;
        break;
      }
      const bool begins_inside = known_->chunks[run.begin].continues_a_row;
      if (begins_inside && decoded.slots > first_slot && decoded.rep.count == decoded.slots) {
        reinterpret_cast<std::uint16_t*>(decoded.rep.data.data())[first_slot] = read_.page.layout.MaxRep();
      }
      const std::uint64_t first_row = known_->chunks[run.begin].first_row;
      const std::uint64_t end_row =
          run.end < known_->chunks.size() ? known_->chunks[run.end].first_row : read_.page.rows;
      const std::uint64_t base = total_rows + (begins_inside ? 1 : 0);
      for (; wanted != read_.rows.end() && wanted->begin < end_row; ++wanted) {
        if (wanted->begin < first_row || wanted->end > end_row)
          return DataCorruption("a page's repetition index does not fit its rows");
        positions.push_back({base + wanted->begin - first_row, base + wanted->end - first_row});
      }
      total_rows = base + end_row - first_row;
    }
    if (!whole_ && wanted != read_.rows.end()) return DataCorruption("a page's chunks do not hold all its rows");

    const auto levels = [](const Items& items) {
      return std::span<const std::uint16_t>(items.ValuesAs<std::uint16_t>(), items.count);
    };
    const Levels all{levels(decoded.rep), levels(decoded.def), decoded.slots};
    FIRN_TRY(const arrow::Array array,
             Nest(read_.path, read_.page.layout.layers, all, decoded.values.Finish(), total_rows));
    return std::vector<arrow::Array>{whole_ ? array : GatherRows(array, positions)};
  }

  Result<PageIndexPtr> LearntIndex() override {
    if (!table_bytes_.empty()) FIRN_CHECK(LearnIndex());
    return PageIndexPtr(rows_known_ ? known_ : nullptr);
  }

 private:
  const ByteRange& Chunks() const { return read_.page.buffers[1]; }

  void AddIndex(PageFetch& fetch) {
    fetch.Add(read_.page.buffers[0], &table_bytes_);
    if (layout_.dictionary) fetch.Add(read_.page.buffers[2], &dictionary_bytes_);
    if (has_lists_ && !whole_) fetch.Add(read_.page.buffers.back(), &rep_index_bytes_);
  }

  Status LearnIndex() {
    if (known_) return {};
    if (has_lists_ && !whole_ && rep_index_bytes_.empty())
      return DataCorruption("a page of lists has no repetition index");
    auto index = std::make_shared<MiniBlockIndex>();
    FIRN_TRY(index->chunks, ParseChunkTable(layout_, table_bytes_.bytes(), rep_index_bytes_.bytes(), Chunks().length,
                                            read_.page.rows, has_lists_));
    if (layout_.dictionary) {
      FIRN_TRY(Items dictionary, Items::For(read_.path.leaf()));
      FIRN_CHECK(DecodeBlock(*layout_.dictionary, dictionary_bytes_.bytes(), layout_.dictionary_items, dictionary));
      index->dictionary = std::make_shared<const Items>(std::move(dictionary));
    }
    rows_known_ = !has_lists_ || !whole_;
    known_ = std::move(index);
    return {};
  }

  /// `from` begins at the run, or at the page's first chunk when all were fetched.
  Status DecodeRun(const ChunkRun& run, const Buffer& from, Decoded& out) const {
    if (run.begin == run.end) return {};
    const std::uint64_t base = fetched_whole_ ? 0 : known_->chunks[run.begin].offset;
    for (std::size_t i = run.begin; i < run.end; i++) {
      const MiniBlockChunk& chunk = known_->chunks[i];
      if (!InBounds(chunk.offset - base, chunk.size, from.size())) return DataCorruption("a page's chunks end early");
      FIRN_CHECK(DecodeChunk(layout_, known_->dictionary.get(), from.bytes().subspan(chunk.offset - base, chunk.size),
                             chunk.values, out));
    }
    return {};
  }

  /// Fixed-width values land where they stay.
  void ReserveFor(Decoded& decoded) const {
    std::uint64_t values = 0;
    std::uint64_t bytes = 0;
    for (const ChunkRun& run : runs_) {
      for (std::size_t i = run.begin; i < run.end; i++) {
        values += known_->chunks[i].values;
        bytes += known_->chunks[i].size;
      }
    }
    // Never on the word of a table alone: at most a modest multiple of the bytes that are really there.
    const auto reserve = [&](ByteBlock& block, std::uint64_t width) {
      block.Reserve(std::min(values, bytes * 64 / width) * width);
    };
    if (decoded.values.shape == Items::Shape::kFixed && decoded.values.width_bytes != 0)
      reserve(decoded.values.data, decoded.values.width_bytes);
    if (decoded.values.shape == Items::Shape::kBytes) reserve(decoded.values.data, decoded.values.wide_offsets ? 8 : 4);
    if (layout_.def) reserve(decoded.def.data, 2);
    if (layout_.rep) reserve(decoded.rep.data, 2);
  }

  PageRead read_;
  const MiniBlockLayout& layout_;
  const bool has_lists_;
  bool whole_ = false;
  bool at_once_ = false;        // small enough to fetch without looking for the rows first
  bool fetched_whole_ = false;  // all chunks are in parts_[0]
  bool rows_known_ = true;
  Buffer table_bytes_;
  Buffer dictionary_bytes_;
  Buffer rep_index_bytes_;
  std::shared_ptr<const MiniBlockIndex> known_;
  std::vector<ChunkRun> runs_;
  std::vector<Buffer> parts_;
};

}  // namespace

Result<std::vector<MiniBlockChunk>> ParseChunkTable(const MiniBlockLayout& layout, ByteSpan table, ByteSpan rep_index,
                                                    std::uint64_t chunk_bytes, std::uint64_t page_rows,
                                                    bool has_lists) {
  const std::uint64_t entry_bytes = layout.large_chunks ? 4 : 2;
  const std::uint64_t count = table.size() / entry_bytes;
  if (count == 0 && page_rows != 0) return DataCorruption("a page has no chunks");
  const std::uint64_t index_bytes = 8ULL * (layout.rep_index_depth + 1);
  const bool rows_known = has_lists && !rep_index.empty();
  if (rows_known && rep_index.size() < count * index_bytes)
    return DataCorruption("a page's repetition index ends early");

  std::vector<MiniBlockChunk> chunks(count);
  std::uint64_t offset = 0;
  std::uint64_t values = 0;
  std::uint64_t row = 0;
  bool inside_a_row = false;
  for (std::uint64_t i = 0; i < count; i++) {
    const std::uint8_t* at = table.data() + i * entry_bytes;
    const std::uint32_t entry = layout.large_chunks ? LoadLe<std::uint32_t>(at) : LoadLe<std::uint16_t>(at);
    MiniBlockChunk& chunk = chunks[i];
    chunk.offset = offset;
    chunk.size = kChunkAlignment * ((entry >> 4) + 1ULL);
    if (values > layout.items) return DataCorruption("a page's chunks hold more values than the page");
    chunk.values = i + 1 == count ? layout.items - values : 1ULL << (entry & 15);
    chunk.first_row = row;
    chunk.continues_a_row = inside_a_row;
    offset += chunk.size;
    values += chunk.values;
    if (rows_known) {
      const auto ends = LoadLe<std::uint64_t>(rep_index.data() + i * index_bytes);
      const auto rest = LoadLe<std::uint64_t>(rep_index.data() + i * index_bytes + 8);
      const bool row_goes_on = rest > 0;
      if (ends > page_rows || ends + (row_goes_on ? 1 : 0) < (inside_a_row ? 1U : 0U)) {
        return DataCorruption("a page's repetition index does not fit its rows");
      }
      row += ends + (row_goes_on ? 1 : 0) - (inside_a_row ? 1 : 0);
      inside_a_row = row_goes_on;
      if (row > page_rows) return DataCorruption("a page's repetition index does not fit its rows");
    } else if (!has_lists) {
      row = values;
    }
  }
  if (offset > chunk_bytes) return DataCorruption("a page's chunks are larger than their buffer");
  if (values != layout.items) return DataCorruption("a page's chunks hold another number of values than the page");
  if ((rows_known || !has_lists) && row != page_rows)
    return DataCorruption("a page's chunks hold another number of rows than the page");
  return chunks;
}

std::vector<ChunkRun> ChunksOf(const std::vector<MiniBlockChunk>& chunks, std::span<const RowSelection::Range> rows) {
  std::vector<ChunkRun> runs;
  const auto begins_after = [](std::uint64_t row, const MiniBlockChunk& chunk) { return row < chunk.first_row; };
  for (const RowSelection::Range& range : rows) {
    // Of the chunks whose first row is at most range.begin, the row begins in the last one; skip those where no row
    // begins.
    auto first = std::upper_bound(chunks.begin(), chunks.end(), range.begin, begins_after);
    if (first == chunks.begin()) continue;
    --first;
    // The last row ends before the first chunk that begins with a later row.
    auto end = std::upper_bound(first, chunks.end(), range.end - 1, begins_after);
    while (end != chunks.end() && end->continues_a_row && end->first_row == range.end) ++end;
    const ChunkRun run{static_cast<std::size_t>(first - chunks.begin()),
                       static_cast<std::size_t>(end - chunks.begin())};
    if (!runs.empty() && run.begin <= runs.back().end) {
      runs.back().end = std::max(runs.back().end, run.end);
    } else {
      runs.push_back(run);
    }
  }
  return runs;
}

Result<std::unique_ptr<PageReader>> OpenMiniBlockPage(PageRead read, const MiniBlockLayout& layout) {
  const std::size_t buffers = 2 + (layout.dictionary ? 1 : 0) + (read.page.layout.HasLists() ? 1 : 0);
  if (read.page.buffers.size() < buffers) return DataCorruption("a mini-block page has too few buffers");
  if (read.page.layout.HasLists() && (!layout.rep || layout.rep_index_depth == 0))
    return DataCorruption("a page of lists has no repetition levels");
  if (layout.dictionary && DecodedBits(layout.values) % 8 != 0)
    return DataCorruption("a dictionary's indices have an odd width");
  return std::make_unique<MiniBlockReader>(std::move(read), layout);
}

}  // namespace firn::lance
