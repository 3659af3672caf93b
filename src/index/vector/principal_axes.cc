#include "index/vector/principal_axes.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/random.h"
#include "simd/quantised.h"

namespace firn::index {
namespace {

constexpr std::size_t kIterations = 8;
constexpr std::size_t kRowsPerTask = 32;

float Dot(const float* a, const float* b, std::size_t dim) {
  float product = 0;
  simd::DotMatrix(a, 1, b, 1, dim, &product);
  return product;
}

std::vector<float> GaussianRows(std::size_t count, std::size_t dim, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count * dim);
  for (float& value : values) {  // Box and Muller
    const double radius = std::sqrt(-2 * std::log(1 - random.Unit()));
    value = static_cast<float>(radius * std::cos(2 * std::numbers::pi * random.Unit()));
  }
  return values;
}

/// Gram and Schmidt, each row against those before it, twice for precision. A row that vanishes is replaced by a unit
/// vector and made orthogonal again.
void Orthonormalise(std::vector<float>& rows, std::size_t count, std::size_t dim) {
  std::vector<float> products(count);
  std::size_t spare = 0;
  for (std::size_t i = 0; i < count; i++) {
    float* row = &rows[i * dim];
    for (;;) {
      const float before = std::sqrt(Dot(row, row, dim));
      for (int round = 0; round < 2; round++) {
        simd::DotMatrix(row, 1, rows.data(), i, dim, products.data());
        for (std::size_t j = 0; j < i; j++) {
          const float* other = &rows[j * dim];
          for (std::size_t k = 0; k < dim; k++) row[k] -= products[j] * other[k];
        }
      }
      const float length = std::sqrt(Dot(row, row, dim));
      if (length > 1e-4F * before && length > 1e-30F) {
        for (std::size_t k = 0; k < dim; k++) row[k] /= length;
        break;
      }
      std::fill_n(row, dim, 0.0F);
      row[spare++ % dim] = 1;
    }
  }
}

/// out[i] = <a row i, b row j> over all j, rows of `a` shared among the threads.
Status Multiply(const std::vector<float>& a, std::size_t a_rows, const std::vector<float>& b, std::size_t b_rows,
                std::size_t dim, std::vector<float>& out, TaskPool& pool, const Deadline& deadline) {
  out.resize(a_rows * b_rows);
  return pool.ParallelFor((a_rows + kRowsPerTask - 1) / kRowsPerTask, [&](std::size_t task) -> Status {
    FIRN_CHECK(deadline.Check("finding the principal axes"));
    const std::size_t first = task * kRowsPerTask;
    const std::size_t count = std::min(kRowsPerTask, a_rows - first);
    simd::DotMatrix(&a[first * dim], count, b.data(), b_rows, dim, &out[first * b_rows]);
    return {};
  });
}

}  // namespace

std::vector<float> Transposed(const float* matrix, std::size_t rows, std::size_t columns) {
  std::vector<float> out(rows * columns);
  for (std::size_t i = 0; i < rows; i++) {
    for (std::size_t j = 0; j < columns; j++) out[j * rows + i] = matrix[i * columns + j];
  }
  return out;
}

std::vector<float> RandomAxes(std::size_t count, std::size_t dim, std::uint64_t seed) {
  std::vector<float> axes = GaussianRows(count, dim, seed);
  Orthonormalise(axes, count, dim);
  return axes;
}

Result<std::vector<float>> PrincipalAxes(const std::vector<float>& sample, std::size_t rows, std::size_t dim,
                                         std::size_t count, std::uint64_t seed, TaskPool& pool,
                                         const Deadline& deadline) {
  const std::vector<float> columns = Transposed(sample.data(), rows, dim);
  std::vector<float> covariance;
  FIRN_CHECK(Multiply(columns, dim, columns, dim, rows, covariance, pool, deadline));
  std::vector<float> axes = RandomAxes(count, dim, seed);
  std::vector<float> turned;
  for (std::size_t i = 0; i < kIterations; i++) {
    FIRN_CHECK(Multiply(axes, count, covariance, dim, dim, turned, pool, deadline));  // the covariance is symmetric
    axes.swap(turned);
    Orthonormalise(axes, count, dim);
  }
  return axes;
}

}  // namespace firn::index
