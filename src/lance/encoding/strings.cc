#include "lance/encoding/strings.h"

#include <limits>

#include "lance/encoding/decode_errors.h"

namespace firn::lance {
namespace {

using Shape = Items::Shape;

constexpr std::uint64_t kMaxCodedBytes = 1ULL << 30;  // of one buffer: decoding makes room for eight times as much

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
  if (coded_size > kMaxCodedBytes) return TooMuchText();
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

}  // namespace

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

Status AppendString(const FsstTable* fsst, ByteSpan coded, Items& out) {
  if (out.shape != Shape::kBytes) return Mismatch("variable", out);
  if (fsst == nullptr || !fsst->compressed()) {
    out.bytes.Append(coded);
    return out.CloseValue();
  }
  if (coded.size() > kMaxCodedBytes) return TooMuchText();
  const std::size_t start = out.bytes.size();
  std::uint8_t* const text = out.bytes.Extend(FsstTable::RoomFor(coded.size()));
  const std::uint8_t* const end = fsst->Decode(coded, text);
  if (end == nullptr) return DataCorruption("an FSST string ends inside an escape");
  out.bytes.Truncate(start + static_cast<std::size_t>(end - text));
  return out.CloseValue();
}

}  // namespace firn::lance
