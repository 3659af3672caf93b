#include "simd/quantised.h"

#include <bit>
#include <cassert>

#include "simd/active_table.h"
#include "simd/quantised_kernels.h"

namespace firn::simd {
namespace {

const QuantisedKernels& Active() {
  static const Tables<QuantisedKernels> tables(ScalarQuantisedKernels(), NeonQuantisedKernels(), Avx2QuantisedKernels(),
                                               Avx512QuantisedKernels());
  return tables.Active();
}

}  // namespace

void Hadamard(std::span<float> values) {
  assert(std::has_single_bit(values.size()) && values.size() <= 65536);
  Active().hadamard(values.data(), values.size());
}

void FlipSigns(std::span<float> values, const std::uint8_t* signs) {
  Active().flip_signs(values.data(), values.size(), signs);
}

void ScanBlocks(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                const std::uint8_t* table, std::uint32_t* sums) {
  Active().scan_blocks(codes, block_stride, blocks, groups, table, sums);
}

void PackBlock(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block) {
  assert(count <= kBlockCodes && groups % 2 == 0);
  Active().pack_block(bits, count, groups, block);
}

TableScale BuildTable(std::span<const float> query, std::uint8_t* table) {
  assert(query.size() % 4 == 0);
  return Active().build_table(query.data(), query.size() / 4, table);
}

std::size_t KeepBelow(const std::uint32_t* sums, const float* add, const float* scale, const float* error, float step,
                      float bias, float slack, std::size_t count, float bound, std::uint32_t* kept, float* kept_lower) {
  return Active().keep_below(sums, add, scale, error, step, bias, slack, count, bound, kept, kept_lower);
}

std::int32_t DotNibbles(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim) {
  assert(dim % 16 == 0 && dim <= 65536);
  return Active().dot_nibbles(codes, query, dim);
}

void PackNibbles(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes) {
  assert(dim % 16 == 0);
  Active().pack_nibbles(values, dim, codes);
}

float QuantiseToInt8(std::span<const float> values, std::int8_t* query) {
  return Active().quantise_to_int8(values.data(), values.size(), query);
}

void DotBytes(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
              std::int32_t* out) {
  Active().dot_bytes(rows, count, dim, query, out);
}

void DotMatrix(const float* a, std::size_t a_rows, const float* b, std::size_t b_rows, std::size_t dim, float* out) {
  Active().dot_matrix(a, a_rows, b, b_rows, dim, out);
}

LevelFit QuantiseLevels(std::span<const float> values, float scale, std::uint8_t* levels) {
  return Active().quantise_levels(values.data(), values.size(), scale, levels);
}

void SignBits(std::span<const float> values, std::uint8_t* bits) {
  assert(values.size() % 8 == 0);
  Active().sign_bits(values.data(), values.size(), bits);
}

}  // namespace firn::simd
