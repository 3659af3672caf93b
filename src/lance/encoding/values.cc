#include "lance/encoding/values.h"

#include <string>

#include "lance/encoding/decode_errors.h"
#include "lance/encoding/fixed_values.h"
#include "lance/encoding/strings.h"

namespace firn::lance {
namespace {

using Kind = Encoding::Kind;
using Shape = Items::Shape;

constexpr std::uint64_t kMaxChunkBytes = 1ULL << 30;  // raw bytes of one compressed buffer

Result<ByteSpan> Only(std::span<const ByteSpan> buffers) {
  if (buffers.size() != 1)
    return DataCorruption("a chunk has " + std::to_string(buffers.size()) + " value buffers where 1 is right");
  return buffers[0];
}

Status AppendItemValidity(ByteSpan bits, std::uint64_t count, Items& list) {
  if (count > bits.size() * 8) return Short("validity bits of list items");
  list.item_validity.Append(bits.data(), 0, count);
  list.some_item_null = true;
  return {};
}

Result<std::uint64_t> ItemsIn(const Encoding& encoding, std::uint64_t count, const Items& out) {
  if (out.shape != Shape::kList || encoding.items != out.list_size) return Mismatch("fixed_size_list", out);
  if (count > Items::kMaxBytes / encoding.items) return DataCorruption("a page has too many list items");
  return count * encoding.items;
}

Status DecodeFixedSizeList(const Encoding& encoding, std::span<const ByteSpan> buffers, std::uint64_t count,
                           Items& out) {
  FIRN_TRY(const std::uint64_t items, ItemsIn(encoding, count, out));
  if (encoding.has_validity) {
    if (buffers.empty()) return Short("validity bits of list items");
    FIRN_CHECK(AppendItemValidity(buffers[0], items, out));
    buffers = buffers.subspan(1);
  } else {
    out.item_validity.AppendSame(true, items);
  }
  out.count += count;
  return DecodeMiniBlock(encoding.children[0], buffers, items, out.children[0]);
}

/// Rows of members, each a whole number of bytes.
Status DecodePackedStruct(const Encoding& encoding, ByteSpan rows, std::uint64_t count, Items& out) {
  if (out.shape != Shape::kStruct || out.children.size() != encoding.member_bits.size())
    return Mismatch("packed_struct", out);
  if (encoding.children[0].kind != Kind::kFlat)
    return Unsupported("packed structs that are encoded further are not known");
  std::uint64_t row_bytes = 0;
  for (const std::uint32_t bits : encoding.member_bits) row_bytes += bits / 8;
  if (!Fits(count, row_bytes, rows.size())) return Short("packed structs");
  std::uint64_t at = 0;
  for (std::size_t i = 0; i < out.children.size(); i++) {
    const std::uint64_t width = encoding.member_bits[i] / 8;
    Items* values = &out.children[i];
    std::uint64_t items = count;
    while (values->shape == Shape::kList) {  // a vector inside: its items stand there as they are
      if (values->list_size == 0 || items > Items::kMaxBytes / values->list_size)
        return Mismatch("packed_struct", *values);
      items *= values->list_size;
      values->count += items / values->list_size;
      values->item_validity.AppendSame(true, items);
      values = &values->children[0];
    }
    if (values->shape != Shape::kFixed || items * values->width_bytes != count * width)
      return Mismatch("packed_struct", *values);
    FIRN_TRY(std::uint8_t* to, values->Extend(items));
    for (std::uint64_t row = 0; row < count; row++)
      std::memcpy(to + row * width, rows.data() + row * row_bytes + at, width);
    at += width;
  }
  out.count += count;
  return {};
}

Result<ByteBlock> DecompressBuffer(const Encoding& encoding, ByteSpan bytes) {
  ByteBlock raw;
  FIRN_CHECK(Decompress(encoding.compression, bytes, kMaxChunkBytes, raw));
  return raw;
}

}  // namespace

Status DecodeMiniBlock(const Encoding& encoding, std::span<const ByteSpan> buffers, std::uint64_t count, Items& out) {
  switch (encoding.kind) {
    case Kind::kFixedSizeList:
      return DecodeFixedSizeList(encoding, buffers, count, out);
    case Kind::kRle:
      if (buffers.size() != 2) return DataCorruption("a chunk of runs does not have 2 buffers");
      return DecodeRle(encoding, buffers[0], buffers[1], count, out);
    case Kind::kGeneral: {  // the first buffer is compressed, the rest is as it is
      if (buffers.empty()) return Short("compressed values");
      FIRN_TRY(const ByteBlock raw, DecompressBuffer(encoding, buffers[0]));
      std::vector<ByteSpan> inner(buffers.begin(), buffers.end());
      inner[0] = raw.bytes();
      return DecodeMiniBlock(encoding.children[0], inner, count, out);
    }
    default:
      break;
  }
  FIRN_TRY(const ByteSpan bytes, Only(buffers));
  switch (encoding.kind) {
    case Kind::kFlat:
      return DecodeFlat(encoding, bytes, count, out);
    case Kind::kInlineBitpacking:
      return DecodeInline(encoding, bytes, count, out);
    case Kind::kOutOfLineBitpacking:
      return DecodeOutOfLine(encoding, bytes, count, out);
    case Kind::kByteStreamSplit:
      return DecodeByteStreamSplit(encoding, bytes, count, out);
    case Kind::kPackedStruct:
      return DecodePackedStruct(encoding, bytes, count, out);
    case Kind::kVariable:
      return DecodeVariable(encoding, nullptr, bytes, count, out);
    case Kind::kFsst:
      if (encoding.children[0].kind == Kind::kVariable)
        return DecodeVariable(encoding.children[0], encoding.fsst.get(), bytes, count, out);
      return Unsupported("FSST strings that are encoded further are not known");
    default:
      return Mismatch("variable_packed_struct", out);
  }
}

Status DecodeBlock(const Encoding& encoding, ByteSpan block, std::uint64_t count, Items& out) {
  switch (encoding.kind) {
    case Kind::kGeneral: {
      FIRN_TRY(const ByteBlock raw, DecompressBuffer(encoding, block));
      return DecodeBlock(encoding.children[0], raw.bytes(), count, out);
    }
    case Kind::kRle: {  // [u64 bytes of values] values, lengths
      if (block.size() < 8) return Short("run-length encoded values");
      const auto size = LoadLe<std::uint64_t>(block.data());
      const ByteSpan rest = block.subspan(8);
      if (size > rest.size()) return Short("run-length encoded values");
      return DecodeRle(encoding, rest.first(size), rest.subspan(size), count, out);
    }
    case Kind::kVariable:
      return DecodeVariableBlock(encoding, nullptr, block, count, out);
    case Kind::kFsst:
      if (encoding.children[0].kind == Kind::kVariable)
        return DecodeVariableBlock(encoding.children[0], encoding.fsst.get(), block, count, out);
      return Unsupported("FSST strings that are encoded further are not known");
    default:
      return DecodeMiniBlock(encoding, {&block, 1}, count, out);
  }
}

std::uint64_t ZippedBytes(const Encoding& encoding) {
  // Validity of all items of all levels, outermost first, then the values.
  std::uint64_t items = 1;
  std::uint64_t validity = 0;
  const Encoding* at = &encoding;
  while (at->kind == Kind::kFixedSizeList) {
    if (items > Items::kMaxBytes / at->items) return 0;
    items *= at->items;
    if (at->has_validity) validity += (items + 7) / 8;
    at = &at->children[0];
  }
  if (at->kind == Kind::kPackedStruct && at == &encoding) {
    std::uint64_t bits = 0;
    for (const std::uint32_t member : at->member_bits) bits += member;
    return bits / 8;
  }
  if (at->kind != Kind::kFlat || items > Items::kMaxBytes / at->bits) return 0;
  return validity + (items * at->bits + 7) / 8;
}

Status DecodeZippedFixed(const Encoding& encoding, ByteSpan value, Items& out) {
  const Encoding* at = &encoding;
  Items* items = &out;
  std::uint64_t count = 1;
  while (at->kind == Kind::kFixedSizeList) {
    FIRN_TRY(const std::uint64_t more, ItemsIn(*at, count, *items));
    items->count += count;
    count = more;
    if (at->has_validity) {
      const std::uint64_t size = (count + 7) / 8;
      if (value.size() < size) return Short("validity bits of list items");
      FIRN_CHECK(AppendItemValidity(value.first(size), count, *items));
      value = value.subspan(size);
    } else {
      items->item_validity.AppendSame(true, count);
    }
    at = &at->children[0];
    items = &items->children[0];
  }
  if (items->shape == Shape::kBits && at->kind == Kind::kFlat && at->bits == 8 && count == 1) {
    if (value.empty()) return Short("values");
    items->bits.AppendSame(value[0] != 0, 1);
    items->count++;
    return {};
  }
  return DecodeMiniBlock(*at, {&value, 1}, count, *items);
}

namespace {

Status DecodeVariablePackedStruct(const Encoding& encoding, ByteSpan value, Items& out) {
  if (out.shape != Shape::kStruct || out.children.size() != encoding.children.size())
    return Mismatch("variable_packed_struct", out);
  ByteReader reader(value, "a packed struct");
  for (std::size_t i = 0; i < encoding.children.size(); i++) {
    if (encoding.member_has_length[i]) {
      std::uint64_t length = 0;
      if (encoding.member_bits[i] == 32) {
        FIRN_TRY(length, reader.Read<std::uint32_t>());
      } else {
        FIRN_TRY(length, reader.Read<std::uint64_t>());
      }
      FIRN_TRY(const ByteSpan member, reader.Take(length));
      FIRN_CHECK(DecodeZippedVariable(encoding.children[i], member, out.children[i]));
    } else {
      FIRN_TRY(const ByteSpan member, reader.Take(encoding.member_bits[i] / 8));
      FIRN_CHECK(DecodeZippedFixed(encoding.children[i], member, out.children[i]));
    }
  }
  out.count++;
  return {};
}

}  // namespace

Status DecodeZippedVariable(const Encoding& encoding, ByteSpan value, Items& out) {
  switch (encoding.kind) {
    case Kind::kVariablePackedStruct:
      return DecodeVariablePackedStruct(encoding, value, out);
    case Kind::kGeneral: {
      FIRN_TRY(const ByteBlock raw, DecompressBuffer(encoding, value));
      return DecodeZippedVariable(encoding.children[0], raw.bytes(), out);
    }
    case Kind::kVariable:
      return AppendString(nullptr, value, out);
    case Kind::kFsst:
      if (encoding.children[0].kind != Kind::kVariable) return Mismatch("fsst", out);
      return AppendString(encoding.fsst.get(), value, out);
    default:
      return Unsupported("a full-zip page has an encoding of values with a length that is not known");
  }
}

}  // namespace firn::lance
