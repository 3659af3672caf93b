// Full-zip pages: values so wide that each stands on its own.
//
// Buffer 0, an item after another:  [control word: 0, 1, 2 or 4 bytes = rep << def bits | def] [u32 or u64 length]
// value
//   Items without a value (null or empty lists) have only the control word. A null item has its full width when the
//   width is fixed, and only the control word when it has a length.
// Buffer 1, when items have lengths or are in lists:  where each row begins, and the end: rows + 1 integers of 1, 2, 4
// or 8 bytes.

#include <algorithm>
#include <string>

#include "lance/encoding/page_reader.h"
#include "lance/encoding/values.h"

namespace firn::lance {
namespace {

constexpr std::uint64_t kRememberedIndexBytes = 64ULL << 10;
constexpr std::uint64_t kReadAheadIndexBytes = 1ULL << 20;  // when nothing but the index is wanted

struct FullZipIndex final : PageIndex {
  Buffer row_starts;
  std::size_t SizeBytes() const override { return sizeof *this + row_starts.size(); }
};

class FullZipReader final : public PageReader {
 public:
  FullZipReader(PageRead read, const FullZipLayout& layout)
      : read_(std::move(read)),
        layout_(layout),
        max_rep_(read_.page.layout.MaxRep()),
        max_visible_def_(read_.page.layout.MaxVisibleDef()) {
    const std::uint32_t level_bits = layout_.rep_bits + layout_.def_bits;
    control_bytes_ = level_bits == 0 ? 0 : level_bits <= 8 ? 1 : level_bits <= 16 ? 2 : 4;
    has_lengths_ = layout_.length_bits != 0;
    if (!has_lengths_) value_bytes_ = layout_.value_bits / 8;
    plain_ = control_bytes_ == 0 && !has_lengths_ && IsPlain();
    needs_index_ = (has_lengths_ || max_rep_ > 0) && !read_.WholePage();
    if (read_.index) known_ = std::dynamic_pointer_cast<const FullZipIndex>(read_.index);
  }

  Status Check() {
    const std::vector<ByteRange>& buffers = read_.page.buffers;
    if (buffers.empty()) return DataCorruption("a full-zip page has no buffers");
    if ((max_rep_ > 0) != (layout_.rep_bits > 0))
      return DataCorruption("a full-zip page's control words do not suit its layers");
    if (!has_lengths_) {
      if (ZippedBytes(layout_.values) != value_bytes_)
        return DataCorruption("a full-zip page's values have another width than their encoding");
      if (max_rep_ == 0 && read_.page.rows > buffers[0].length / (control_bytes_ + value_bytes_))
        return DataCorruption("a full-zip page ends early");
    }
    if (!needs_index_) return {};
    if (buffers.size() < 2) return DataCorruption("a full-zip page has no repetition index");
    start_bytes_ = buffers[1].length / (read_.page.rows + 1);
    if (buffers[1].length != start_bytes_ * (read_.page.rows + 1) ||
        (start_bytes_ != 1 && start_bytes_ != 2 && start_bytes_ != 4 && start_bytes_ != 8)) {
      return DataCorruption("a full-zip page's repetition index has an odd size");
    }
    return {};
  }

  void RequestIndex(PageFetch& fetch) override {
    if (!needs_index_ || known_ || FetchWhole()) return;
    const ByteRange& index = read_.page.buffers[1];
    const bool only_the_index = read_.rows.empty();
    if (index.length <= (only_the_index ? kReadAheadIndexBytes : kRememberedIndexBytes)) {
      fetch.Add(index, &row_starts_);
      return;
    }
    partial_starts_.resize(read_.rows.size());
    for (std::size_t i = 0; i < read_.rows.size(); i++) {
      const RowSelection::Range& range = read_.rows[i];
      fetch.Add({index.offset + range.begin * start_bytes_, (range.end - range.begin + 1) * start_bytes_},
                &partial_starts_[i]);
    }
  }

  Status RequestValues(PageFetch& fetch) override {
    const ByteRange& items = read_.page.buffers[0];
    if (plain_) {
      RequestPlain(fetch);
      return {};
    }
    if (read_.WholePage()) {
      parts_.resize(1);
      fetch.Add(WholeItems(), &parts_[0]);
      return {};
    }
    if (needs_index_ && !known_ && FetchWhole()) {
      fetch.Add(items, &whole_items_);
      fetch.Add(read_.page.buffers[1], &row_starts_);
      return {};
    }
    Learn();
    parts_.resize(read_.rows.size());
    for (std::size_t i = 0; i < read_.rows.size(); i++) {
      FIRN_TRY(const ByteRange bytes, BytesOf(i));
      fetch.Add({items.offset + bytes.offset, bytes.length}, &parts_[i]);
    }
    return {};
  }

  Result<std::vector<arrow::Array>> Decode() override {
    if (parts_.empty()) {
      Learn();
      for (std::size_t i = 0; i < read_.rows.size(); i++) {
        FIRN_TRY(const ByteRange bytes, BytesOf(i));
        parts_.push_back(whole_items_.Slice(bytes.offset, bytes.length));
      }
    }
    std::uint64_t rows = 0;
    for (const RowSelection::Range& range : read_.rows) rows += range.end - range.begin;
    if (plain_) return DecodePlain(rows);
    FIRN_TRY(Items items, Items::For(read_.path.leaf()));
    for (const Buffer& part : parts_) FIRN_CHECK(DecodeItems(part.bytes(), items));
    const Levels levels{rep_, def_, slots_};
    FIRN_TRY(arrow::Array array, Nest(read_.path, read_.page.layout.layers, levels, items.Finish(), rows));
    return std::vector<arrow::Array>{std::move(array)};
  }

  Result<PageIndexPtr> LearntIndex() override {
    Learn();
    return PageIndexPtr(known_);
  }

 private:
  bool FetchWhole() const {
    return read_.page.buffers[0].length + read_.page.buffers[1].length <= read_.read_whole_bytes;
  }

  /// Without lengths and lists the page's rows say where it ends.
  ByteRange WholeItems() const {
    ByteRange items = read_.page.buffers[0];
    if (!has_lengths_ && max_rep_ == 0) items.length = read_.page.rows * (control_bytes_ + value_bytes_);
    return items;
  }

  void Learn() {
    if (known_ || row_starts_.empty()) return;
    auto index = std::make_shared<FullZipIndex>();
    index->row_starts = Buffer::Copy(row_starts_.bytes());
    known_ = std::move(index);
  }

  std::uint64_t StartAt(const Buffer& starts, std::uint64_t i) const {
    const std::uint8_t* at = starts.data() + i * start_bytes_;
    switch (start_bytes_) {
      case 1:
        return *at;
      case 2:
        return LoadLe<std::uint16_t>(at);
      case 4:
        return LoadLe<std::uint32_t>(at);
      default:
        return LoadLe<std::uint64_t>(at);
    }
  }

  /// Where the rows of range `i` stand in buffer 0.
  Result<ByteRange> BytesOf(std::size_t i) const {
    const RowSelection::Range& range = read_.rows[i];
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    if (!needs_index_) {
      const std::uint64_t stride = control_bytes_ + value_bytes_;
      begin = range.begin * stride;
      end = range.end * stride;
    } else if (known_) {
      begin = StartAt(known_->row_starts, range.begin);
      end = StartAt(known_->row_starts, range.end);
    } else {
      begin = StartAt(partial_starts_[i], 0);
      end = StartAt(partial_starts_[i], range.end - range.begin);
    }
    if (begin > end || end > read_.page.buffers[0].length)
      return DataCorruption("a full-zip page's repetition index points past its end");
    return ByteRange{begin, end - begin};
  }

  /// Items without a control word, length or validity: their bytes are Arrow's already.
  bool IsPlain() const {
    const Encoding* encoding = &layout_.values;
    const arrow::Type* type = read_.path.leaf().get();
    while (encoding->kind == Encoding::Kind::kFixedSizeList && type->id == arrow::TypeId::kFixedSizeList) {
      if (encoding->has_validity || encoding->items != static_cast<std::uint64_t>(type->list_size)) return false;
      encoding = &encoding->children[0];
      type = type->children[0].type.get();
    }
    const std::int64_t bits = arrow::BitWidth(*type);
    return encoding->kind == Encoding::Kind::kFlat && bits >= 8 && bits == static_cast<std::int64_t>(encoding->bits);
  }

  /// Long runs in parts of whole rows, each of which can be handed out as it comes.
  void RequestPlain(PageFetch& fetch) {
    const std::uint64_t part_rows = std::max<std::uint64_t>(1, ReadRound::kPartBytes / value_bytes_);
    std::vector<ByteRange> ranges;
    for (const RowSelection::Range& range : read_.rows) {
      for (std::uint64_t row = range.begin; row < range.end; row += part_rows) {
        const std::uint64_t rows = std::min(part_rows, range.end - row);
        ranges.push_back({read_.page.buffers[0].offset + row * value_bytes_, rows * value_bytes_});
      }
    }
    parts_.resize(ranges.size());
    for (std::size_t i = 0; i < ranges.size(); i++) fetch.Add(ranges[i], &parts_[i]);
  }

  /// Views of the store's bytes when the rows are one run; scattered rows are copied together.
  Result<std::vector<arrow::Array>> DecodePlain(std::uint64_t rows) {
    if (read_.rows.size() > 1) {
      ByteBlock joined;
      joined.Reserve(rows * value_bytes_);
      for (const Buffer& part : parts_) joined.Append(part.bytes());
      parts_ = {joined.Finish()};
    }
    std::vector<arrow::Array> arrays;
    std::uint64_t total = 0;
    for (Buffer& part : parts_) {
      const std::uint64_t part_rows = part.size() / value_bytes_;
      FIRN_TRY(arrow::Array array, Nest(read_.path, read_.page.layout.layers, {{}, {}, part_rows},
                                        PlainValues(std::move(part)), part_rows));
      arrays.push_back(std::move(array));
      total += part_rows;
    }
    if (total != rows) return DataCorruption("a full-zip page ends early");
    return arrays;
  }

  /// Copied only when the address does not suit the type.
  arrow::Array PlainValues(Buffer values) const {
    const auto rows = static_cast<std::int64_t>(values.size() / value_bytes_);
    const arrow::Type* type = read_.path.leaf().get();
    while (type->id == arrow::TypeId::kFixedSizeList) type = type->children[0].type.get();
    const std::int64_t width = arrow::BitWidth(*type) / 8;
    const std::uintptr_t alignment = width % 8 == 0 ? 8 : width % 4 == 0 ? 4 : width % 2 == 0 ? 2 : 1;
    if (reinterpret_cast<std::uintptr_t>(values.data()) % alignment != 0) {
      ByteBlock aligned;
      aligned.Append(values.bytes());
      values = aligned.Finish();
    }
    return PlainArray(read_.path.leaf(), rows, values);
  }

  static arrow::Array PlainArray(const arrow::TypePtr& type, std::int64_t length, const Buffer& values) {
    arrow::ArrayData data;
    data.type = type;
    data.length = length;
    if (type->id == arrow::TypeId::kFixedSizeList) {
      data.children.push_back(PlainArray(type->children[0].type, length * type->list_size, values));
    } else {
      data.data = values;
    }
    return arrow::Array(std::move(data));
  }

  Status DecodeItems(ByteSpan bytes, Items& items) {
    const auto ends_early = [] { return DataCorruption("a full-zip page ends early"); };
    const std::uint32_t def_mask = (1U << layout_.def_bits) - 1;
    const std::uint32_t level_mask = static_cast<std::uint32_t>((1ULL << (layout_.rep_bits + layout_.def_bits)) - 1);
    const std::uint64_t length_bytes = layout_.length_bits / 8;
    std::uint64_t at = 0;
    while (at < bytes.size()) {
      std::uint16_t def = 0;
      if (control_bytes_ != 0) {
        if (bytes.size() - at < control_bytes_) return ends_early();
        std::uint32_t word = 0;
        std::memcpy(&word, bytes.data() + at, control_bytes_);
        at += control_bytes_;
        word &= level_mask;
        def = static_cast<std::uint16_t>(word & def_mask);
        if (layout_.rep_bits != 0) rep_.push_back(static_cast<std::uint16_t>(word >> layout_.def_bits));
        if (layout_.def_bits != 0) def_.push_back(def);
      }
      slots_++;
      if (def > max_visible_def_) continue;
      if (!has_lengths_) {
        if (bytes.size() - at < value_bytes_) return ends_early();
        FIRN_CHECK(DecodeZippedFixed(layout_.values, bytes.subspan(at, value_bytes_), items));
        at += value_bytes_;
      } else if (def != 0) {
        FIRN_CHECK(items.AppendNulls(1));
      } else {
        if (bytes.size() - at < length_bytes) return ends_early();
        const std::uint64_t length =
            length_bytes == 4 ? LoadLe<std::uint32_t>(bytes.data() + at) : LoadLe<std::uint64_t>(bytes.data() + at);
        at += length_bytes;
        if (bytes.size() - at < length) return ends_early();
        FIRN_CHECK(DecodeZippedVariable(layout_.values, bytes.subspan(at, length), items));
        at += length;
      }
    }
    return {};
  }

  PageRead read_;
  const FullZipLayout& layout_;
  const std::uint16_t max_rep_;
  const std::uint16_t max_visible_def_;
  std::uint32_t control_bytes_ = 0;
  std::uint64_t value_bytes_ = 0;
  std::uint64_t start_bytes_ = 0;  // of an entry of the repetition index
  bool has_lengths_ = false;
  bool needs_index_ = false;
  bool plain_ = false;  // the bytes of the items are Arrow's already
  std::shared_ptr<const FullZipIndex> known_;
  Buffer row_starts_;
  std::vector<Buffer> partial_starts_;  // a range's entries each
  Buffer whole_items_;
  std::vector<Buffer> parts_;  // a range's items each
  std::vector<std::uint16_t> rep_;
  std::vector<std::uint16_t> def_;
  std::uint64_t slots_ = 0;
};

}  // namespace

Result<std::unique_ptr<PageReader>> OpenFullZipPage(PageRead read, const FullZipLayout& layout) {
  auto reader = std::make_unique<FullZipReader>(std::move(read), layout);
  FIRN_CHECK(reader->Check());
  return reader;
}

}  // namespace firn::lance
