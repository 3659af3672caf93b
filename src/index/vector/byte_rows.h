#pragma once
// Rows of a Space as signed bytes, one after the other, and the distances between them.

#include <cstddef>
#include <cstdint>
#include <span>

#include "index/vector/graph_space.h"
#include "simd/neighbours.h"

namespace firn::index {

inline constexpr std::uint32_t kNoRow = 0xFFFFFFFFU;

/// A row, and how far it is from the one that it belongs to.
struct Neighbour {
  float distance;
  std::uint32_t row;
  friend auto operator<=>(const Neighbour&, const Neighbour&) = default;
};

struct ByteRows {
  std::span<const std::int8_t> bytes;  // size() * axes
  std::span<const RowTerms> terms;
  std::size_t axes;

  std::size_t size() const { return terms.size(); }
  const std::int8_t* operator[](std::size_t row) const { return bytes.data() + row * axes; }
  float FromProduct(std::size_t a, std::size_t b, std::int32_t product) const {
    return terms[a].norm2 + terms[b].norm2 - 2 * terms[a].step * terms[b].step * static_cast<float>(product);
  }
  float Distance(std::size_t a, std::size_t b) const {
    std::int32_t product = 0;
    simd::DotSignedBytes((*this)[a], 1, axes, (*this)[b], &product);
    return FromProduct(a, b, product);
  }
};

}  // namespace firn::index
