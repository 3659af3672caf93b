#include "lance/writing/column_encoder.h"

#include <algorithm>

#include "lance/writing/full_zip_page.h"

namespace firn::lance {
namespace {

using arrow::Array;
using arrow::TypeId;

// From this width on, a chunk of values would be read for a single one in vain.
constexpr std::int64_t kWideValueBytes = 256;

bool IsRawVector(const Array& array) {
  return array.type().id == TypeId::kFixedSizeList && array.null_count() == 0 && array.child(0).null_count() == 0;
}

/// No value anywhere: only levels, and not even them when a null is all that can be.
EncodedPage EncodeConstantPage(const LeafColumn& leaf) {
  EncodedPage page;
  page.rows = static_cast<std::uint64_t>(leaf.rows);
  pb::ConstantLayout& layout = *page.layout.mutable_constant_layout();
  for (const pb::RepDefLayer layer : leaf.layers) layout.add_layers(layer);
  const bool plain_nulls = leaf.layers.size() == 1;
  if (plain_nulls) {
    layout.set_layers(0, pb::REPDEF_NULLABLE_ITEM);
    return page;
  }
  page.AddBuffer(Buffer::OfValues(leaf.rep));
  page.AddBuffer(Buffer::OfValues(leaf.def));
  return page;
}

std::int64_t LongestValue(const Array& values) {
  std::size_t longest = 0;
  for (std::int64_t i = 0; i < values.length(); i++) longest = std::max(longest, values.BytesAt(i).size());
  return static_cast<std::int64_t>(longest);
}

/// Under nulls there may be any bytes, of any length.
Array WithoutHiddenBytes(const Array& values) {
  if (values.null_count() == 0) return values;
  for (std::int64_t i = 0; i < values.length(); i++) {
    if (values.IsNull(i) && !values.BytesAt(i).empty()) {
      std::vector<std::int64_t> all(static_cast<std::size_t>(values.length()));
      for (std::size_t k = 0; k < all.size(); k++) all[k] = static_cast<std::int64_t>(k);
      return arrow::Take(values, all);
    }
  }
  return values;
}

bool IsSmall(const Array& values) {
  const arrow::Type& type = values.type();
  if (type.id == TypeId::kFixedSizeList) return false;
  if (!arrow::IsVarBytes(type.id)) return arrow::BitWidth(type) / 8 < kWideValueBytes;
  const std::int64_t count = std::max<std::int64_t>(values.length(), 1);
  std::int64_t total = 0;
  for (std::int64_t i = 0; i < values.length(); i++) total += static_cast<std::int64_t>(values.BytesAt(i).size());
  return total / count < kWideValueBytes && LongestValue(values) <= kMaxMiniBlockValueBytes;
}

class LeafEncoder {
 public:
  LeafEncoder(const arrow::Field& column, ChunkSizes chunk_sizes, LeafPages& pages)
      : column_(column), chunk_sizes_(chunk_sizes), pages_(pages) {}

  Status Encode(LeafColumn leaf) {
    if (leaf.rows == 0) return {};
    if (leaf.values.type().id == TypeId::kNull || !leaf.HasValues()) {
      pages_.push_back(EncodeConstantPage(leaf));
      return {};
    }
    if (arrow::IsVarBytes(leaf.values.type().id)) leaf.values = WithoutHiddenBytes(leaf.values);
    if (!IsSmall(leaf.values)) {
      pages_.push_back(EncodeFullZipPage(leaf));
      return {};
    }
    if (auto page = EncodeMiniBlockPage(leaf, chunk_sizes_)) {
      pages_.push_back(std::move(*page));
      return {};
    }
    if (leaf.rows > 1) return EncodeHalves(leaf);
    if (leaf.values.type().id == TypeId::kBool) {
      return Unsupported("column " + column_.name + " has a row with too many empty lists between bools to be stored");
    }
    pages_.push_back(EncodeFullZipPage(leaf));
    return {};
  }

 private:
  // Long runs of empty lists between values: alone they make a constant page.
  Status EncodeHalves(const LeafColumn& leaf) {
    const std::int64_t middle = leaf.rows / 2;
    FIRN_CHECK(Encode(leaf.SliceRows(0, middle)));
    return Encode(leaf.SliceRows(middle, leaf.rows));
  }

  const arrow::Field& column_;
  const ChunkSizes chunk_sizes_;
  LeafPages& pages_;
};

std::int64_t RowsPerPage(std::int64_t rows, std::size_t bytes, std::uint64_t page_bytes) {
  if (bytes <= page_bytes) return rows;
  const double share = static_cast<double>(page_bytes) / static_cast<double>(bytes);
  return std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(rows) * share));
}

/// The pieces again, cut where pages end.
std::vector<std::vector<Array>> CutIntoPages(const std::vector<Array>& pieces, std::uint64_t page_bytes) {
  std::vector<std::vector<Array>> pages(1);
  std::uint64_t filled = 0;
  for (const Array& piece : pieces) {
    const auto row_bytes = static_cast<std::uint64_t>(piece.type().list_size) *
                           static_cast<std::uint64_t>(arrow::BitWidth(piece.child(0).type())) / 8;
    const std::uint64_t page_rows = std::max<std::uint64_t>(1, page_bytes / row_bytes);
    for (std::int64_t begin = 0; begin < piece.length();) {
      if (filled >= page_rows) {
        pages.emplace_back();
        filled = 0;
      }
      const auto count = std::min(piece.length() - begin, static_cast<std::int64_t>(page_rows - filled));
      pages.back().push_back(piece.Slice(begin, count));
      filled += static_cast<std::uint64_t>(count);
      begin += count;
    }
  }
  return pages;
}

Result<std::vector<LeafPages>> EncodeVectors(const std::vector<Array>& pieces, std::uint64_t page_bytes) {
  std::vector<LeafPages> leaves(1);
  for (const std::vector<Array>& page : CutIntoPages(pieces, page_bytes)) {
    if (!page.empty()) leaves[0].push_back(EncodeRawVectorPage(page));
  }
  return leaves;
}

}  // namespace

Result<std::vector<LeafPages>> EncodeColumn(const arrow::Field& field, const std::vector<Array>& pieces,
                                            const ColumnEncoderOptions& options) {
  if (std::ranges::all_of(pieces, IsRawVector)) return EncodeVectors(pieces, options.page_bytes);
  FIRN_TRY(const Array whole, arrow::Concat(pieces));
  const std::int64_t rows_per_page = RowsPerPage(whole.length(), arrow::SizeBytes(whole), options.page_bytes);
  std::vector<LeafPages> pages;
  for (std::int64_t begin = 0; begin < whole.length(); begin += rows_per_page) {
    const Array page = whole.Slice(begin, std::min(rows_per_page, whole.length() - begin));
    FIRN_TRY(std::vector<LeafColumn> leaves, Shred(field, page));
    pages.resize(leaves.size());
    for (std::size_t i = 0; i < leaves.size(); i++) {
      FIRN_CHECK(LeafEncoder(field, options.chunk_sizes, pages[i]).Encode(std::move(leaves[i])));
    }
  }
  return pages;
}

}  // namespace firn::lance
