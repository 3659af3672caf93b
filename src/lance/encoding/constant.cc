// Constant pages: one value, or null, for every item; only the levels differ.
//
// Buffers:  none | [value] | [rep, def] | [value, rep, def]
// A value that is not inline: [u32 n] [u32 size] x n, then the n buffers of a one-row Arrow array (strings: offsets,
// bytes). Levels are u16 each, or encoded as the layout says.

#include <string>

#include "lance/encoding/page_reader.h"
#include "lance/encoding/values.h"

namespace firn::lance {
namespace {

class ConstantReader final : public PageReader {
 public:
  ConstantReader(PageRead read, const ConstantLayout& layout) : read_(std::move(read)), layout_(layout) {}

  Status Check() {
    const std::size_t buffers = read_.page.buffers.size();
    if (buffers > 3) return DataCorruption("a constant page has too many buffers");
    value_in_buffer_ = buffers == 1 || buffers == 3;
    if (value_in_buffer_ && layout_.inline_value) return DataCorruption("a constant page has two values");
    return {};
  }

  void RequestIndex(PageFetch&) override {}

  Status RequestValues(PageFetch& fetch) override {
    const std::vector<ByteRange>& buffers = read_.page.buffers;
    if (value_in_buffer_) fetch.Add(buffers[0], &value_);
    if (buffers.size() >= 2) {
      fetch.Add(buffers[buffers.size() - 2], &rep_bytes_);
      fetch.Add(buffers[buffers.size() - 1], &def_bytes_);
    }
    return {};
  }

  Result<std::vector<arrow::Array>> Decode() override {
    Items rep = Items::Fixed(2);
    Items def = Items::Fixed(2);
    FIRN_CHECK(DecodeLevels(layout_.rep, layout_.rep_values, rep_bytes_.bytes(), rep));
    FIRN_CHECK(DecodeLevels(layout_.def, layout_.def_values, def_bytes_.bytes(), def));
    const bool all_rows = rep.count != 0 || def.count != 0;  // levels are of the whole page
    const std::uint64_t slots = rep.count != 0 ? rep.count : def.count != 0 ? def.count : SelectedRows();
    const bool has_value = value_in_buffer_ || layout_.inline_value.has_value();
    // An empty struct has no values, and is null only where its levels say so.
    if (!has_value && def.count == 0 && read_.page.layout.layers[0].has_nulls && !IsEmptyStruct())
      FIRN_CHECK(AllNull(slots, def));

    std::uint64_t visible = slots;
    if (def.count != 0) {
      visible = 0;
      const std::uint16_t limit = read_.page.layout.MaxVisibleDef();
      for (std::uint64_t i = 0; i < def.count; i++) visible += def.ValuesAs<std::uint16_t>()[i] <= limit;
    }
    FIRN_TRY(Items items, Items::For(read_.path.leaf()));
    if (has_value) {
      FIRN_CHECK(Repeat(visible, items));
    } else {
      FIRN_CHECK(items.AppendNulls(visible));
    }
    const Levels levels{{rep.ValuesAs<std::uint16_t>(), rep.count}, {def.ValuesAs<std::uint16_t>(), def.count}, slots};
    const std::uint64_t rows = all_rows ? read_.page.rows : slots;
    FIRN_TRY(arrow::Array array, Nest(read_.path, read_.page.layout.layers, levels, items.Finish(), rows));
    return std::vector<arrow::Array>{all_rows ? GatherRows(array, read_.rows) : array};
  }

 private:
  std::uint64_t SelectedRows() const {
    std::uint64_t rows = 0;
    for (const RowSelection::Range& range : read_.rows) rows += range.end - range.begin;
    return rows;
  }

  bool IsEmptyStruct() const {
    return read_.path.leaf()->id == arrow::TypeId::kStruct && read_.path.leaf()->children.empty();
  }

  static Status DecodeLevels(const std::optional<Encoding>& encoding, std::uint64_t count, ByteSpan bytes, Items& out) {
    if (bytes.empty()) return {};
    if (encoding) return DecodeBlock(*encoding, bytes, count, out);
    if (bytes.size() % 2 != 0) return DataCorruption("the levels of a constant page are not whole 16-bit integers");
    FIRN_TRY(std::uint8_t* to, out.Extend(bytes.size() / 2));
    CopyBytes(to, bytes);
    return {};
  }

  static Status AllNull(std::uint64_t slots, Items& def) {
    FIRN_TRY(std::uint8_t* to, def.Extend(slots));
    const std::uint16_t null_item = 1;
    for (std::uint64_t i = 0; i < slots; i++) std::memcpy(to + 2 * i, &null_item, 2);
    return {};
  }

  /// The value's bytes as the layout keeps them.
  Result<ByteSpan> Value(const Items& items) const {
    if (layout_.inline_value) return AsBytes(*layout_.inline_value);
    ByteReader reader(value_.bytes(), "a constant page's value");
    FIRN_TRY(const auto buffers, reader.Read<std::uint32_t>());
    const std::uint32_t right = items.shape == Items::Shape::kBytes ? 2 : 1;
    if (buffers != right) return DataCorruption("a constant page's value has " + std::to_string(buffers) + " buffers");
    std::uint32_t last = 0;
    std::uint64_t before = 0;
    for (std::uint32_t i = 0; i < buffers; i++) {
      before += last;
      FIRN_TRY(last, reader.Read<std::uint32_t>());
    }
    FIRN_CHECK(reader.Take(before));
    return reader.Take(last);
  }

  Status Repeat(std::uint64_t count, Items& items) const {
    FIRN_TRY(const ByteSpan value, Value(items));
    switch (items.shape) {
      case Items::Shape::kBits:
        if (value.empty()) return DataCorruption("a constant page's value has another width than its type");
        items.bits.AppendSame((value[0] & 1) != 0, count);
        items.count += count;
        return {};
      case Items::Shape::kFixed: {
        if (value.size() != items.width_bytes)
          return DataCorruption("a constant page's value has another width than its type");
        FIRN_TRY(std::uint8_t* to, items.Extend(count));
        for (std::uint64_t i = 0; i < count; i++)
          std::memcpy(to + i * items.width_bytes, value.data(), items.width_bytes);
        return {};
      }
      case Items::Shape::kBytes:
        if (!value.empty() && count > Items::kMaxBytes / value.size()) {
          return ResourceExhausted("a constant page has more than 8 GiB of text or bytes", "read fewer rows at once");
        }
        for (std::uint64_t i = 0; i < count; i++) {
          items.bytes.Append(value);
          FIRN_CHECK(items.CloseValue());
        }
        return {};
      default:
        return Unsupported("a constant page of type " + read_.path.leaf()->ToString() + " cannot be read");
    }
  }

  PageRead read_;
  const ConstantLayout& layout_;
  bool value_in_buffer_ = false;
  Buffer value_;
  Buffer rep_bytes_;
  Buffer def_bytes_;
};

}  // namespace

Result<std::unique_ptr<PageReader>> OpenConstantPage(PageRead read, const ConstantLayout& layout) {
  auto reader = std::make_unique<ConstantReader>(std::move(read), layout);
  FIRN_CHECK(reader->Check());
  return reader;
}

}  // namespace firn::lance
