#pragma once
// Orthonormal axes: those along which rows vary most, and random ones.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task_pool.h"

namespace firn::index {

/// `count` orthonormal rows of `dim` floats that span what the `count` leading eigenvectors of the sample's covariance
/// span, nearly (subspace iteration). `sample`: `rows` rows of `dim` floats, less their mean. count <= dim.
Result<std::vector<float>> PrincipalAxes(const std::vector<float>& sample, std::size_t rows, std::size_t dim,
                                         std::size_t count, std::uint64_t seed, TaskPool& pool,
                                         const Deadline& deadline);

/// `count` orthonormal rows of `dim` floats in random directions. count <= dim.
std::vector<float> RandomAxes(std::size_t count, std::size_t dim, std::uint64_t seed);

/// rows x columns to columns x rows.
std::vector<float> Transposed(const float* matrix, std::size_t rows, std::size_t columns);

}  // namespace firn::index
