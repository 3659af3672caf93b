#include "index/vector/graph_space.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "index/vector/principal_axes.h"
#include "simd/neighbours.h"

namespace firn::index {
namespace {

constexpr std::size_t kSampleRows = 8192;
constexpr std::size_t kSampleRun = 32;  // rows that are read at once
/// Of the energy of what tells near rows apart, on the axes that are kept. A promise of .99 was kept where it was .84
/// (Fashion-MNIST, 256 axes) and more, and not reached with .78 (192 axes) and .79 (a mixture of 768 values, 256).
constexpr double kEnoughEnergy = 0.83;

/// Evenly spaced runs of rows.
Result<std::vector<float>> ReadSample(std::size_t rows, std::size_t dim, const RowReader& read,
                                      const Deadline& deadline) {
  const std::size_t runs = std::max<std::size_t>(1, std::min(rows, kSampleRows) / kSampleRun);
  std::vector<float> sample;
  for (std::size_t i = 0; i < runs; i++) {
    FIRN_CHECK(deadline.Check("sampling rows"));
    const std::size_t first = rows / runs * i;
    const std::size_t count = rows <= kSampleRows ? (i + 1 == runs ? rows : rows / runs * (i + 1)) - first : kSampleRun;
    sample.resize(sample.size() + count * dim);
    FIRN_CHECK(read(first, count, sample.data() + sample.size() - count * dim));
  }
  return sample;
}

std::vector<float> TakeMean(std::vector<float>& sample, std::size_t dim) {
  const std::size_t rows = sample.size() / dim;
  std::vector<double> sums(dim);
  for (std::size_t i = 0; i < rows; i++) {
    for (std::size_t j = 0; j < dim; j++) sums[j] += sample[i * dim + j];
  }
  std::vector<float> mean(dim);
  for (std::size_t j = 0; j < dim; j++) mean[j] = static_cast<float>(sums[j] / static_cast<double>(rows));
  for (std::size_t i = 0; i < rows; i++) {
    for (std::size_t j = 0; j < dim; j++) sample[i * dim + j] -= mean[j];
  }
  return mean;
}

double EnergyOf(const float* values, std::size_t count) {
  double sums[4] = {};  // independent of each other: an addition waits for the one before it
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    for (std::size_t j = 0; j < 4; j++) sums[j] += static_cast<double>(values[i + j]) * values[i + j];
  }
  for (; i < count; i++) sums[0] += static_cast<double>(values[i]) * values[i];
  return sums[0] + sums[1] + sums[2] + sums[3];
}

/// Of rows before they were lifted: the root of their mean square.
float MeanLength(const std::vector<float>& lifted, std::size_t dim) {
  const std::size_t rows = lifted.size() / dim;
  double energy = 0;
  for (std::size_t i = 0; i < rows; i++) energy += EnergyOf(&lifted[i * dim], dim - 1);
  return energy > 0 ? static_cast<float>(std::sqrt(energy / static_cast<double>(rows))) : 1.0F;
}

/// What some rows of the sample and those nearest to them differ by.
Result<std::vector<float>> NearDifferences(const std::vector<float>& sample, std::size_t dim,
                                           const Deadline& deadline) {
  constexpr std::size_t kRows = 200, kNearest = 8;
  const std::size_t rows = sample.size() / dim;
  std::vector<float> norms2(rows), products(rows), differences;
  for (std::size_t i = 0; i < rows; i++) norms2[i] = static_cast<float>(EnergyOf(&sample[i * dim], dim));
  const std::size_t some = std::min(rows, kRows);
  for (std::size_t i = 0; i < some; i++) {
    FIRN_CHECK(deadline.Check("comparing near rows"));
    const std::size_t row = rows / some * i;
    const float* mine = &sample[row * dim];
    simd::DotMatrix(mine, 1, sample.data(), rows, dim, products.data());
    simd::TopK nearest(kNearest);
    for (std::size_t j = 0; j < rows; j++) {
      if (j != row) nearest.Offer(norms2[j] - 2 * products[j], j);
    }
    for (const simd::Hit& hit : nearest.Take()) {
      for (std::size_t k = 0; k < dim; k++) differences.push_back(sample[hit.row * dim + k] - mine[k]);
    }
  }
  return differences;
}

/// The energy of the rows along each of `count` axes.
std::vector<double> EnergiesAlong(const std::vector<float>& axes, std::size_t count, const std::vector<float>& rows,
                                  std::size_t dim) {
  std::vector<float> values(rows.size() / dim * count);
  simd::DotMatrix(rows.data(), rows.size() / dim, axes.data(), count, dim, values.data());
  std::vector<double> energies(count);
  for (std::size_t i = 0; i < values.size(); i++) energies[i % count] += static_cast<double>(values[i]) * values[i];
  return energies;
}

/// The principal axes of the sample, `axes.least` of them or, where those say too little of what tells near rows apart,
/// more in steps of 64. Empty where it would be all there are.
Result<std::vector<float>> EnoughAxes(const std::vector<float>& sample, std::size_t dim, AxesRange axes,
                                      std::uint64_t seed, TaskPool& pool, const Deadline& deadline) {
  if (axes.least >= dim) return std::vector<float>();
  const std::size_t rows = sample.size() / dim;
  FIRN_TRY(const std::vector<float> differences, NearDifferences(sample, dim, deadline));
  const double enough = kEnoughEnergy * EnergyOf(differences.data(), differences.size());
  FIRN_TRY(std::vector<float> found, PrincipalAxes(sample, rows, dim, axes.least, seed, pool, deadline));
  const std::vector<double> first = EnergiesAlong(found, axes.least, differences, dim);
  if (axes.most <= axes.least || std::reduce(first.begin(), first.end()) >= enough) return found;
  const std::size_t widest = std::min(axes.most, dim);
  FIRN_TRY(found, PrincipalAxes(sample, rows, dim, widest, seed, pool, deadline));
  const std::vector<double> energies = EnergiesAlong(found, widest, differences, dim);
  std::size_t count = axes.least;
  double energy = std::reduce(energies.begin(), energies.begin() + static_cast<std::ptrdiff_t>(count));
  for (const std::size_t step = 64; count < widest && energy < enough;) {
    for (const std::size_t end = std::min(count + step, widest); count < end; count++) energy += energies[count];
  }
  found.resize(count == dim ? 0 : count * dim);
  return found;
}

}  // namespace

Result<Space> Space::Learn(std::size_t rows, std::size_t dim, simd::Metric metric, AxesRange axes, std::uint64_t seed,
                           const RowReader& read, TaskPool& pool, const Deadline& deadline) {
  Space space;
  space.dim_ = dim;
  space.padded_dim_ = (dim + 63) / 64 * 64;
  space.cosine_ = metric == simd::Metric::kCosine;
  space.lifted_ = metric == simd::Metric::kDot;
  FIRN_TRY(std::vector<float> sample, ReadSample(rows, dim, read, deadline));
  const std::size_t sampled = sample.size() / dim;
  if (space.lifted_) space.query_length_ = MeanLength(sample, dim);
  space.mean_ = TakeMean(sample, dim);
  const double energy = EnergyOf(sample.data(), sample.size()) / static_cast<double>(sampled);
  space.scale_ = energy > 1e-30 ? static_cast<float>(1 / std::sqrt(energy)) : 1.0F;
  space.unit_ = (space.cosine_ || space.lifted_ ? 0.5F : 1.0F) / (space.scale_ * space.scale_);

  // All axes when there are no more than are coded; the turn among each other is random either way.
  FIRN_TRY(const std::vector<float> principal, EnoughAxes(sample, dim, axes, seed + 1, pool, deadline));
  const std::size_t kept = principal.empty() ? dim : principal.size() / dim;
  space.axes_ = (kept + 63) / 64 * 64;
  const std::vector<float> turn = RandomAxes(kept, space.axes_, seed);
  std::vector<float> matrix;
  if (principal.empty()) {
    matrix = Transposed(turn.data(), kept, space.axes_);
  } else {
    const std::vector<float> by_axis = Transposed(principal.data(), kept, dim);
    const std::vector<float> turn_by_axis = Transposed(turn.data(), kept, space.axes_);
    matrix.resize(space.axes_ * dim);
    simd::DotMatrix(turn_by_axis.data(), space.axes_, by_axis.data(), dim, kept, matrix.data());
  }
  std::vector<float> padded(space.axes_ * space.padded_dim_);
  for (std::size_t i = 0; i < space.axes_; i++) std::copy_n(&matrix[i * dim], dim, &padded[i * space.padded_dim_]);
  space.matrix_.resize(padded.size());
  space.matrix_step_ = simd::QuantiseToInt8(padded, space.matrix_.data());
  space.wide_matrix_.resize(space.axes_ * dim);
  for (std::size_t i = 0; i < space.axes_; i++) {
    for (std::size_t j = 0; j < dim; j++) {
      space.wide_matrix_[i * dim + j] =
          space.matrix_step_ * space.scale_ * static_cast<float>(space.matrix_[i * space.padded_dim_ + j]);
    }
  }
  if (space.lifted_) {
    std::vector<float> mean = space.mean_;
    mean.back() = 0;
    space.turned_mean_.resize(space.axes_);
    simd::DotMatrix(mean.data(), 1, space.wide_matrix_.data(), space.axes_, dim, space.turned_mean_.data());
  }
  return space;
}

std::size_t Space::SizeBytes() const {
  return sizeof(*this) + matrix_.capacity() +
         (mean_.capacity() + turned_mean_.capacity() + wide_matrix_.capacity()) * sizeof(float);
}

void Space::Encode(const float* rows, std::size_t count, std::int8_t* bytes, std::size_t stride,
                   RowTerms* terms) const {
  std::vector<float> centred(count * dim_);
  std::vector<float> values(count * axes_);
  for (std::size_t i = 0; i < count; i++) {
    for (std::size_t j = 0; j < dim_; j++) centred[i * dim_ + j] = rows[i * dim_ + j] - mean_[j];
  }
  simd::DotMatrix(centred.data(), count, wide_matrix_.data(), axes_, dim_, values.data());
  for (std::size_t i = 0; i < count; i++) {
    const std::span<const float> row(&values[i * axes_], axes_);
    std::int8_t* out = bytes + i * stride;
    const float step = simd::QuantiseToInt8(row, out);
    std::int32_t square = 0;
    simd::DotSignedBytes(out, 1, axes_, out, &square);
    double dropped = EnergyOf(&centred[i * dim_], dim_) * scale_ * scale_ - EnergyOf(row.data(), axes_);
    // A zero row is as far from all by cosine as one at right angles.
    if (cosine_ && EnergyOf(rows + i * dim_, dim_) == 0) dropped += static_cast<double>(scale_) * scale_;
    terms[i] = {static_cast<float>(static_cast<double>(step) * step * square + dropped), step};
  }
}

void Space::FaceQueries(const std::int8_t* bytes, RowTerms& terms) const {
  float product = 0;
  for (std::size_t i = 0; i < axes_; i++) product += turned_mean_[i] * static_cast<float>(bytes[i]);
  terms.norm2 = -2 * terms.step * product;
}

/// For dot a distance in the space is -2 <sq, x - mean>, written as -2 <sq - mean, x - mean> - 2 <mean, x - mean>: the
/// nearer to the rows that a query lies, the better it is estimated from the codes of neighbours. Its length s |q|
/// decides nothing else.
void Space::Prepare(std::span<const float> query, SpaceQuery& out) const {
  out.centred.assign(padded_dim_, 0);
  float length_scale = 1;
  if (cosine_ || lifted_) {
    const double energy = EnergyOf(query.data(), query.size());
    length_scale = energy > 0 ? static_cast<float>(query_length_ / std::sqrt(energy)) : 0;
  }
  for (std::size_t i = 0; i < query.size(); i++) out.centred[i] = query[i] * length_scale - mean_[i];
  if (lifted_) {
    double product = 0;
    for (std::size_t i = 0; i < query.size(); i++) product += static_cast<double>(query[i]) * mean_[i];
    out.offset = static_cast<float>(1 - product);
    out.unit = length_scale > 0 ? unit_ / length_scale : 0;
  }
  out.centred_bytes.resize(padded_dim_);
  const float centred_step = simd::QuantiseToInt8(out.centred, out.centred_bytes.data()) * scale_;
  const float step = centred_step * matrix_step_;
  out.products.resize(axes_);
  simd::DotSignedBytes(matrix_.data(), axes_, padded_dim_, out.centred_bytes.data(), out.products.data());
  out.values.resize(axes_);
  for (std::size_t i = 0; i < axes_; i++) out.values[i] = step * static_cast<float>(out.products[i]);
  out.bytes.resize(axes_);
  out.step = simd::QuantiseToInt8(out.values, out.bytes.data());
  float energy = 0;
  simd::DotMatrix(out.centred.data(), 1, out.centred.data(), 1, padded_dim_, &energy);
  out.norm2 = lifted_ ? 0 : energy * scale_ * scale_;
  simd::DotMatrix(out.values.data(), 1, out.values.data(), 1, axes_, &out.kept_energy);
  out.dropped_energy = std::max(0.0F, out.norm2 - out.kept_energy);
  out.rounding_energy = (centred_step * centred_step + out.step * out.step) / 12;
  Finish(out);
}

float Space::ErrorOf(const std::int8_t* bytes, const RowTerms& terms, const SpaceQuery& query) const {
  constexpr float kDeviations = 3;
  if (lifted_) return std::numeric_limits<float>::infinity();
  std::int32_t square = 0;
  simd::DotSignedBytes(bytes, 1, axes_, bytes, &square);
  const float kept = terms.step * terms.step * static_cast<float>(square);
  const float dropped = std::max(0.0F, terms.norm2 - kept);
  const std::size_t dropped_axes = dim_ > axes_ ? dim_ - axes_ : 1;
  // The inner product of two vectors that know nothing of each other in so many dimensions; and of each side with what
  // rounding adds to the other, a twelfth of a step squared on each axis.
  const float variance = query.dropped_energy * dropped / static_cast<float>(dropped_axes) +
                         query.rounding_energy * kept + terms.step * terms.step / 12 * query.kept_energy;
  return kDeviations * 2 * std::sqrt(variance) * unit_;
}

void Space::Prepare(const std::int8_t* bytes, const RowTerms& terms, SpaceQuery& out) const {
  out.values.resize(axes_);
  for (std::size_t i = 0; i < axes_; i++) out.values[i] = terms.step * static_cast<float>(bytes[i]);
  out.bytes.assign(bytes, bytes + axes_);
  out.step = terms.step;
  out.norm2 = terms.norm2;
  Finish(out);
}

void Space::Finish(SpaceQuery& out) const {
  out.table.resize(axes_ * 4);
  const simd::TableScale scale = simd::BuildTable(out.values, out.table.data());
  float sums[8] = {};  // axes are a multiple of 64
  for (std::size_t i = 0; i < axes_; i += 8) {
    for (std::size_t j = 0; j < 8; j++) sums[j] += out.values[i + j];
  }
  const float sum = std::accumulate(std::begin(sums), std::end(sums), 0.0F);
  out.sign_step = 2 * scale.step;
  out.sign_bias = 2 * scale.bias - sum;
}

}  // namespace firn::index
