#include "lance/encoding/fixed_values.h"

#include <algorithm>
#include <string>

#include "lance/encoding/bitpacking.h"
#include "lance/encoding/decode_errors.h"

namespace firn::lance {
namespace {

using Shape = Items::Shape;

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

template <class T>
void FillRun(std::uint8_t* to, const std::uint8_t* value, std::uint64_t length) {
  const T one = LoadLe<T>(value);
  for (std::uint64_t i = 0; i < length; i++) std::memcpy(to + i * sizeof(T), &one, sizeof(T));
}

}  // namespace

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
  CopyBytes(to, bytes.first(count * out.width_bytes));
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
  if (inner.kind != Encoding::Kind::kFlat)
    return Unsupported("byte-stream-split values that are encoded further are not known");
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

}  // namespace firn::lance
