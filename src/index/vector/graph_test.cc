#include "index/vector/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

namespace firn::index {
namespace {

using simd::Hit;
using simd::Metric;

struct Vectors {
  std::size_t dim;
  std::vector<float> values;

  std::size_t rows() const { return values.size() / dim; }
  std::span<const float> operator[](std::size_t row) const { return {&values[row * dim], dim}; }
  RowReader Reader() const {
    return [this](std::size_t first, std::size_t count, float* out) -> Status {
      std::copy_n(&values[first * dim], count * dim, out);
      return {};
    };
  }
};

Vectors Clustered(std::size_t rows, std::size_t dim, std::size_t clusters, unsigned seed) {
  std::mt19937 random(17);  // the same clusters for rows and queries
  std::normal_distribution<float> normal;
  std::vector<float> centres(clusters * dim);
  for (float& value : centres) value = 2 * normal(random);
  random.seed(seed);
  Vectors vectors{dim, std::vector<float>(rows * dim)};
  for (std::size_t i = 0; i < rows; i++) {
    const std::size_t cluster = random() % clusters;
    for (std::size_t j = 0; j < dim; j++) vectors.values[i * dim + j] = centres[cluster * dim + j] + normal(random);
  }
  return vectors;
}

void MakeUnitLength(Vectors& vectors) {
  for (std::size_t i = 0; i < vectors.rows(); i++) {
    float norm = 0;
    for (const float value : vectors[i]) norm += value * value;
    for (std::size_t j = 0; j < vectors.dim && norm > 0; j++) vectors.values[i * vectors.dim + j] /= std::sqrt(norm);
  }
}

/// Lengths that vary as exp(sigma * normal).
void Stretch(Vectors& vectors, float sigma) {
  std::mt19937 random(23);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < vectors.rows(); i++) {
    const float factor = std::exp(sigma * normal(random));
    for (std::size_t j = 0; j < vectors.dim; j++) vectors.values[i * vectors.dim + j] *= factor;
  }
}

std::vector<Hit> Exact(const Vectors& vectors, std::span<const float> query, Metric metric, std::size_t count,
                       const std::uint64_t* mask = nullptr) {
  std::vector<float> distances(vectors.rows());
  simd::Distances(metric, simd::Element::kF32, query, vectors.values.data(), vectors.rows(), distances);
  simd::TopK best(count);
  for (std::size_t i = 0; i < vectors.rows(); i++) {
    if (mask == nullptr || (mask[i / 64] >> (i % 64) & 1U) != 0) best.Offer(distances[i], i);
  }
  return best.Take();
}

std::unique_ptr<Graph> Built(const Vectors& vectors, Metric metric, const GraphOptions& options = {}) {
  TaskPool pool(2);
  auto graph = Graph::Build(vectors.rows(), vectors.dim, metric, vectors.Reader(), options, pool, Deadline::Never());
  EXPECT_TRUE(graph.has_value()) << (graph ? "" : graph.error().ToString());
  return graph ? std::move(*graph) : nullptr;
}

/// Of the exact ten, how many are among the `count` that the graph chooses.
double Recall(const Graph& graph, const Vectors& vectors, const Vectors& queries, Metric metric, std::size_t beam,
              std::size_t count, const std::uint64_t* mask = nullptr) {
  GraphScratch scratch;
  std::vector<Candidate> hits;
  std::size_t found = 0, wanted = 0;
  for (std::size_t i = 0; i < queries.rows(); i++) {
    graph.Search(queries[i], beam, count, mask, scratch, hits);
    EXPECT_TRUE(std::ranges::is_sorted(hits, {}, &Candidate::distance));
    std::set<std::uint64_t> rows;
    for (const Candidate& hit : hits) rows.insert(hit.row);
    EXPECT_EQ(rows.size(), hits.size());
    for (const Hit& hit : Exact(vectors, queries[i], metric, 10, mask)) {
      wanted++;
      found += rows.count(hit.row);
    }
  }
  return static_cast<double>(found) / static_cast<double>(wanted);
}

std::vector<std::uint64_t> RowsOf(const Graph& graph, std::span<const float> query, std::size_t beam,
                                  std::size_t count) {
  GraphScratch scratch;
  std::vector<Candidate> hits;
  graph.Search(query, beam, count, nullptr, scratch, hits);
  std::vector<std::uint64_t> rows;
  for (const Candidate& hit : hits) rows.push_back(hit.row);
  return rows;
}

TEST(Graph, FindsTheNearestOfClusteredRows) {
  const Vectors vectors = Clustered(4000, 96, 40, 1);
  const Vectors queries = Clustered(100, 96, 40, 2);
  const auto graph = Built(vectors, Metric::kL2);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kL2, 60, 20), 0.95);
}

TEST(Graph, FindsTheNearestByCosineWithFewerAxesThanDimensions) {
  Vectors vectors = Clustered(3000, 320, 30, 1);
  MakeUnitLength(vectors);
  const Vectors queries = Clustered(60, 320, 30, 2);  // of any length
  const auto graph = Built(vectors, Metric::kCosine, {.most_axes = 256});
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kCosine, 80, 30), 0.95);
}

TEST(Graph, NearRowsThatDifferOnManyAxesGetMoreOfThem) {
  Vectors vectors = Clustered(1000, 448, 5, 1);
  const Vectors queries = Clustered(50, 448, 5, 2);
  const auto narrow = Built(vectors, Metric::kL2, {.most_axes = 256});
  const auto wide = Built(vectors, Metric::kL2);
  EXPECT_GT(Recall(*wide, vectors, queries, Metric::kL2, 100, 20),
            Recall(*narrow, vectors, queries, Metric::kL2, 100, 20) + 0.03);
  EXPECT_GT(wide->SizeBytes(), narrow->SizeBytes() + 300 * vectors.rows());
  for (std::size_t i = 0; i < vectors.values.size(); i++) vectors.values[i] *= i % 448 < 100 ? 1 : 0.1F;
  EXPECT_EQ(Built(vectors, Metric::kL2)->SizeBytes(), narrow->SizeBytes());
}

TEST(Graph, FindsTheLargestInnerProductsOfRowsOfOneLength) {
  Vectors vectors = Clustered(3000, 96, 30, 1);
  MakeUnitLength(vectors);
  const Vectors queries = Clustered(100, 96, 30, 2);  // of any length
  const auto graph = Built(vectors, Metric::kDot);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kDot, 60, 20), 0.95);
}

TEST(Graph, FindsTheLargestInnerProductsOfRowsOfUnevenLengths) {
  Vectors vectors = Clustered(4000, 96, 30, 1);
  MakeUnitLength(vectors);
  Stretch(vectors, 0.5F);
  const Vectors queries = Clustered(100, 96, 30, 2);
  const auto graph = Built(vectors, Metric::kDot);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kDot, 100, 20), 0.95);
}

TEST(Graph, ThreeTimesLongerRowsAreFoundAmongManyOfOneLength) {
  Vectors vectors = Clustered(4000, 96, 30, 1);
  MakeUnitLength(vectors);
  for (std::size_t i = 7; i < vectors.rows(); i += 500) {
    for (std::size_t j = 0; j < vectors.dim; j++) vectors.values[i * vectors.dim + j] *= 3;
  }
  const auto graph = Built(vectors, Metric::kDot);
  std::size_t found = 0;
  for (std::size_t i = 7; i < vectors.rows(); i += 500) found += RowsOf(*graph, vectors[i], 60, 1)[0] == i ? 1U : 0U;
  EXPECT_EQ(found, 8U);
}

TEST(Graph, TheLengthOfAQueryDecidesNothingForInnerProducts) {
  const Vectors vectors = Clustered(1000, 64, 10, 22);
  const auto graph = Built(vectors, Metric::kDot);
  const Vectors queries = Clustered(1, 64, 10, 23);
  const auto rows = RowsOf(*graph, queries[0], 50, 10);
  for (const float factor : {0x1.0p-20F, 0x1.0p20F}) {
    std::vector<float> query(queries[0].begin(), queries[0].end());
    for (float& value : query) value *= factor;
    EXPECT_EQ(RowsOf(*graph, query, 50, 10), rows);
  }
  GraphScratch scratch;
  std::vector<Candidate> hits;
  graph->Search(std::vector<float>(64), 50, 10, nullptr, scratch, hits);
  ASSERT_EQ(hits.size(), 10U);
  for (const Candidate& hit : hits) EXPECT_EQ(hit.distance, 1) << "all products with zero are zero";
}

TEST(Graph, EstimatesComeInTheUnitsOfTheMetric) {
  for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
    Vectors vectors = Clustered(500, 64, 5, 3);
    if (metric == Metric::kCosine) MakeUnitLength(vectors);
    const auto graph = Built(vectors, metric);
    GraphScratch scratch;
    std::vector<Candidate> hits;
    const Vectors queries = Clustered(1, 64, 5, 4);
    graph->Search(queries[0], 50, 10, nullptr, scratch, hits);
    ASSERT_EQ(hits.size(), 10U);
    const auto exact = Exact(vectors, queries[0], metric, 500);
    for (const Candidate& hit : hits) {
      const auto same = std::ranges::find(exact, hit.row, &Hit::row);
      EXPECT_NEAR(hit.distance, same->distance, 0.03F * std::abs(same->distance));
    }
  }
}

TEST(Graph, EstimatesAreRarelyOffByMoreThanTheirErrors) {
  for (const std::size_t dim : {128U, 320U}) {  // with all axes kept, and with some dropped
    const Vectors vectors = Clustered(2000, dim, 20, 3);
    const Vectors queries = Clustered(50, dim, 20, 4);
    const auto graph = Built(vectors, Metric::kL2, {.most_axes = 256});
    GraphScratch scratch;
    std::vector<Candidate> hits;
    std::size_t all = 0, off = 0;
    for (std::size_t i = 0; i < queries.rows(); i++) {
      graph->Search(queries[i], 60, 20, nullptr, scratch, hits);
      const auto exact = Exact(vectors, queries[i], Metric::kL2, vectors.rows());
      for (const Candidate& hit : hits) {
        const auto same = std::ranges::find(exact, hit.row, &Hit::row);
        off += std::abs(hit.distance - same->distance) > hit.error ? 1 : 0;
        EXPECT_LT(hit.error, 0.5F * same->distance) << "an error that excludes nothing is of no use";
        all++;
      }
    }
    EXPECT_EQ(all, 20 * queries.rows());
    EXPECT_LE(off, all / 50) << dim;
  }
}

TEST(Graph, OfInnerProductsNoErrorIsKnown) {
  const Vectors vectors = Clustered(500, 64, 5, 3);
  const auto graph = Built(vectors, Metric::kDot);
  GraphScratch scratch;
  std::vector<Candidate> hits;
  graph->Search(vectors[0], 50, 10, nullptr, scratch, hits);
  ASSERT_EQ(hits.size(), 10U);
  for (const Candidate& hit : hits) EXPECT_TRUE(std::isinf(hit.error));
}

TEST(Graph, EveryRowOfASmallTableIsFound) {
  for (const std::size_t rows : {1U, 2U, 5U, 31U, 40U}) {
    const Vectors vectors = Clustered(rows, 8, 3, 5);
    for (const Metric metric : {Metric::kL2, Metric::kDot})
      EXPECT_EQ(RowsOf(*Built(vectors, metric), vectors[0], 2048, 64).size(), rows);
    const auto graph = Built(vectors, Metric::kL2);
    EXPECT_EQ(RowsOf(*graph, vectors[rows - 1], 64, 1), std::vector<std::uint64_t>{rows - 1});
  }
}

TEST(Graph, AnEmptyTableHasNoHits) {
  const auto graph = Built({4, {}}, Metric::kL2);
  EXPECT_THAT(RowsOf(*graph, std::vector<float>(4), 10, 10), testing::IsEmpty());
}

TEST(Graph, TwoDimensionsAreEnough) {
  const Vectors vectors = Clustered(2000, 2, 10, 6);
  const Vectors queries = Clustered(50, 2, 10, 7);
  const auto graph = Built(vectors, Metric::kL2);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kL2, 60, 30), 0.95);
}

TEST(Graph, EqualRowsDoNotHideOthers) {
  Vectors vectors = Clustered(3000, 32, 20, 8);
  for (std::size_t i = 500; i < 2500; i++) std::copy_n(&vectors.values[0], 32, &vectors.values[i * 32]);
  const auto graph = Built(vectors, Metric::kL2);
  std::size_t found = 0;
  for (std::size_t i = 1; i < 500; i++) found += RowsOf(*graph, vectors[i], 60, 1) == std::vector<std::uint64_t>{i};
  EXPECT_GE(found, 485U);
  EXPECT_EQ(RowsOf(*graph, vectors[0], 60, 10).size(), 10U);
}

TEST(Graph, RowsThatAreAllEqualAreAllAsNear) {
  for (const float value : {0.0F, 1.5F}) {
    const Vectors vectors{16, std::vector<float>(3000 * 16, value)};
    for (const Metric metric : {Metric::kL2, Metric::kCosine, Metric::kDot}) {
      const auto graph = Built(vectors, metric);
      EXPECT_EQ(RowsOf(*graph, vectors[0], 30, 10).size(), 10U);
    }
  }
}

TEST(Graph, ZeroRowsAreAtRightAnglesToAll) {
  Vectors vectors = Clustered(1000, 48, 10, 9);
  std::fill_n(&vectors.values[100 * 48], std::size_t{50 * 48}, 0.0F);
  MakeUnitLength(vectors);
  const auto graph = Built(vectors, Metric::kCosine);
  const Vectors queries = Clustered(40, 48, 10, 10);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kCosine, 60, 20), 0.95);
  EXPECT_EQ(RowsOf(*graph, std::vector<float>(48), 30, 10).size(), 10U);
}

TEST(Graph, OnlyMaskedRowsAreReturned) {
  const Vectors vectors = Clustered(3000, 64, 20, 11);
  const Vectors queries = Clustered(50, 64, 20, 12);
  const auto graph = Built(vectors, Metric::kL2);
  std::vector<std::uint64_t> mask(3000 / 64 + 1);
  for (std::size_t i = 0; i < 3000; i += 2) mask[i / 64] |= std::uint64_t{1} << (i % 64);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kL2, 120, 20, mask.data()), 0.95);
  GraphScratch scratch;
  std::vector<Candidate> hits;
  graph->Search(queries[0], 100, 50, mask.data(), scratch, hits);
  EXPECT_FALSE(hits.empty());
  for (const Candidate& hit : hits) EXPECT_EQ(hit.row % 2, 0U);
  const std::vector<std::uint64_t> none(mask.size());
  graph->Search(queries[0], 100, 50, none.data(), scratch, hits);
  EXPECT_TRUE(hits.empty());
}

TEST(Graph, EqualSeedsGiveEqualGraphs) {
  const Vectors vectors = Clustered(3000, 64, 20, 13);
  const Vectors queries = Clustered(50, 64, 20, 14);
  const auto first = Built(vectors, Metric::kL2);
  const auto second = Built(vectors, Metric::kL2);
  EXPECT_EQ(first->SizeBytes(), second->SizeBytes());
  for (std::size_t i = 0; i < queries.rows(); i++) {
    EXPECT_EQ(RowsOf(*first, queries[i], 10, 10), RowsOf(*second, queries[i], 10, 10));
  }
}

TEST(Graph, AScratchServesGraphsOfDifferentSizes) {
  const Vectors large = Clustered(2000, 64, 5, 15), small = Clustered(50, 8, 5, 16);
  const auto a = Built(large, Metric::kL2), b = Built(small, Metric::kL2);
  GraphScratch scratch;
  std::vector<Candidate> hits;
  for (int i = 0; i < 3; i++) {
    a->Search(large[7], 40, 10, nullptr, scratch, hits);
    EXPECT_EQ(hits[0].row, 7U);
    b->Search(small[7], 40, 10, nullptr, scratch, hits);
    EXPECT_EQ(hits[0].row, 7U);
  }
}

TEST(Graph, LargerDegreesAreLargerNodes) {
  const Vectors vectors = Clustered(1000, 64, 5, 18);
  const auto graph = Built(vectors, Metric::kL2, {.degree = 64});
  const Vectors queries = Clustered(20, 64, 5, 19);
  EXPECT_GE(Recall(*graph, vectors, queries, Metric::kL2, 60, 20), 0.95);
}

TEST(Graph, BuildingStopsAtItsDeadline) {
  const Vectors vectors = Clustered(3000, 32, 5, 20);
  TaskPool pool(2);
  // Cancelled while the sample is read, and later.
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  for (std::size_t reads = 0; reads < 3; reads++) {
    cancelled->store(false);
    std::size_t left = reads;
    const RowReader read = [&](std::size_t first, std::size_t count, float* out) -> Status {
      if (left-- == 0) cancelled->store(true);
      return vectors.Reader()(first, count, out);
    };
    const auto graph =
        Graph::Build(vectors.rows(), 32, Metric::kL2, read, {}, pool, Deadline::Never().WithCancel(cancelled));
    ASSERT_FALSE(graph.has_value());
    EXPECT_EQ(graph.error().kind, ErrorKind::kDeadlineExceeded);
  }
}

TEST(Graph, AReadersErrorIsTheBuildsError) {
  TaskPool pool(1);
  const RowReader read = [](std::size_t, std::size_t, float*) -> Status { return DataCorruption("torn"); };
  const auto graph = Graph::Build(100, 8, Metric::kL2, read, {}, pool, Deadline::Never());
  ASSERT_FALSE(graph.has_value());
  EXPECT_EQ(graph.error().kind, ErrorKind::kDataCorruption);
}

TEST(Graph, WhatItCannotDoIsRefused) {
  TaskPool pool(1);
  const Vectors vectors = Clustered(10, 8, 2, 21);
  const auto kind = [&](Metric metric, const GraphOptions& options) {
    const auto graph = Graph::Build(10, 8, metric, vectors.Reader(), options, pool, Deadline::Never());
    return graph ? ErrorKind::kInternal : graph.error().kind;
  };
  EXPECT_EQ(kind(Metric::kHamming, {}), ErrorKind::kUnsupported);
  EXPECT_EQ(kind(Metric::kL2, {.degree = 20}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(Metric::kL2, {.least_axes = 100}), ErrorKind::kInvalidArgument);
  EXPECT_EQ(kind(Metric::kL2, {.candidates = 0}), ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace firn::index
