#include "lance/encoding/values.h"

#include <algorithm>
#include <limits>
#include <string>

#include "lance/encoding/bitpacking.h"

namespace firn::lance {
namespace {

using Kind = Encoding::Kind;
using Shape = Items::Shape;

constexpr std::uint64_t kMaxChunkBytes = 1ULL << 30;  // raw bytes of one compressed buffer

Error Short(std::string_view what) { return DataCorruption(std::string(what) + " end early"); }

Error Mismatch(std::string_view encoding, const Items& out) {
  return Unsupported("the encoding `" + std::string(encoding) + "` of values of type " +
                     (out.type ? out.type->ToString() : std::to_string(8 * out.width_bytes) + " bits") +
                     " is not known");
}

Result<ByteSpan> Only(std::span<const ByteSpan> buffers) {
  if (buffers.size() != 1)
    return DataCorruption("a chunk has " + std::to_string(buffers.size()) + " value buffers where 1 is right");
  return buffers[0];
}

/// True when `count` values of `width` bytes fit into `size`.
bool Fits(std::uint64_t count, std::uint64_t width, std::uint64_t size) { return width == 0 || count <= size / width; }

// ---- fixed width ----------------------------------------------------------------------------------------------------

Status DecodeFlat(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out) {
  if (out.shape == Shape::kBits) {
    if (encoding.bits != 1) return Mismatch("flat", out);
    if (count > bytes.size() * 8) return Short("flat bits");
    out.bits.Append(bytes.data(), 0, count);
    out.count += count;
    return {};
  }
  if (out.shape != Shape::kFixed || encoding.bits != 8ULL * out.width_bytes) return Mismatch("flat", out);
  if (!Fits(count, out.width_bytes, bytes.size())) return Short("flat values");
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  if (count != 0) std::memcpy(to, bytes.data(), count * out.width_bytes);
  return {};
}

Status CheckWidth(const Encoding& encoding, const Items& out, std::string_view name) {
  if (out.shape != Shape::kFixed || encoding.bits != 8ULL * out.width_bytes) return Mismatch(name, out);
  return {};
}

/// A packed block holds 1,024 values in `min_block` bytes or more: bounds the output before it is allocated.
Status CheckPackedCount(std::uint64_t count, std::uint64_t min_block, ByteSpan bytes) {
  if (min_block != 0 && (count + kPackedBlockValues - 1) / kPackedBlockValues > bytes.size() / min_block)
    return Short("bit-packed values");
  return {};
}

Status DecodeInline(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out) {
  FIRN_CHECK(CheckWidth(encoding, out, "inline_bitpacking"));
  FIRN_CHECK(CheckPackedCount(count, out.width_bytes, bytes));
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  return UnpackInline(bytes, out.width_bytes, count, to);
}

Status DecodeOutOfLine(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out) {
  FIRN_CHECK(CheckWidth(encoding, out, "out_of_line_bitpacking"));
  const std::uint64_t whole = count / kPackedBlockValues * kPackedBlockValues;
  FIRN_CHECK(CheckPackedCount(whole, PackedBlockBytes(encoding.packed_bits), bytes));
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  return UnpackOutOfLine(bytes, out.width_bytes, encoding.packed_bits, count, to);
}

template <class T>
void FillRun(std::uint8_t* to, const std::uint8_t* value, std::uint64_t length) {
  const T one = LoadLe<T>(value);
  for (std::uint64_t i = 0; i < length; i++) std::memcpy(to + i * sizeof(T), &one, sizeof(T));
}

Status DecodeRle(const Encoding& encoding, ByteSpan values, ByteSpan lengths, std::uint64_t count, Items& out) {
  FIRN_CHECK(CheckWidth(encoding.children[0], out, "rle"));
  const std::uint64_t width = out.width_bytes;
  const std::uint64_t runs = lengths.size();
  if (!Fits(runs, width, values.size())) return Short("run-length encoded values");
  std::uint64_t total = 0;
  for (std::uint64_t run = 0; run < runs && total < count; run++) total += lengths[run];
  if (total < count) return Short("run-length encoded values");
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  std::uint64_t left = count;
  for (std::uint64_t run = 0; left > 0; run++) {
    const std::uint64_t length = std::min<std::uint64_t>(left, lengths[run]);
    const std::uint8_t* value = values.data() + run * width;
    switch (width) {
      case 1:
        std::memset(to, *value, length);
        break;
      case 2:
        FillRun<std::uint16_t>(to, value, length);
        break;
      case 4:
        FillRun<std::uint32_t>(to, value, length);
        break;
      case 8:
        FillRun<std::uint64_t>(to, value, length);
        break;
      default:
        for (std::uint64_t i = 0; i < length; i++) std::memcpy(to + i * width, value, width);
    }
    to += length * width;
    left -= length;
  }
  return {};
}

/// Byte j of all values stands before byte j + 1 of all values.
Status DecodeByteStreamSplit(const Encoding& encoding, ByteSpan bytes, std::uint64_t count, Items& out) {
  const Encoding& inner = encoding.children[0];
  if (inner.kind != Kind::kFlat) return Unsupported("byte-stream-split values that are encoded further are not known");
  FIRN_CHECK(CheckWidth(inner, out, "byte_stream_split"));
  const std::uint64_t width = out.width_bytes;
  if (!Fits(count, width, bytes.size())) return Short("byte-stream-split values");
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  for (std::uint64_t j = 0; j < width; j++) {
    const std::uint8_t* stream = bytes.data() + j * count;
    for (std::uint64_t i = 0; i < count; i++) to[i * width + j] = stream[i];
  }
  return {};
}

// ---- bytes ----------------------------------------------------------------------------------------------------------

/// Offsets in an encoded buffer, and the buffer whose bytes they point to.
struct CodedStrings {
  const std::uint8_t* offsets;
  bool wide;
  ByteSpan bytes;
  std::uint64_t At(std::uint64_t i) const {
    return wide ? LoadLe<std::uint64_t>(offsets + 8 * i) : LoadLe<std::uint32_t>(offsets + 4 * i);
  }
};

/// Offsets must rise and stay inside; then every string can be taken without a check.
Status CheckOffsets(const CodedStrings& coded, std::uint64_t count) {
  std::uint64_t last = coded.At(0);
  bool rising = true;
  for (std::uint64_t i = 1; i <= count; i++) {
    const std::uint64_t next = coded.At(i);
    rising &= next >= last;
    last = next;
  }
  if (!rising || last > coded.bytes.size())
    return DataCorruption("the offsets of strings do not rise inside their buffer");
  return {};
}

Error TooMuchText() {
  return ResourceExhausted("the values of one page have more than 2 GiB of text or bytes", "read fewer rows at once");
}

/// The strings as they are: their bytes are one run, only the offsets move.
template <class Offset>
Status AppendPlain(const CodedStrings& coded, std::uint64_t count, Items& out) {
  const std::uint64_t begin = coded.At(0);
  const std::uint64_t base = out.bytes.size();
  const std::uint64_t size = coded.At(count) - begin;
  if (base + size > static_cast<std::uint64_t>(std::numeric_limits<Offset>::max())) return TooMuchText();
  out.bytes.Append(coded.bytes.subspan(begin, size));
  std::uint8_t* to = out.data.Extend(count * sizeof(Offset));
  for (std::uint64_t i = 0; i < count; i++) {
    const auto offset = static_cast<Offset>(base + coded.At(i + 1) - begin);
    std::memcpy(to + i * sizeof(Offset), &offset, sizeof offset);
  }
  out.count += count;
  return {};
}

template <class Offset>
Status AppendFsst(const FsstTable& table, const CodedStrings& coded, std::uint64_t count, Items& out) {
  const std::uint64_t begin = coded.At(0);
  const std::uint64_t base = out.bytes.size();
  const std::uint64_t coded_size = coded.At(count) - begin;
  if (coded_size > kMaxChunkBytes) return TooMuchText();
  std::uint8_t* const text = out.bytes.Extend(FsstTable::RoomFor(coded_size));
  std::uint8_t* end = text;
  std::uint8_t* to = out.data.Extend(count * sizeof(Offset));
  std::uint64_t at = begin;
  for (std::uint64_t i = 0; i < count; i++) {
    const std::uint64_t next = coded.At(i + 1);
    end = table.Decode(coded.bytes.subspan(at, next - at), end);
    if (end == nullptr) return DataCorruption("an FSST string ends inside an escape");
    at = next;
    const auto offset = static_cast<Offset>(base + static_cast<std::uint64_t>(end - text));
    std::memcpy(to + i * sizeof(Offset), &offset, sizeof offset);
  }
  out.bytes.Truncate(base + static_cast<std::uint64_t>(end - text));
  if (out.bytes.size() > static_cast<std::uint64_t>(std::numeric_limits<Offset>::max())) return TooMuchText();
  out.count += count;
  return {};
}

/// `fsst` null, or not compressed: plain.
Status AppendStrings(const FsstTable* fsst, const CodedStrings& coded, std::uint64_t count, Items& out) {
  FIRN_CHECK(CheckOffsets(coded, count));
  if (fsst == nullptr || !fsst->compressed()) {
    return out.wide_offsets ? AppendPlain<std::int64_t>(coded, count, out)
                            : AppendPlain<std::int32_t>(coded, count, out);
  }
  return out.wide_offsets ? AppendFsst<std::int64_t>(*fsst, coded, count, out)
                          : AppendFsst<std::int32_t>(*fsst, coded, count, out);
}

/// A mini-block's strings: count + 1 offsets into this very buffer, then the bytes.
Status DecodeVariable(const Encoding& encoding, const FsstTable* fsst, ByteSpan buffer, std::uint64_t count,
                      Items& out) {
  if (out.shape != Shape::kBytes) return Mismatch("variable", out);
  if (count == 0) return {};
  if (count >= buffer.size() / (encoding.bits / 8)) return Short("offsets of strings");
  return AppendStrings(fsst, {buffer.data(), encoding.bits == 64, buffer}, count, out);
}

/// A block's strings: a header, offsets, bytes.
///   [u32 offset bits = 32][u32 start of bytes] [n + 1 x u32] bytes         [u32 = 64][u32 pad][u64 start] [n + 1 x
///   u64] bytes
/// and of older writers  [u8 offset bits][u32 or u64 values][u32 or u64 start] ... (9 or 17 bytes).
Status DecodeVariableBlock(const Encoding& encoding, const FsstTable* fsst, ByteSpan block, std::uint64_t count,
                           Items& out) {
  if (out.shape != Shape::kBytes) return Mismatch("variable", out);
  if (block.size() < 4) return Short("strings");
  const bool legacy = (LoadLe<std::uint32_t>(block.data()) >> 8) != 0;
  const std::uint32_t bits = block[0];
  if (bits != encoding.bits || (bits != 32 && bits != 64))
    return DataCorruption("a block of strings has another offset width than its page says");
  const std::uint64_t width = bits / 8;
  const std::uint64_t header = legacy ? 1 + 2 * width : 2 * width;
  if (block.size() < header) return Short("strings");
  const std::uint8_t* start_at = block.data() + header - width;
  const std::uint64_t start = bits == 32 ? LoadLe<std::uint32_t>(start_at) : LoadLe<std::uint64_t>(start_at);
  if (count >= (block.size() - header) / width || start > block.size()) return Short("strings");
  return AppendStrings(fsst, {block.data() + header, bits == 64, block.subspan(start)}, count, out);
}

// ---- lists and structs ----------------------------------------------------------------------------------------------

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
      if (out.shape != Shape::kBytes) return Mismatch("variable", out);
      out.bytes.Append(value);
      return out.CloseValue();
    case Kind::kFsst: {
      if (out.shape != Shape::kBytes || encoding.children[0].kind != Kind::kVariable) return Mismatch("fsst", out);
      if (!encoding.fsst->compressed()) return DecodeZippedVariable(encoding.children[0], value, out);
      if (value.size() > kMaxChunkBytes) return TooMuchText();
      const std::size_t start = out.bytes.size();
      std::uint8_t* const text = out.bytes.Extend(FsstTable::RoomFor(value.size()));
      const std::uint8_t* const end = encoding.fsst->Decode(value, text);
      if (end == nullptr) return DataCorruption("an FSST string ends inside an escape");
      out.bytes.Truncate(start + static_cast<std::size_t>(end - text));
      return out.CloseValue();
    }
    default:
      return Unsupported("a full-zip page has an encoding of values with a length that is not known");
  }
}

namespace {

template <std::size_t kWidth, class Index>
void GatherFixed(const std::uint8_t* values, const Index* index, std::uint64_t count, std::uint8_t* to) {
  for (std::uint64_t i = 0; i < count; i++)
    std::memcpy(to + kWidth * i, values + kWidth * static_cast<std::uint64_t>(index[i]), kWidth);
}

template <class Offset, class Index>
Status GatherBytes(const Items& dictionary, const Index* index, std::uint64_t count, Items& out) {
  const auto* offsets = dictionary.ValuesAs<Offset>();
  std::uint64_t size = 0;
  for (std::uint64_t i = 0; i < count; i++)
    size += static_cast<std::uint64_t>(offsets[index[i] + 1] - offsets[index[i]]);
  std::uint64_t end = out.bytes.size();
  if (size > static_cast<std::uint64_t>(std::numeric_limits<Offset>::max()) - end || size > Items::kMaxBytes)
    return TooMuchText();
  const std::uint8_t* const from = dictionary.bytes.data();
  std::uint8_t* to = out.bytes.Extend(size);
  std::uint8_t* ends = out.data.Extend(count * sizeof(Offset));
  for (std::uint64_t i = 0; i < count; i++) {
    const Offset begin = offsets[index[i]];
    const auto length = static_cast<std::size_t>(offsets[index[i] + 1] - begin);
    if (length != 0) std::memcpy(to, from + begin, length);
    to += length;
    end += length;
    const auto offset = static_cast<Offset>(end);
    std::memcpy(ends + i * sizeof(Offset), &offset, sizeof offset);
  }
  out.count += count;
  return {};
}

template <class Index>
Status AppendIndexed(const Items& dictionary, const Items& indices, Items& out) {
  const Index* const index = indices.ValuesAs<Index>();
  bool inside = true;
  for (std::uint64_t i = 0; i < indices.count; i++) inside &= index[i] < dictionary.count;
  if (!inside) return DataCorruption("an index points past the end of its dictionary");
  const std::uint64_t count = indices.count;
  if (out.shape == Shape::kBytes) {
    return out.wide_offsets ? GatherBytes<std::int64_t>(dictionary, index, count, out)
                            : GatherBytes<std::int32_t>(dictionary, index, count, out);
  }
  if (out.shape != Shape::kFixed) return Mismatch("dictionary", out);
  FIRN_TRY(std::uint8_t* to, out.Extend(count));
  const std::uint8_t* const values = dictionary.data.data();
  switch (out.width_bytes) {
    case 4:
      GatherFixed<4>(values, index, count, to);
      break;
    case 8:
      GatherFixed<8>(values, index, count, to);
      break;
    case 16:
      GatherFixed<16>(values, index, count, to);
      break;
    default:
      for (std::uint64_t i = 0; i < count; i++)
        std::memcpy(to + i * out.width_bytes, values + static_cast<std::uint64_t>(index[i]) * out.width_bytes,
                    out.width_bytes);
  }
  return {};
}

}  // namespace

Status AppendFromDictionary(const Items& dictionary, const Items& indices, Items& out) {
  switch (indices.width_bytes) {
    case 1:
      return AppendIndexed<std::uint8_t>(dictionary, indices, out);
    case 2:
      return AppendIndexed<std::uint16_t>(dictionary, indices, out);
    case 4:
      return AppendIndexed<std::uint32_t>(dictionary, indices, out);
    case 8:
      return AppendIndexed<std::uint64_t>(dictionary, indices, out);
    default:
      return DataCorruption("a dictionary's indices have an odd width");
  }
}

}  // namespace firn::lance
