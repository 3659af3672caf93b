#pragma once
// A table of clustered vectors in memory, to build indexes on and to search.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "arrow/builder.h"
#include "lance/deletion.h"
#include "maintain/build_index.h"
#include "maintain/measure_recall.h"
#include "query/search.h"
#include "store/counting.h"
#include "store/faulty.h"
#include "store/memory/memory_store.h"
#include "table/index_catalog.h"
#include "table/table.h"

namespace firn::maintain {

constexpr std::size_t kDims = 24;
constexpr std::size_t kByteDims = 16;
constexpr std::int64_t kPartRows = 700;
constexpr int kParts = 4;
constexpr int kClusters = 20;
constexpr query::Residency kMapped{.mapped = true};
constexpr query::Residency kCold{.mapped = false, .bytes = 0};

/// "docs": id, cluster (of the vector), draw (random, 0 to 999), text, vector (null when id % 97 == 5), bytes (u8
/// vector). Rows of a cluster stand anywhere; clusters below kClusters / 2 lie far from the others.
class IndexTableTest : public testing::Test {
 protected:
  IndexTableTest() {
    for (std::size_t i = 0; i < kClusters * kDims; i++) {
      const float far = i % kDims == 0 ? (i / kDims < kClusters / 2 ? 6.0F : -6.0F) : 0;
      centres_.push_back(Normal() + far);
    }
  }

  float Normal() {
    double sum = -6;
    for (int i = 0; i < 12; i++) sum += random_.Unit();
    return static_cast<float>(sum);
  }
  std::vector<float> Near(std::size_t cluster) {
    std::vector<float> vector;
    for (std::size_t i = 0; i < kDims; i++) vector.push_back(centres_[cluster * kDims + i] + 0.5F * Normal());
    return vector;
  }

  static void SetLength(std::vector<float>& vector, float length) {
    float square = 0;
    for (const float value : vector) square += value * value;
    for (float& value : vector) value *= length / std::sqrt(square);
  }

  arrow::RecordBatch Rows(std::int64_t first, std::int64_t count) {
    const auto schema = std::make_shared<const arrow::Schema>(
        arrow::Schema{{{"id", arrow::Simple(arrow::TypeId::kInt64), true, {}},
                       {"cluster", arrow::Simple(arrow::TypeId::kInt32), true, {}},
                       {"draw", arrow::Simple(arrow::TypeId::kInt32), true, {}},
                       {"text", arrow::Simple(arrow::TypeId::kUtf8), true, {}},
                       {"vector", arrow::FixedSizeList(arrow::Simple(arrow::TypeId::kFloat32), kDims), true, {}},
                       {"bytes", arrow::FixedSizeList(arrow::Simple(arrow::TypeId::kUInt8), kByteDims), true, {}}},
                      {}});
    std::vector<arrow::Builder> builders;
    for (const arrow::Field& field : schema->fields) builders.emplace_back(field.type);
    for (std::int64_t id = first; id < first + count; id++) {
      const std::size_t cluster = random_.Below(kClusters);
      builders[0].AppendInteger(id);
      builders[1].AppendInteger(static_cast<std::int64_t>(cluster));
      builders[2].AppendInteger(static_cast<std::int64_t>(random_.Below(1000)));
      builders[3].AppendBytes("row " + std::to_string(id));
      std::vector<float> vector = Near(cluster);
      if (lengths_) SetLength(vector, lengths_());
      if (id % 97 == 5) {
        builders[4].AppendNull();
      } else {
        for (const float value : vector) builders[4].child(0).Append(value);
        builders[4].CloseList();
      }
      for (std::size_t i = 0; i < kByteDims; i++) {
        const float value = 128 + 16 * vector[i];
        builders[5].child(0).Append(static_cast<std::uint8_t>(std::clamp(value, 0.0F, 255.0F)));
      }
      builders[5].CloseList();
    }
    arrow::RecordBatch batch{schema, {}, count};
    for (arrow::Builder& builder : builders) batch.columns.push_back(builder.Finish());
    return batch;
  }

  void Create(arrow::RecordBatch batch, table::CreateMode mode = table::CreateMode::kCreate) {
    const auto source = arrow::FromBatches(batch.schema, {batch});
    const auto created = database_.Create("docs", *source, mode, {}, Deadline::Never());
    ASSERT_TRUE(created) << created.error().ToString();
  }
  void Append(arrow::RecordBatch batch) {
    const auto source = arrow::FromBatches(batch.schema, {batch});
    const auto appended = database_.Append("docs", *source, {}, Deadline::Never());
    ASSERT_TRUE(appended) << appended.error().ToString();
  }
  void CreateParts() {
    for (int part = 0; part < kParts; part++) {
      arrow::RecordBatch batch = Rows(part * kPartRows, kPartRows);
      part == 0 ? Create(std::move(batch)) : Append(std::move(batch));
    }
  }

  table::SnapshotPtr Snapshot() { return database_.Open("docs", std::nullopt, Deadline::Never()).value(); }
  index::Catalog Catalog() { return table::ReadCatalog(store_, "docs.lance", Deadline::Never()).value(); }

  Result<index::SegmentEntry> Build(BuildOptions options, const BuildProgress& progress = {},
                                    const Deadline& deadline = Deadline::Never()) {
    if (options.column.empty()) options.column = "vector";
    if (options.rows_per_list == 0) options.rows_per_list = 40;
    return BuildVectorIndex(Snapshot(), options, progress, deadline);
  }
  index::SegmentEntry MustBuild(BuildOptions options = {}) {
    auto built = Build(std::move(options));
    if (!built) ADD_FAILURE() << built.error().ToString();
    return *std::move(built);
  }

  std::unique_ptr<query::OpenTable> Open(query::Residency residency = kMapped, table::SnapshotPtr snapshot = nullptr) {
    return std::make_unique<query::OpenTable>(snapshot ? snapshot : Snapshot(), Catalog(), residency);
  }

  query::SearchRequest Request(std::vector<float> vector) const {
    query::SearchRequest request;
    request.vector_column = vector.size() == kDims ? "vector" : "bytes";
    request.vector = std::move(vector);
    request.columns = {{"id", "cluster"}};
    return request;
  }
  static query::SearchResult Run(query::OpenTable& table, const query::SearchRequest& request) {
    auto result = query::Search(table, request, Deadline::Never());
    if (!result) ADD_FAILURE() << result.error().ToString();
    return result ? *std::move(result) : query::SearchResult{};
  }
  static query::SearchResult RunExact(query::OpenTable& table, query::SearchRequest request) {
    request.exact = true;
    return Run(table, request);
  }
  static std::vector<std::int64_t> IdsOf(const query::SearchResult& result) {
    if (result.rows.columns.empty()) return {};
    const auto ids = result.rows.Column("id")->Values<std::int64_t>();
    return {ids.begin(), ids.end()};
  }
  /// Of the exact answer, what the search found.
  static double RecallOf(query::OpenTable& table, const query::SearchRequest& request) {
    const auto truth = IdsOf(RunExact(table, request)), found = IdsOf(Run(table, request));
    EXPECT_EQ(found.size(), truth.size());
    const std::set<std::int64_t> known(found.begin(), found.end());
    if (truth.empty()) return 1;
    double hits = 0;
    for (const std::int64_t id : truth) hits += known.contains(id) ? 1 : 0;
    return hits / static_cast<double>(truth.size());
  }

  /// The snapshot as it would be with these rows of its fragments (by position) deleted.
  table::SnapshotPtr Without(const table::SnapshotPtr& snapshot,
                             const std::map<std::size_t, std::vector<std::uint32_t>>& deleted) {
    lance::Manifest manifest = snapshot->manifest();
    for (const auto& [position, offsets] : deleted) {
      lance::Fragment& fragment = manifest.fragments[position];
      fragment.deletion =
          lance::DeletionFile{lance::DeletionFile::Kind::kBitmap, manifest.version, 7, offsets.size(), std::nullopt};
      EXPECT_TRUE(store_.Put("docs.lance/" + fragment.deletion->PathFor(fragment.id),
                             AsBytes(lance::EncodeDeletionBitmap(offsets)), store::PutCondition::kNone,
                             Deadline::Never()));
    }
    return std::make_shared<const table::Snapshot>(environment_, "docs", "docs.lance", std::move(manifest),
                                                   snapshot->schema());
  }

  ManualClock clock_;
  Random random_{5};
  Log log_{LogLevel::kOff, clock_};
  TaskPool pool_{3};
  lance::FileMetadataCache cache_;
  store::FaultPlan faults_;  // may be changed at any time
  store::StoreCounter counter_;
  store::CountingStore store_{std::make_unique<store::FaultyStore>(
                                  store::OpenMemory("test", clock_),
                                  [this](const store::OperationInfo& operation) {
                                    return faults_ ? faults_(operation) : store::FaultDecision{};
                                  },
                                  clock_),
                              counter_};
  table::Environment environment_{store_, clock_, random_, log_, pool_, cache_};
  table::Database database_{environment_};
  std::vector<float> centres_;
  std::function<float()> lengths_;  // of vectors, where they are not as they come
};

}  // namespace firn::maintain
