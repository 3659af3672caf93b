#pragma once
// The table of the kernels in quantised.h, which says what each does. Each instruction set fills one table.

#include "simd/quantised.h"

namespace firn::simd {

struct QuantisedKernels {
  const char* name;
  void (*hadamard)(float* values, std::size_t size);
  void (*flip_signs)(float* values, std::size_t size, const std::uint8_t* signs);
  void (*scan_blocks)(const std::uint8_t* codes, std::size_t block_stride, std::size_t blocks, std::size_t groups,
                      const std::uint8_t* table, std::uint32_t* sums);
  void (*pack_block)(const std::uint8_t* bits, std::size_t count, std::size_t groups, std::uint8_t* block);
  TableScale (*build_table)(const float* query, std::size_t groups, std::uint8_t* table);
  std::size_t (*keep_below)(const std::uint32_t* sums, const float* add, const float* scale, const float* error,
                            float step, float bias, float slack, std::size_t count, float bound, std::uint32_t* kept,
                            float* kept_lower);
  std::int32_t (*dot_nibbles)(const std::uint8_t* codes, const std::int8_t* query, std::size_t dim);
  void (*pack_nibbles)(const std::uint8_t* values, std::size_t dim, std::uint8_t* codes);
  float (*quantise_to_int8)(const float* values, std::size_t size, std::int8_t* query);
  void (*dot_bytes)(const std::uint8_t* rows, std::size_t count, std::size_t dim, const std::int16_t* query,
                    std::int32_t* out);
  void (*dot_matrix)(const float* a, std::size_t a_rows, const float* b, std::size_t b_rows, std::size_t dim,
                     float* out);
  LevelFit (*quantise_levels)(const float* values, std::size_t size, float scale, std::uint8_t* levels);
  void (*sign_bits)(const float* values, std::size_t size, std::uint8_t* bits);
};

const QuantisedKernels& ScalarQuantisedKernels();
/// Null when the program was built for another architecture or this machine lacks the instructions.
const QuantisedKernels* Avx2QuantisedKernels();
const QuantisedKernels* Avx512QuantisedKernels();  // asks for VBMI and VNNI: Ice Lake, Zen 4 and later
const QuantisedKernels* NeonQuantisedKernels();

}  // namespace firn::simd
