#include "index/vector/lifting.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace firn::index {
namespace {

constexpr std::size_t kWindowRows = 2048;

double SquareOf(const float* row, std::size_t dim) {
  double sum = 0;
  for (std::size_t i = 0; i < dim; i++) sum += static_cast<double>(row[i]) * row[i];
  return sum;
}

}  // namespace

Result<std::vector<float>> SquaresOfRows(std::size_t rows, std::size_t dim, const RowReader& read,
                                         const Deadline& deadline) {
  std::vector<float> squares(rows);
  std::vector<float> window;
  for (std::size_t first = 0; first < rows; first += kWindowRows) {
    FIRN_CHECK(deadline.Check("reading rows for the graph"));
    const std::size_t count = std::min(kWindowRows, rows - first);
    window.resize(count * dim);
    FIRN_CHECK(read(first, count, window.data()));
    for (std::size_t i = 0; i < count; i++) squares[first + i] = static_cast<float>(SquareOf(&window[i * dim], dim));
  }
  return squares;
}

RowReader Lifted(const RowReader& read, std::size_t dim, float largest_square) {
  return [=, plain = std::vector<float>()](std::size_t first, std::size_t count, float* out) mutable -> Status {
    plain.resize(count * dim);
    FIRN_CHECK(read(first, count, plain.data()));
    for (std::size_t i = 0; i < count; i++, out += dim + 1) {
      const float* row = &plain[i * dim];
      std::copy_n(row, dim, out);
      out[dim] = static_cast<float>(std::sqrt(std::max(0.0, static_cast<double>(largest_square) - SquareOf(row, dim))));
    }
    return {};
  };
}

}  // namespace firn::index
