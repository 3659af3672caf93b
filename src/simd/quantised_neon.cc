#include "simd/quantised_kernels.h"

const firn::simd::QuantisedKernels* firn::simd::NeonQuantisedKernels() { return nullptr; }
