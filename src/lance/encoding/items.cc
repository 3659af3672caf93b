#include "lance/encoding/items.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <string>

namespace firn::lance {
namespace {

Error TooMany() {
  return ResourceExhausted("the values of one page need more than " + std::to_string(Items::kMaxBytes >> 30) + " GiB",
                           "read fewer rows at once");
}

std::int64_t CountZeros(const Buffer& bitmap, std::uint64_t length) {
  std::uint64_t ones = 0;
  const std::uint64_t whole = length / 8;
  for (std::uint64_t i = 0; i < whole; i++) ones += static_cast<std::uint64_t>(std::popcount(bitmap.data()[i]));
  if (length % 8 != 0) {
    ones += static_cast<std::uint64_t>(
        std::popcount(static_cast<std::uint8_t>(bitmap.data()[whole] & ((1U << (length % 8)) - 1))));
  }
  return static_cast<std::int64_t>(length - ones);
}

}  // namespace

void BitBlock::Append(const std::uint8_t* bits, std::uint64_t from, std::uint64_t count) {
  if (count == 0) return;
  if (length_ % 8 == 0 && from % 8 == 0) {
    const std::uint64_t size = (count + 7) / 8;
    std::uint8_t* to = bytes_.Extend(size);
    std::memcpy(to, bits + from / 8, size);
    if (count % 8 != 0) to[size - 1] &= static_cast<std::uint8_t>((1U << (count % 8)) - 1);
    length_ += count;
    return;
  }
  const std::uint64_t needed = (length_ + count + 7) / 8;
  bytes_.AppendZeros(needed - bytes_.size());
  std::uint8_t* to = bytes_.data();
  for (std::uint64_t i = 0; i < count; i++, length_++) {
    const auto bit = static_cast<std::uint8_t>(bits[(from + i) / 8] >> ((from + i) % 8) & 1);
    to[length_ / 8] = static_cast<std::uint8_t>(to[length_ / 8] | bit << (length_ % 8));
  }
}

void BitBlock::AppendSame(bool bit, std::uint64_t count) {
  const std::uint8_t byte = bit ? 0xFF : 0;
  while (count > 0 && length_ % 8 != 0) {
    Append(&byte, 0, 1);
    count--;
  }
  if (count == 0) return;
  const std::uint64_t size = (count + 7) / 8;
  std::uint8_t* to = bytes_.Extend(size);
  std::memset(to, byte, size);
  if (count % 8 != 0) to[size - 1] &= static_cast<std::uint8_t>((1U << (count % 8)) - 1);
  length_ += count;
}

Buffer BitBlock::Finish() {
  length_ = 0;
  return bytes_.Finish();
}

Items Items::Fixed(std::uint32_t width_bytes) {
  Items items;
  items.width_bytes = width_bytes;
  return items;
}

Result<Items> Items::For(const arrow::TypePtr& type) {
  using arrow::TypeId;
  Items items;
  items.type = type;
  switch (type->id) {
    case TypeId::kNull:
      items.shape = Shape::kNothing;
      return items;
    case TypeId::kBool:
      items.shape = Shape::kBits;
      return items;
    case TypeId::kUtf8:
    case TypeId::kBinary:
    case TypeId::kLargeUtf8:
    case TypeId::kLargeBinary:
      items.shape = Shape::kBytes;
      items.wide_offsets = arrow::HasLargeOffsets(type->id);
      items.data.AppendZeros(items.wide_offsets ? 8 : 4);
      return items;
    case TypeId::kFixedSizeList: {
      items.shape = Shape::kList;
      if (type->list_size < 0) return DataCorruption("a fixed_size_list has a negative size");
      items.list_size = static_cast<std::uint64_t>(type->list_size);
      const arrow::TypeId item = type->children[0].type->id;
      if (item == TypeId::kStruct) return Unsupported("a fixed_size_list of structs cannot be read");
      FIRN_TRY(Items child, For(type->children[0].type));
      items.children.push_back(std::move(child));
      return items;
    }
    case TypeId::kStruct:
      items.shape = Shape::kStruct;
      for (const arrow::Field& member : type->children) {
        FIRN_TRY(Items child, For(member.type));
        items.children.push_back(std::move(child));
      }
      return items;
    case TypeId::kList:
    case TypeId::kLargeList:
      return Unsupported("a list inside a packed struct or a fixed_size_list cannot be read");
    default:
      break;
  }
  const std::int64_t bits = arrow::BitWidth(*type);
  if (bits <= 0 || bits % 8 != 0) return Unsupported("values of type " + type->ToString() + " cannot be read");
  items.width_bytes = static_cast<std::uint32_t>(bits / 8);
  return items;
}

Result<std::uint8_t*> Items::Extend(std::uint64_t more) {
  if (width_bytes != 0 && more > (kMaxBytes - std::min<std::uint64_t>(data.size(), kMaxBytes)) / width_bytes)
    return TooMany();
  count += more;
  return data.Extend(more * width_bytes);
}

Status Items::CloseValue() {
  const std::uint64_t end = bytes.size();
  if (wide_offsets) {
    const auto offset = static_cast<std::int64_t>(end);
    std::memcpy(data.Extend(8), &offset, 8);
  } else {
    if (end > static_cast<std::uint64_t>(std::numeric_limits<std::int32_t>::max())) {
      return ResourceExhausted("the values of one page have more than 2 GiB of text or bytes",
                               "read fewer rows at once");
    }
    const auto offset = static_cast<std::int32_t>(end);
    std::memcpy(data.Extend(4), &offset, 4);
  }
  count++;
  return {};
}

Status Items::AppendNulls(std::uint64_t more) {
  switch (shape) {
    case Shape::kNothing:
      count += more;
      return {};
    case Shape::kBits:
      bits.AppendSame(false, more);
      count += more;
      return {};
    case Shape::kFixed: {
      FIRN_TRY(std::uint8_t* to, Extend(more));
      std::fill_n(to, more * width_bytes, std::uint8_t{0});
      return {};
    }
    case Shape::kBytes: {
      const std::uint64_t width = wide_offsets ? 8 : 4;
      if (more > kMaxBytes / width) return TooMany();
      for (std::uint64_t i = 0; i < more; i++) FIRN_CHECK(CloseValue());
      return {};
    }
    case Shape::kList:
      if (list_size != 0 && more > kMaxBytes / list_size) return TooMany();
      item_validity.AppendSame(true, more * list_size);
      count += more;
      return children[0].AppendNulls(more * list_size);
    case Shape::kStruct:
      for (Items& child : children) FIRN_CHECK(child.AppendNulls(more));
      count += more;
      return {};
  }
  return {};
}

arrow::Array Items::Finish() {
  arrow::ArrayData array;
  array.type = type;
  array.length = static_cast<std::int64_t>(count);
  switch (shape) {
    case Shape::kNothing:
      break;
    case Shape::kBits:
      array.data = bits.Finish();
      break;
    case Shape::kFixed:
      array.data = data.Finish();
      break;
    case Shape::kBytes:
      array.data = data.Finish();
      array.bytes = bytes.Finish();
      break;
    case Shape::kList: {
      arrow::Array child = children[0].Finish();
      if (some_item_null) {
        arrow::ArrayData with_nulls = child.data();
        const std::uint64_t length = item_validity.length();
        with_nulls.validity = item_validity.Finish();
        with_nulls.null_count = CountZeros(with_nulls.validity, length);
        if (with_nulls.null_count == 0) with_nulls.validity = {};
        child = arrow::Array(std::move(with_nulls));
      }
      array.children.push_back(std::move(child));
      break;
    }
    case Shape::kStruct:
      for (Items& child : children) array.children.push_back(child.Finish());
      break;
  }
  return arrow::Array(std::move(array));
}

}  // namespace firn::lance
