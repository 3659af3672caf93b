#include "lance/writing/full_zip_page.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "arrow/buffers.h"

namespace firn::lance {
namespace {

using arrow::Array;
using arrow::TypeId;

/// A value's bits as they stand in the file.
struct FixedShape {
  std::size_t value_bytes = 0;
  std::size_t validity_bytes = 0;  // in front, with nullable items
  pb::CompressiveEncoding encoding;

  std::size_t bytes() const { return validity_bytes + value_bytes; }
};

FixedShape ShapeOf(const arrow::Type& type, bool items_have_nulls) {
  FixedShape shape;
  if (type.id != TypeId::kFixedSizeList) {
    const auto bits = static_cast<std::uint64_t>(arrow::BitWidth(type));
    shape.value_bytes = bits / 8;
    shape.encoding = FlatEncoding(bits);
    return shape;
  }
  const auto items = static_cast<std::uint64_t>(type.list_size);
  const auto item_bits = static_cast<std::uint64_t>(arrow::BitWidth(*type.children[0].type));
  shape.value_bytes = items * item_bits / 8;
  shape.validity_bytes = items_have_nulls ? (items + 7) / 8 : 0;
  pb::FixedSizeList& list = *shape.encoding.mutable_fixed_size_list();
  list.set_items_per_value(items);
  list.set_has_validity(items_have_nulls);
  *list.mutable_values() = FlatEncoding(item_bits);
  return shape;
}

bool IsFixedList(const Array& values) { return values.type().id == TypeId::kFixedSizeList; }

const std::uint8_t* FixedBytes(const Array& values) {
  return IsFixedList(values) ? values.child(0).data().data.data() : values.data().data.data();
}

unsigned BitsFor(const std::vector<std::uint16_t>& levels) {
  return levels.empty() ? 0 : static_cast<unsigned>(std::bit_width(*std::ranges::max_element(levels)));
}

std::size_t BytesFor(std::uint64_t largest) {
  for (const std::size_t bytes : {1U, 2U, 4U}) {
    if (largest >> (8 * bytes) == 0) return bytes;
  }
  return 8;
}

/// Non-empty, and each begins where the one before ends: rows of the file.
Buffer PackOffsets(const std::vector<std::uint64_t>& offsets) {
  const std::size_t width = BytesFor(offsets.back());
  std::string packed;
  packed.reserve(width * offsets.size());
  for (const std::uint64_t offset : offsets) packed.append(reinterpret_cast<const char*>(&offset), width);
  return Buffer::Of(std::move(packed));
}

class FullZipEncoder {
 public:
  explicit FullZipEncoder(const LeafColumn& leaf)
      : leaf_(leaf),
        variable_(arrow::IsVarBytes(leaf.values.type().id)),
        rep_bits_(BitsFor(leaf.rep)),
        def_bits_(BitsFor(leaf.def)),
        max_rep_(leaf.max_rep()) {
    const unsigned bits = rep_bits_ + def_bits_;
    word_bytes_ = bits == 0 ? 0 : bits <= 8 ? 1 : bits <= 16 ? 2 : 4;
    if (!variable_) shape_ = ShapeOf(leaf.values.type(), ItemsHaveNulls());
  }

  EncodedPage Run() {
    const bool raw = !variable_ && word_bytes_ == 0 && shape_.validity_bytes == 0;
    if (raw) return EncodeRaw();
    zipped_.reserve(SizeEstimate());
    std::int64_t value = 0;
    for (std::int64_t item = 0; item < leaf_.items(); item++) {
      const auto i = static_cast<std::size_t>(item);
      const std::uint16_t rep = leaf_.rep.empty() ? 0 : leaf_.rep[i];
      const std::uint16_t def = leaf_.def.empty() ? 0 : leaf_.def[i];
      if (leaf_.rep.empty() || rep == max_rep_) row_starts_.push_back(zipped_.size());
      AppendWord(rep, def);
      if (def > leaf_.max_visible_def) continue;
      if (variable_) {
        if (def == 0) AppendVariable(value);
      } else {
        AppendFixed(value);
      }
      value++;
    }
    row_starts_.push_back(zipped_.size());
    EncodedPage page = Describe();
    page.AddBuffer(Buffer::Of(std::move(zipped_)));
    if (variable_ || !leaf_.rep.empty()) page.AddBuffer(PackOffsets(row_starts_));
    return page;
  }

 private:
  bool ItemsHaveNulls() const { return IsFixedList(leaf_.values) && leaf_.values.child(0).null_count() > 0; }

  std::size_t SizeEstimate() const {
    const auto items = static_cast<std::size_t>(leaf_.items());
    if (!variable_) return items * (word_bytes_ + shape_.bytes());
    return items * (word_bytes_ + LengthBytes()) + leaf_.values.data().bytes.size();
  }

  std::size_t LengthBytes() const { return arrow::HasLargeOffsets(leaf_.values.type().id) ? 8 : 4; }

  EncodedPage Describe() const {
    EncodedPage page;
    page.rows = static_cast<std::uint64_t>(leaf_.rows);
    pb::FullZipLayout& layout = *page.layout.mutable_full_zip_layout();
    layout.set_bits_rep(rep_bits_);
    layout.set_bits_def(def_bits_);
    if (variable_) {
      layout.set_bits_per_offset(static_cast<std::uint32_t>(8 * LengthBytes()));
      *layout.mutable_value_compression() = VariableEncoding(8 * LengthBytes());
    } else {
      layout.set_bits_per_value(static_cast<std::uint32_t>(8 * shape_.bytes()));
      *layout.mutable_value_compression() = shape_.encoding;
    }
    layout.set_num_items(static_cast<std::uint64_t>(leaf_.items()));
    layout.set_num_visible_items(static_cast<std::uint64_t>(leaf_.values.length()));
    for (const pb::RepDefLayer layer : leaf_.layers) layout.add_layers(layer);
    return page;
  }

  EncodedPage EncodeRaw() const {
    EncodedPage page = Describe();
    const Buffer& data = IsFixedList(leaf_.values) ? leaf_.values.child(0).data().data : leaf_.values.data().data;
    page.AddBuffer(data.Slice(0, static_cast<std::size_t>(leaf_.values.length()) * shape_.value_bytes));
    return page;
  }

  void AppendWord(std::uint16_t rep, std::uint16_t def) {
    const std::uint32_t word = static_cast<std::uint32_t>(rep) << def_bits_ | def;
    zipped_.append(reinterpret_cast<const char*>(&word), word_bytes_);
  }

  void AppendVariable(std::int64_t index) {
    const std::string_view value = leaf_.values.BytesAt(index);
    const std::uint64_t length = value.size();
    zipped_.append(reinterpret_cast<const char*>(&length), LengthBytes());
    zipped_ += value;
  }

  void AppendFixed(std::int64_t index) {
    if (shape_.validity_bytes > 0) AppendItemValidity(index);
    const std::uint8_t* from = FixedBytes(leaf_.values) + static_cast<std::size_t>(index) * shape_.value_bytes;
    zipped_.append(reinterpret_cast<const char*>(from), shape_.value_bytes);
  }

  void AppendItemValidity(std::int64_t index) {
    const std::int64_t items = leaf_.values.type().list_size;
    const std::size_t start = zipped_.size();
    zipped_.resize(start + shape_.validity_bytes, '\0');
    arrow::CopyBits(leaf_.values.child(0).data().validity.data(), index * items,
                    reinterpret_cast<std::uint8_t*>(zipped_.data()) + start, 0, items);
  }

  const LeafColumn& leaf_;
  const bool variable_;
  const unsigned rep_bits_;
  const unsigned def_bits_;
  const std::uint16_t max_rep_;
  std::size_t word_bytes_ = 0;
  FixedShape shape_;
  std::string zipped_;
  std::vector<std::uint64_t> row_starts_;
};

}  // namespace

EncodedPage EncodeFullZipPage(const LeafColumn& leaf) { return FullZipEncoder(leaf).Run(); }

EncodedPage EncodeRawVectorPage(const std::vector<arrow::Array>& values) {
  const FixedShape shape = ShapeOf(values.front().type(), false);
  EncodedPage page;
  std::vector<Buffer> pieces;
  for (const Array& array : values) {
    const auto rows = static_cast<std::size_t>(array.length());
    page.rows += rows;
    pieces.push_back(array.child(0).data().data.Slice(0, rows * shape.value_bytes));
  }
  page.buffers.push_back(std::move(pieces));
  pb::FullZipLayout& layout = *page.layout.mutable_full_zip_layout();
  layout.set_bits_per_value(static_cast<std::uint32_t>(8 * shape.value_bytes));
  *layout.mutable_value_compression() = shape.encoding;
  layout.set_num_items(page.rows);
  layout.set_num_visible_items(page.rows);
  layout.add_layers(pb::REPDEF_ALL_VALID_ITEM);
  return page;
}

}  // namespace firn::lance
