#include "lance/encoding/dictionary.h"

#include <limits>

#include "lance/encoding/decode_errors.h"

namespace firn::lance {
namespace {

using Shape = Items::Shape;

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
  constexpr std::size_t kShort = 16;  // copied as one register where both sides have the room
  const std::uint8_t* const last = from + dictionary.bytes.size();
  std::uint8_t* to = out.bytes.Extend(size + kShort);
  out.bytes.Truncate(out.bytes.size() - kShort);
  std::uint8_t* ends = out.data.Extend(count * sizeof(Offset));
  for (std::uint64_t i = 0; i < count; i++) {
    const Offset begin = offsets[index[i]];
    const auto length = static_cast<std::size_t>(offsets[index[i] + 1] - begin);
    if (length <= kShort && last - (from + begin) >= static_cast<std::ptrdiff_t>(kShort)) {
      std::memcpy(to, from + begin, kShort);
    } else if (length != 0) {
      std::memcpy(to, from + begin, length);
    }
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
