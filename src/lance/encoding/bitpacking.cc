#include "lance/encoding/bitpacking.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace firn::lance {
namespace {

constexpr std::array<std::size_t, 8> kRowOrder = {0, 4, 2, 6, 1, 5, 3, 7};

/// One block of 1,024 values. The inner loops have a constant trip count and one shift for all lanes, which compilers
/// vectorise.
template <class T>
void UnpackBlock(const std::uint8_t* packed, unsigned width, T* __restrict out) {
  constexpr unsigned kBits = 8 * sizeof(T);
  constexpr unsigned kLanes = kPackedBlockValues / kBits;
  if (width == 0) {
    std::fill_n(out, kPackedBlockValues, T{0});
    return;
  }
  const T mask = width == kBits ? static_cast<T>(~T{0}) : static_cast<T>((T{1} << (width % kBits)) - 1);
  std::array<T, kLanes> low;
  std::array<T, kLanes> high;
  for (unsigned row = 0; row < kBits; row++) {
    const unsigned bit = row * width;
    const unsigned shift = bit % kBits;
    const std::uint8_t* words = packed + std::size_t{bit / kBits} * kLanes * sizeof(T);
    T* const to = out + kRowOrder[row / 8] * 16 + std::size_t{row % 8} * 128;
    std::memcpy(low.data(), words, sizeof low);
    if (shift + width <= kBits) {
      for (unsigned lane = 0; lane < kLanes; lane++) to[lane] = static_cast<T>(low[lane] >> shift) & mask;
    } else {
      std::memcpy(high.data(), words + sizeof low, sizeof high);
      const unsigned up = kBits - shift;
      for (unsigned lane = 0; lane < kLanes; lane++) {
        to[lane] = (static_cast<T>(low[lane] >> shift) | static_cast<T>(high[lane] << up)) & mask;
      }
    }
  }
}

Error Short(std::string_view what) { return DataCorruption(std::string(what) + " values end early"); }

template <class T>
void UnpackSome(const std::uint8_t* packed, unsigned width, std::uint64_t count, std::uint8_t* out) {
  std::array<T, kPackedBlockValues> block;
  UnpackBlock<T>(packed, width, block.data());
  std::memcpy(out, block.data(), count * sizeof(T));
}

/// A full block lands in `out` directly when its address allows it.
template <class T>
void UnpackTo(const std::uint8_t* packed, unsigned width, std::uint64_t count, std::uint8_t* out) {
  if (count == kPackedBlockValues && reinterpret_cast<std::uintptr_t>(out) % alignof(T) == 0) {
    UnpackBlock<T>(packed, width, reinterpret_cast<T*>(out));
  } else {
    UnpackSome<T>(packed, width, count, out);
  }
}

template <class T>
Status UnpackInlineAs(ByteSpan packed, std::uint64_t count, std::uint8_t* out) {
  while (count > 0) {
    if (packed.size() < sizeof(T)) return Short("bit-packed");
    const auto width = LoadLe<T>(packed.data());
    if (width > 8 * sizeof(T))
      return DataCorruption("a bit-packed block says that its values are wider than their type");
    packed = packed.subspan(sizeof(T));
    const std::uint64_t size = PackedBlockBytes(width);
    if (packed.size() < size) return Short("bit-packed");
    const std::uint64_t some = std::min(count, kPackedBlockValues);
    UnpackTo<T>(packed.data(), static_cast<unsigned>(width), some, out);
    packed = packed.subspan(size);
    out += some * sizeof(T);
    count -= some;
  }
  return {};
}

template <class T>
Status UnpackOutOfLineAs(ByteSpan packed, std::uint32_t width, std::uint64_t count, std::uint8_t* out) {
  if (width > 8 * sizeof(T)) return DataCorruption("bit-packed values are wider than their type");
  const std::uint64_t size = PackedBlockBytes(width);
  while (count > 0) {
    const std::uint64_t some = std::min(count, kPackedBlockValues);
    if (some < kPackedBlockValues && packed.size() != size) {
      if (packed.size() < some * sizeof(T)) return Short("bit-packed");
      CopyBytes(out, packed.first(some * sizeof(T)));
      return {};
    }
    if (packed.size() < size) return Short("bit-packed");
    UnpackTo<T>(packed.data(), width, some, out);
    packed = packed.subspan(size);
    out += some * sizeof(T);
    count -= some;
  }
  return {};
}

Error BadWidth(std::uint32_t value_bytes) {
  return Unsupported("bit-packed values of " + std::to_string(value_bytes) + " bytes are not known");
}

}  // namespace

Status UnpackInline(ByteSpan packed, std::uint32_t value_bytes, std::uint64_t count, std::uint8_t* out) {
  switch (value_bytes) {
    case 1:
      return UnpackInlineAs<std::uint8_t>(packed, count, out);
    case 2:
      return UnpackInlineAs<std::uint16_t>(packed, count, out);
    case 4:
      return UnpackInlineAs<std::uint32_t>(packed, count, out);
    case 8:
      return UnpackInlineAs<std::uint64_t>(packed, count, out);
    default:
      return BadWidth(value_bytes);
  }
}

Status UnpackOutOfLine(ByteSpan packed, std::uint32_t value_bytes, std::uint32_t width_bits, std::uint64_t count,
                       std::uint8_t* out) {
  switch (value_bytes) {
    case 1:
      return UnpackOutOfLineAs<std::uint8_t>(packed, width_bits, count, out);
    case 2:
      return UnpackOutOfLineAs<std::uint16_t>(packed, width_bits, count, out);
    case 4:
      return UnpackOutOfLineAs<std::uint32_t>(packed, width_bits, count, out);
    case 8:
      return UnpackOutOfLineAs<std::uint64_t>(packed, width_bits, count, out);
    default:
      return BadWidth(value_bytes);
  }
}

}  // namespace firn::lance
