#include "index/lance_ivf/partition_scan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace firn::index {
namespace {

constexpr std::size_t kCodewords = 256;

std::vector<float> Normalised(std::span<const float> vector) {
  float norm2 = 0;
  for (const float value : vector) norm2 += value * value;
  std::vector<float> normalised(vector.begin(), vector.end());
  if (norm2 > 0) {
    const float norm = std::sqrt(norm2);
    for (float& value : normalised) value /= norm;
  }
  return normalised;
}

/// What the codes' writer did to the rows.
std::vector<float> Quantised(std::span<const float> vector, const IndexHeader& header) {
  std::vector<float> quantised(vector.size(), 0.0F);
  const double width = header.bound_end - header.bound_start;
  if (width == 0) return quantised;
  for (std::size_t i = 0; i < vector.size(); i++) {
    const double level = (vector[i] - header.bound_start) * 255.0 / width;
    if (level > 0) quantised[i] = static_cast<float>(std::trunc(std::min(level, 255.0)));
  }
  return quantised;
}

/// Cosine is l2 between vectors of length 1, but for vectors that are stored whole.
simd::Metric CodeMetric(simd::Metric metric) { return metric == simd::Metric::kCosine ? simd::Metric::kL2 : metric; }

}  // namespace

QueryScan::QueryScan(const IndexHeader& header, const IvfModel& model, std::span<const float> query)
    : header_(header), model_(model), query_(query.begin(), query.end()) {
  if (header.metric == simd::Metric::kCosine) query_ = Normalised(query);
  if (header.codes == Codes::kScalar) scalar_query_ = Quantised(query_, header);
}

std::vector<std::size_t> QueryScan::NearestPartitions(std::size_t nprobes) const {
  const std::size_t count = model_.partitions.size();
  std::vector<float> distances(count);
  simd::Distances(CodeMetric(header_.metric), simd::Element::kF32, query_, model_.centroids.data(), count, distances);
  for (float& distance : distances) {
    if (std::isnan(distance)) distance = INFINITY;
  }
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  const std::size_t wanted = std::min(std::max<std::size_t>(nprobes, 1), count);
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(wanted), order.end(),
      [&](std::size_t a, std::size_t b) { return distances[a] != distances[b] ? distances[a] < distances[b] : a < b; });
  order.resize(wanted);
  return order;
}

void QueryScan::Distances(std::size_t partition, const void* codes, std::span<float> distances) const {
  switch (header_.codes) {
    case Codes::kFlat:
      simd::Distances(header_.metric, simd::Element::kF32, query_, codes, distances.size(), distances);
      return;
    case Codes::kScalar:
      ScalarDistances(static_cast<const std::uint8_t*>(codes), distances);
      return;
    case Codes::kProduct:
      ProductDistances(partition, static_cast<const std::uint8_t*>(codes), distances);
      return;
  }
}

void QueryScan::ScalarDistances(const std::uint8_t* codes, std::span<float> distances) const {
  const float step = static_cast<float>(header_.bound_end - header_.bound_start) / 255.0F;
  if (header_.metric != simd::Metric::kDot) {
    simd::Distances(simd::Metric::kL2, simd::Element::kU8, scalar_query_, codes, distances.size(), distances);
    for (float& distance : distances) distance *= step * step;
    return;
  }
  // <start + step * code, query>, and the query is not quantised.
  const float start = static_cast<float>(header_.bound_start);
  const float offset = start * std::accumulate(query_.begin(), query_.end(), 0.0F);
  simd::Distances(simd::Metric::kDot, simd::Element::kU8, query_, codes, distances.size(), distances);
  for (float& distance : distances) distance = 1 - (offset + step * (1 - distance));
}

/// What each code of each sub-vector adds to a distance: sub_vectors x 256.
std::vector<float> QueryScan::ProductTable(std::size_t partition) const {
  std::vector<float> target = query_;
  const simd::Metric metric = CodeMetric(header_.metric);
  if (metric == simd::Metric::kL2) {
    const float* centroid = model_.centroids.data() + partition * header_.dimension;
    for (std::size_t i = 0; i < target.size(); i++) target[i] -= centroid[i];
  }
  const std::size_t width = header_.dimension / header_.sub_vectors;
  std::vector<float> table(header_.sub_vectors * kCodewords);
  for (std::size_t s = 0; s < header_.sub_vectors; s++) {
    simd::Distances(metric, simd::Element::kF32, std::span(target).subspan(s * width, width),
                    model_.codebook.data() + s * kCodewords * width, kCodewords,
                    std::span(table).subspan(s * kCodewords, kCodewords));
  }
  return table;
}

void QueryScan::ProductDistances(std::size_t partition, const std::uint8_t* codes, std::span<float> distances) const {
  const std::vector<float> table = ProductTable(partition);
  const std::size_t rows = distances.size();
  const std::size_t row_step = header_.transposed ? 1 : header_.sub_vectors;
  const std::size_t sub_vector_step = header_.transposed ? rows : 1;
  std::ranges::fill(distances, 0.0F);
  for (std::size_t s = 0; s < header_.sub_vectors; s++) {
    const float* adds = table.data() + s * kCodewords;
    const std::uint8_t* code = codes + s * sub_vector_step;
    for (std::size_t row = 0; row < rows; row++) distances[row] += adds[code[row * row_step]];
  }
  if (header_.metric != simd::Metric::kDot) return;
  // Every sub-vector's distance is 1 - <a, b>, and the sum must be.
  const float extra = static_cast<float>(header_.sub_vectors) - 1;
  for (float& distance : distances) distance -= extra;
}

}  // namespace firn::index
