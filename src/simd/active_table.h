#pragma once
// Which of a kind's tables of kernels is used. Not for the files that are compiled for one instruction set.

#include <array>

#include "simd/distance.h"
#include "simd/kernels.h"

namespace firn::simd {

template <class Table>
class Tables {
 public:
  /// Those that are null are not to be had on this machine.
  Tables(const Table& scalar, const Table* neon, const Table* avx2, const Table* avx512) {
    const Table* widest = &scalar;
    for (std::size_t i = 0; const Table* table : {&scalar, neon, avx2, avx512}) {
      if (table != nullptr) widest = table;
      widest_up_to_[i++] = widest;
    }
  }
  const Table& Active() const { return *widest_up_to_[static_cast<std::size_t>(WidestAllowed())]; }

 private:
  std::array<const Table*, kInstructionSets> widest_up_to_;
};

}  // namespace firn::simd
