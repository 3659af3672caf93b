#pragma once
// The table of the kernels in neighbours.h, which says what each does. Each instruction set fills one table.

#include "simd/neighbours.h"

namespace firn::simd {

struct NeighbourKernels {
  std::uint32_t (*estimate)(const std::uint8_t* block, std::size_t groups, const std::uint8_t* table, float step,
                            float bias, float base, float bound, float* distances);
  void (*dot_signed_bytes)(const std::int8_t* rows, std::size_t count, std::size_t dim, const std::int8_t* query,
                           std::int32_t* out);
};

const NeighbourKernels& ScalarNeighbourKernels();
/// Null when the program was built for another architecture or this machine lacks the instructions.
const NeighbourKernels* Avx2NeighbourKernels();
const NeighbourKernels* Avx512NeighbourKernels();  // asks for VNNI
const NeighbourKernels* NeonNeighbourKernels();

}  // namespace firn::simd
