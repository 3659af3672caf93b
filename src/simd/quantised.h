#pragma once
// Kernels over quantised vectors and over matrices: what an index is built with and searched by. Same table of
// instruction sets as distance.h. A search gives the same answer on every machine as far as these kernels decide it:
// all are equal to the last bit on every set but for the sums of DotMatrix and QuantiseLevels, which differ in
// rounding. Floats are finite. Pointers need no alignment beyond their type's.

#include <cstddef>
#include <cstdint>
#include <span>

namespace firn::simd {

// ---- rotation ----

/// In place, unnormalised fast Walsh-Hadamard transform of a power of two of floats, 1 to 2^16. Twice gives size *
/// values.
void Hadamard(std::span<float> values);

/// values[i] *= +1 or -1: bit i of `signs` (bit 0 of byte 0 first) set means -1.
void FlipSigns(std::span<float> values, const std::uint8_t* signs);

// ---- 1-bit codes, 32 at a time ----
//
// FastScan (Andre, Kermarrec, Le Scouarnec, VLDB 2015). A block holds 32 codes of 4 * groups bits, as `groups` runs of
// 16 bytes; byte j of run g holds in its low nibble the 4 bits of group g of code j, in its high nibble those of code j
// + 16. A lookup table has 16 entries for every group; entry b is what a code whose group holds the bits b adds to its
// sum.

inline constexpr std::size_t kBlockCodes = 32;

/// sums[i] of the blocks' codes in order, blocks * 32 of them. `codes`: blocks * block_stride bytes, of which the first
/// groups * 16 of each stride are the block. `table`: groups * 16 bytes. groups <= 2^20.
void ScanBlocks(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                const std::uint8_t* table, std::uint32_t* sums);

/// Bits packed 8 to a byte (bit i of a code: byte i / 8, bit i % 8; bit 0 of a group is its lowest) to block layout.
/// `bits`: `count` <= 32 codes of groups / 2 bytes (groups is even), one after the other; absent codes become zero.
/// Writes groups * 16 bytes.
void PackBlock(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block);

/// The lookup table of a query: entry b of group g is round((sum of query[4g + i] for the bits i set in b, minus the
/// smallest such sum of group g) / step). All groups share one step, so that the largest entry is 255; step is 0, and
/// with it every entry, when all sums are below 2^-100. The sum of a code's entries times `step` plus `bias` is then
/// the inner product of its bits (0 or 1) with the query, to within groups * step / 2 and float rounding (2^-20 of sum
/// |query|).
struct TableScale {
  float step = 0;
  float bias = 0;
};
TableScale BuildTable(std::span<const float> query, std::uint8_t* table);  // query.size() a multiple of 4

/// For each of `count` codes: lower[i] = add[i] + scale[i] * (sums[i] * step + bias) - error[i] * slack. Writes to
/// `kept` the positions i (ascending) with lower[i] < bound, and their lower bounds to `kept_lower`; returns how many.
/// Both have room for `count`; what lies behind those returned may be overwritten. sums[i] < 2^31.
std::size_t KeepBelow(const std::uint32_t* sums, const float* add, const float* scale, const float* error, float step,
                      float bias, float slack, std::size_t count, float bound, std::uint32_t* kept, float* kept_lower);

// ---- 4-bit codes ----

/// sum code[i] * query[i] over `dim` (a multiple of 16) values. Codes are 4-bit and unsigned. Of each run of 32 values,
/// byte i (of 16) holds value i in the low nibble and value i + 16 in the high one; a last run of 16 values takes 8
/// bytes: value i low, value i + 8 high. `query`: dim signed bytes in -127..127. dim <= 65536.
std::int32_t DotNibbles(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim);
/// The same layout, from one value a byte (0..15).
void PackNibbles(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes);

/// Rounds to signed bytes: query[i] = round(values[i] / step), |query[i]| <= 127. Returns step, the largest magnitude /
/// 127 (0, and zeros, when all magnitudes are below 2^-100).
float QuantiseToInt8(std::span<const float> values, std::int8_t* query);

// ---- bytes ----

/// out[r] = sum rows[r * dim + i] * query[i], for unsigned bytes and a query of signed 16-bit values in -2047..2047.
/// For scanning byte-quantised centroids. Sums are modulo 2^32: they are right when 255 * sum |query[i]| < 2^31, which
/// holds for every query of at most 4114 values.
void DotBytes(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
              std::int32_t* out);

// ---- matrices ----

/// out[i * b_rows + j] = inner product of row i of `a` and row j of `b`, both of `dim` floats, row after row.
void DotMatrix(const float* a, std::size_t a_rows, const float* b, std::size_t b_rows, std::size_t dim, float* out);

// ---- multi-bit quantisation ----

/// One candidate scale of extended RaBitQ (Gao et al. 2024): levels[i] = clamp(floor(values[i] * scale) + 16, 0, 31).
/// Of u[i] = levels[i] - 15.5: writes the levels when `levels` is not null, and returns <u, values> and |u|^2.
struct LevelFit {
  float product = 0;  // <u, values>
  float norm2 = 0;    // |u|^2
};
LevelFit QuantiseLevels(std::span<const float> values, float scale, std::uint8_t* levels);

/// The bits of a code: bit i set when values[i] >= 0. size a multiple of 8.
void SignBits(std::span<const float> values, std::uint8_t* bits);

}  // namespace firn::simd
