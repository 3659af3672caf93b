#include "index/vector/clustering.h"

#include <gtest/gtest.h>

#include <map>

#include "index/vector/segment_testing.h"

namespace firn::index {
namespace {

Result<std::vector<float>> Centroids(const Vectors& sample, std::size_t clusters, std::size_t threads = 2,
                                     const Deadline& deadline = Deadline::Never()) {
  TaskPool pool(threads);
  return Cluster(sample.matrix(), {.clusters = clusters, .rounds = 8, .seed = 3}, pool, deadline);
}

std::vector<std::uint32_t> SizesOf(const Vectors& sample, const Vectors& centroids) {
  std::vector<std::uint32_t> nearest(sample.rows()), sizes(centroids.rows());
  Assigner(centroids.matrix()).Assign(sample.matrix(), nearest.data(), nullptr);
  for (const std::uint32_t cluster : nearest) sizes[cluster]++;
  return sizes;
}

TEST(Assigner, GivesEveryRowItsNearestCentroid) {
  for (const std::size_t dims : {16, 48, 112}) {
    const Vectors rows = Clustered(1000, dims, 20, 1), centroids = Clustered(77, dims, 77, 2);
    std::vector<std::uint32_t> nearest(rows.rows());
    std::vector<float> distance2(rows.rows());
    Assigner(centroids.matrix()).Assign(rows.matrix(), nearest.data(), distance2.data());
    for (std::size_t i = 0; i < rows.rows(); i++) {
      const float best = DistanceOf(simd::Metric::kL2, rows.Row(i),
                                    centroids.Row(ByDistance(centroids, simd::Metric::kL2, rows.Row(i)).front()));
      const float got = DistanceOf(simd::Metric::kL2, rows.Row(i), centroids.Row(nearest[i]));
      EXPECT_LE(got, best * 1.0001F) << i;
      EXPECT_NEAR(distance2[i], got, 1e-3F * got) << i;
    }
  }
}

TEST(Assigner, GivesARowTheSameCentroidAmongWhateverOthers) {
  const Vectors rows = Clustered(300, 32, 4, 1, 3.0F), centroids = Clustered(50, 32, 50, 2);
  const Assigner assigner(centroids.matrix());
  std::vector<std::uint32_t> together(rows.rows());
  std::vector<float> together2(rows.rows());
  assigner.Assign(rows.matrix(), together.data(), together2.data());
  for (std::size_t i = 0; i < rows.rows(); i++) {
    std::uint32_t alone = 0;
    float alone2 = 0;
    assigner.Assign({rows.Row(i).data(), 1, rows.dims}, &alone, &alone2);
    EXPECT_EQ(alone, together[i]);
    EXPECT_EQ(alone2, together2[i]);
  }
}

Assigner Through(const Vectors& centroids, std::size_t threads = 2) {
  TaskPool pool(threads);
  return Must(Assigner::Make(centroids.matrix(), pool, Deadline::Never()));
}

struct Assigned {
  std::vector<std::uint32_t> nearest;
  std::vector<float> distance2;

  Assigned(const Assigner& assigner, const Vectors& rows) : nearest(rows.rows()), distance2(rows.rows()) {
    assigner.Assign(rows.matrix(), nearest.data(), distance2.data());
  }
  double Error() const { return std::accumulate(distance2.begin(), distance2.end(), 0.0); }
};

TEST(Assigner, ComparesWithAllOfFewCentroids) {
  const Vectors rows = Clustered(500, 32, 20, 1), centroids = Clustered(Assigner::kMostCompared, 32, 20, 2);
  EXPECT_EQ(Assigned(Through(centroids), rows).nearest, Assigned(Assigner(centroids.matrix()), rows).nearest);
}

TEST(Assigner, GivesNearlyEveryRowItsNearestOfManyCentroids) {
  // Of a mixture, and of one cloud, where nothing says which groups to leave out.
  for (const std::size_t clusters : {60, 1}) {
    Vectors sample = Clustered(6000, 32, clusters, 1, 1.0F);
    const auto half = sample.values.begin() + 3000 * 32;
    const Vectors rows{32, {half, sample.values.end()}};
    sample.values.erase(half, sample.values.end());
    const Vectors centroids{32, Must(Centroids(sample, 1100))};
    const Assigned exact(Assigner(centroids.matrix()), rows), got(Through(centroids), rows);
    std::size_t missed = 0;
    for (std::size_t i = 0; i < rows.rows(); i++) {
      if (got.nearest[i] != exact.nearest[i]) missed++;
      const float distance2 = DistanceOf(simd::Metric::kL2, rows.Row(i), centroids.Row(got.nearest[i]));
      EXPECT_NEAR(got.distance2[i], distance2, 1e-3F * distance2) << i;
    }
    EXPECT_LT(missed, rows.rows() * 8 / 100) << clusters;
    EXPECT_LT(got.Error(), exact.Error() * 1.01) << clusters;
  }
}

TEST(Assigner, GivesARowTheSameOfManyCentroidsAmongWhateverOthersAndThreads) {
  const Vectors rows = Clustered(700, 32, 4, 1, 3.0F), centroids = Clustered(1500, 32, 50, 2);
  const Assigned together(Through(centroids, 1), rows);
  const Assigner assigner = Through(centroids, 5);
  for (std::size_t i = 0; i < rows.rows(); i++) {
    std::uint32_t alone = 0;
    float alone2 = 0;
    assigner.Assign({rows.Row(i).data(), 1, rows.dims}, &alone, &alone2);
    EXPECT_EQ(alone, together.nearest[i]);
    EXPECT_EQ(alone2, together.distance2[i]);
  }
}

TEST(Assigner, PrefersTheFirstOfManyEqualCentroids) {
  const Vectors equal{16, std::vector<float>(2000 * 16, 1.5F)};
  for (const std::uint32_t centroid : Assigned(Through(equal), Clustered(50, 16, 20, 3)).nearest)
    EXPECT_EQ(centroid, 0U);
}

TEST(Assigner, OfManyCentroidsEndsWithItsDeadline) {
  const auto cancelled = std::make_shared<const std::atomic<bool>>(true);
  const Vectors centroids = Clustered(1500, 16, 50, 2);
  TaskPool pool(2);
  const auto late = Assigner::Make(centroids.matrix(), pool, Deadline::Never().WithCancel(cancelled));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDeadlineExceeded);
}

TEST(Assigner, PrefersTheLowerOfEqualCentroids) {
  const Vectors centroids{2, {5, 5, 1, 1, 1, 1}}, rows{2, {1, 1, 0, 0}};
  std::vector<std::uint32_t> nearest(2);
  Assigner(centroids.matrix()).Assign(rows.matrix(), nearest.data(), nullptr);
  EXPECT_EQ(nearest, (std::vector<std::uint32_t>{1, 1}));
}

TEST(Clustering, FindsBlobsThatLieApart) {
  const Vectors sample = Clustered(2000, 24, 10, 4, 0.05F);
  const Vectors centroids{24, Must(Centroids(sample, 40))};
  std::vector<std::uint32_t> nearest(sample.rows());
  std::vector<float> distance2(sample.rows());
  Assigner(centroids.matrix()).Assign(sample.matrix(), nearest.data(), distance2.data());
  // No centroid stands between two blobs: a row's own lies within its blob, whose radius2 is 24 * 0.05^2.
  for (const float each : distance2) EXPECT_LT(each, 0.5F);
}

TEST(Clustering, BoundsTheLongestList) {
  // Nine rows of ten in one dense blob, the rest far scattered: unbalanced k-means would leave the blob whole.
  Vectors sample = Clustered(3600, 16, 1, 5, 0.1F);
  const Vectors rest = Clustered(400, 16, 400, 6, 5.0F);
  sample.values.insert(sample.values.end(), rest.values.begin(), rest.values.end());
  const Vectors centroids{16, Must(Centroids(sample, 50))};
  const auto sizes = SizesOf(sample, centroids);
  EXPECT_LE(std::ranges::max(sizes), 5 * sample.rows() / sizes.size());
}

TEST(Clustering, OfEqualRowsGivesOneCentroid) {
  const Vectors sample{16, std::vector<float>(100 * 16, 2.5F)};
  EXPECT_EQ(Must(Centroids(sample, 10)), std::vector<float>(16, 2.5F));
}

TEST(Clustering, OfManyDuplicatesGivesNoEmptyCluster) {
  Vectors sample{16, {}};
  for (int i = 0; i < 900; i++) sample.values.insert(sample.values.end(), 16, static_cast<float>(i % 3));
  const Vectors centroids{16, Must(Centroids(sample, 30))};
  EXPECT_EQ(centroids.rows(), 3U);
  for (const std::uint32_t size : SizesOf(sample, centroids)) EXPECT_EQ(size, 300U);
}

TEST(Clustering, OfFewRowsGivesNoMoreCentroidsThanRows) {
  const Vectors sample = Clustered(5, 16, 5, 7);
  EXPECT_LE(Must(Centroids(sample, 100)).size() / 16, 5U);
  EXPECT_EQ(Must(Centroids(Clustered(1, 16, 1, 7), 100)).size(), 16U);
}

TEST(Clustering, DoesNotDependOnTheThreads) {
  const Vectors sample = Clustered(5000, 48, 30, 8);
  const auto one = Must(Centroids(sample, 64, 1));
  EXPECT_EQ(one, Must(Centroids(sample, 64, 3)));
  EXPECT_EQ(one, Must(Centroids(sample, 64, 7)));
}

// ---- more clusters than are compared with all rows ----

/// Lloyd's, from random rows: every row compared with every centroid, nothing balanced.
Vectors PlainKMeans(const Vectors& sample, std::size_t clusters, int rounds) {
  Random random(11);
  Vectors centroids{sample.dims, {}};
  for (std::size_t i = 0; i < clusters; i++) {
    const auto row = sample.Row(random.Below(sample.rows()));
    centroids.values.insert(centroids.values.end(), row.begin(), row.end());
  }
  for (int round = 0; round < rounds; round++) {
    const Assigned assigned(Assigner(centroids.matrix()), sample);
    std::vector<float> counts(clusters, 0.0F);
    for (const std::uint32_t cluster : assigned.nearest) counts[cluster]++;
    for (std::size_t cluster = 0; cluster < clusters; cluster++) {
      if (counts[cluster] > 0) std::ranges::fill(centroids.Row(cluster), 0.0F);
    }
    for (std::size_t row = 0; row < sample.rows(); row++) {
      const std::uint32_t cluster = assigned.nearest[row];
      for (std::size_t i = 0; i < sample.dims; i++) centroids.Row(cluster)[i] += sample.Row(row)[i] / counts[cluster];
    }
  }
  return centroids;
}

TEST(ManyClusters, AreNoWorseThanThoseOfAPlainKMeans) {
  const Vectors sample = Clustered(12'000, 16, 200, 4);
  const Vectors plain = PlainKMeans(sample, 1100, 6), centroids{16, Must(Centroids(sample, 1100))};
  EXPECT_GE(centroids.rows(), 1080U);
  EXPECT_LT(Assigned(Assigner(centroids.matrix()), sample).Error(),
            Assigned(Assigner(plain.matrix()), sample).Error() * 1.02);
  EXPECT_LE(std::ranges::max(SizesOf(sample, centroids)), std::ranges::max(SizesOf(sample, plain)));
}

TEST(ManyClusters, BoundTheLongestList) {
  Vectors sample = Clustered(9000, 16, 1, 5, 0.1F);
  const Vectors rest = Clustered(1000, 16, 1000, 6, 5.0F);
  sample.values.insert(sample.values.end(), rest.values.begin(), rest.values.end());
  const auto sizes = SizesOf(sample, {16, Must(Centroids(sample, 1100))});
  EXPECT_LE(std::ranges::max(sizes), 8 * sample.rows() / sizes.size());
}

TEST(ManyClusters, OfEqualRowsAreOne) {
  EXPECT_EQ(Must(Centroids({16, std::vector<float>(2000 * 16, 2.5F)}, 1100)), std::vector<float>(16, 2.5F));
}

TEST(ManyClusters, OfManyDuplicatesHaveRowsEach) {
  Vectors sample{16, {}};
  for (int i = 0; i < 6000; i++) sample.values.insert(sample.values.end(), 16, static_cast<float>(i % 300));
  const Vectors centroids{16, Must(Centroids(sample, 1500))};
  EXPECT_LE(centroids.rows(), 300U);
  for (const std::uint32_t size : SizesOf(sample, centroids)) EXPECT_GE(size, 20U);
}

TEST(ManyClusters, OfFewRowsAreNoMoreThanRows) {
  const Vectors sample = Clustered(1100, 16, 30, 7);
  const std::size_t clusters = Must(Centroids(sample, 5000)).size() / 16;
  EXPECT_LE(clusters, 1100U);
  EXPECT_GE(clusters, 1000U);
}

TEST(ManyClusters, DoNotDependOnTheThreads) {
  const Vectors sample = Clustered(5000, 32, 30, 8);
  const auto one = Must(Centroids(sample, 1200, 1));
  EXPECT_EQ(one, Must(Centroids(sample, 1200, 3)));
  EXPECT_EQ(one, Must(Centroids(sample, 1200, 7)));
}

TEST(ManyClusters, EndWithTheirDeadline) {
  const auto cancelled = std::make_shared<const std::atomic<bool>>(true);
  const auto late = Centroids(Clustered(2000, 16, 3, 1), 1500, 2, Deadline::Never().WithCancel(cancelled));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDeadlineExceeded);
}

TEST(Clustering, EndsWithItsDeadlineAndNeedsRows) {
  const auto cancelled = std::make_shared<const std::atomic<bool>>(true);
  const auto late = Centroids(Clustered(100, 16, 3, 1), 4, 2, Deadline::Never().WithCancel(cancelled));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDeadlineExceeded);
  const auto none = Centroids({16, {}}, 4);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, ErrorKind::kInvalidArgument);
}

}  // namespace
}  // namespace firn::index
