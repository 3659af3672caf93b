#include "arrow/plain_layout.h"

#include <string>
#include <utility>

#include "arrow/buffers.h"

namespace firn::arrow {
namespace {

template <class Index>
Result<std::vector<std::int64_t>> CheckedIndices(const Array& indices, std::int64_t values, std::string_view what) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(indices.length()));
  const auto raw = indices.Values<Index>();
  for (std::size_t i = 0; i < rows.size(); i++) {
    if (indices.IsNull(static_cast<std::int64_t>(i))) continue;  // any row will do
    if (std::cmp_less(raw[i], 0) || std::cmp_greater_equal(raw[i], values)) {
      return DataCorruption(std::string(what) + " has dictionary index " + std::to_string(raw[i]) + " of " +
                            std::to_string(values) + " values");
    }
    rows[i] = static_cast<std::int64_t>(raw[i]);
  }
  return rows;
}

Result<std::vector<std::int64_t>> CheckedIndices(const Array& indices, std::int64_t values, std::string_view what) {
  switch (indices.type().id) {
    case TypeId::kInt8:
      return CheckedIndices<std::int8_t>(indices, values, what);
    case TypeId::kInt16:
      return CheckedIndices<std::int16_t>(indices, values, what);
    case TypeId::kInt32:
      return CheckedIndices<std::int32_t>(indices, values, what);
    case TypeId::kInt64:
      return CheckedIndices<std::int64_t>(indices, values, what);
    case TypeId::kUInt8:
      return CheckedIndices<std::uint8_t>(indices, values, what);
    case TypeId::kUInt16:
      return CheckedIndices<std::uint16_t>(indices, values, what);
    case TypeId::kUInt32:
      return CheckedIndices<std::uint32_t>(indices, values, what);
    case TypeId::kUInt64:
      return CheckedIndices<std::uint64_t>(indices, values, what);
    default:
      return DataCorruption(std::string(what) + " has dictionary indices of " + indices.type().ToString());
  }
}

/// A row is null when its index is, or the value that it points to.
Array WithNullsOf(const Array& values, const Array& indices) {
  if (indices.data().validity.empty()) return values;
  ArrayData out = values.data();
  if (out.validity.empty()) {
    out.validity = indices.data().validity;
  } else {
    Block both(BytesForBits(out.length));
    for (std::size_t i = 0; i < both.size(); i++) {
      both.data()[i] = static_cast<std::uint8_t>(out.validity.data()[i] & indices.data().validity.data()[i]);
    }
    out.validity = std::move(both).Finish();
  }
  out.null_count = out.length - CountOnes(out.validity.data(), 0, out.length);
  return Array(std::move(out));
}

Error TooLong(std::string_view what) {
  return Unsupported(std::string(what) + " has more than 2 GiB of text in one batch", "Send smaller batches");
}

}  // namespace

Status ByteBudget::Charge(std::uint64_t bytes, std::string_view what) {
  if (bytes > left_) {
    return ResourceExhausted(std::string(what) + " takes more memory than one batch may", "Send smaller batches");
  }
  left_ -= bytes;
  return {};
}

Result<Array> DecodeDictionary(const Array& indices, const Array& values, ByteBudget& budget, std::string_view what) {
  const std::int64_t length = indices.length();
  if (indices.null_count() == length || values.type().id == TypeId::kNull) {
    FIRN_CHECK(budget.Charge(
        static_cast<std::uint64_t>(length) * static_cast<std::uint64_t>(BitWidth(values.type()) / 8 + 9), what));
    return Nulls(values.type_ptr(), length);
  }
  FIRN_CHECK(budget.Charge(static_cast<std::uint64_t>(length) * 8, what));
  FIRN_TRY(const std::vector<std::int64_t> rows, CheckedIndices(indices, values.length(), what));
  std::uint64_t bytes = 0;
  if (IsVarBytes(values.type().id)) {
    for (const std::int64_t row : rows) bytes += values.BytesAt(row).size();
    if (!HasLargeOffsets(values.type().id) && bytes > INT32_MAX) return TooLong(what);
    bytes += rows.size() * 8;
  } else {
    bytes = static_cast<std::uint64_t>(length) * static_cast<std::uint64_t>(BitWidth(values.type()) / 8 + 1);
  }
  FIRN_CHECK(budget.Charge(bytes, what));
  return WithNullsOf(Take(values, rows), indices);
}

Result<Array> DecodeViews(const TypePtr& type, std::int64_t length, std::int64_t null_count, const Buffer& validity,
                          ByteSpan views, std::span<const ByteSpan> blocks, ByteBudget& budget, std::string_view what) {
  const auto rows = static_cast<std::size_t>(length);
  if (views.size() / 16 < rows) return DataCorruption(std::string(what) + " has too few views");
  // A view: size i32; up to 12 bytes follow in place, or their first 4, the block i32, and the offset in it i32.
  const auto value = [&](std::size_t i) -> Result<ByteSpan> {
    if (!validity.empty() && !BitAt(validity.data(), static_cast<std::int64_t>(i))) return ByteSpan();
    const ByteSpan view = views.subspan(16 * i, 16);
    const auto size = LoadLe<std::int32_t>(view.data());
    if (size >= 0 && size <= 12) return view.subspan(4, static_cast<std::size_t>(size));
    const auto block = LoadLe<std::uint32_t>(view.data() + 8);
    const auto offset = LoadLe<std::uint32_t>(view.data() + 12);
    if (size < 0 || block >= blocks.size() ||
        !InBounds(offset, static_cast<std::uint64_t>(size), blocks[block].size())) {
      return DataCorruption(std::string(what) + " has a view that points outside of its data");
    }
    return blocks[block].subspan(offset, static_cast<std::size_t>(size));
  };
  std::vector<std::int32_t> offsets = {0};
  FIRN_CHECK(budget.Charge((rows + 1) * sizeof(std::int32_t), what));
  offsets.reserve(rows + 1);
  std::uint64_t total = 0;
  for (std::size_t i = 0; i < rows; i++) {
    FIRN_TRY(const ByteSpan bytes, value(i));
    total += bytes.size();
    if (total > INT32_MAX) return TooLong(what);
    offsets.push_back(static_cast<std::int32_t>(total));
  }
  FIRN_CHECK(budget.Charge(total, what));
  Block block(total);
  for (std::size_t i = 0; i < rows; i++) {
    FIRN_TRY(const ByteSpan bytes, value(i));
    CopyBytes(block.data() + offsets[i], bytes);
  }
  return Array(
      {type, length, null_count, validity, Buffer::OfValues(std::move(offsets)), std::move(block).Finish(), {}});
}

}  // namespace firn::arrow
