#include "engine/engine.h"

#include <gtest/gtest.h>

#include "arrow/builder.h"

namespace firn::engine {
namespace {

const Deadline kNever = Deadline::Never();

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    Config config;
    config.database = "memory://engine";
    config.threads = 2;
    config.idle_after = std::chrono::minutes(10);
    auto opened =
        Engine::Open(config, {clock_, random_, log_, [](std::string_view) { return std::optional<std::string>(); }});
    ASSERT_TRUE(opened) << opened.error().ToString();
    engine_ = *std::move(opened);
    for (const char* name : {"one", "two"}) Create(name);
  }

  void Create(std::string_view name) {
    const auto schema = std::make_shared<const arrow::Schema>(
        arrow::Schema{{{"vector", arrow::FixedSizeList(arrow::Simple(arrow::TypeId::kFloat32), 2), true, {}}}, {}});
    arrow::Builder vectors(schema->fields[0].type);
    for (int row = 0; row < 5; row++) {
      vectors.child(0).Append(static_cast<float>(row));
      vectors.child(0).Append(1.0F);
      vectors.CloseList();
    }
    arrow::RecordBatch batch{schema, {}, 5};
    batch.columns.push_back(vectors.Finish());
    const auto source = arrow::FromBatches(schema, {batch});
    ASSERT_TRUE(engine_->Create(name, *source, table::CreateMode::kCreate, kNever));
  }
  std::int64_t RowsFound(std::string_view table) {
    query::SearchRequest request;
    request.vector = {2, 1};
    request.k = 3;
    const auto found = engine_->Search(table, std::nullopt, request, kNever);
    EXPECT_TRUE(found) << found.error().ToString();
    return found ? found->rows.rows : 0;
  }

  ManualClock clock_;
  Random random_{3};
  Log log_{LogLevel::kOff, clock_};
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, ATableThatNobodySearchesIsClosedAndOpensAgain) {
  EXPECT_EQ(RowsFound("one"), 3);
  EXPECT_EQ(RowsFound("two"), 3);
  const auto kept = engine_->OpenTable("one", std::nullopt, kNever).value();
  EXPECT_EQ(engine_->CloseIdleTables(), 0U);
  clock_.Advance(std::chrono::minutes(9));
  EXPECT_EQ(RowsFound("one"), 3);
  clock_.Advance(std::chrono::minutes(9));
  EXPECT_EQ(engine_->CloseIdleTables(), 1U) << "the other was searched nine minutes ago";
  EXPECT_EQ(engine_->OpenTable("one", std::nullopt, kNever).value(), kept);
  clock_.Advance(std::chrono::minutes(11));
  EXPECT_EQ(engine_->CloseIdleTables(), 1U);
  EXPECT_EQ(engine_->CloseIdleTables(), 0U);
  EXPECT_NE(engine_->OpenTable("one", std::nullopt, kNever).value(), kept);
  EXPECT_EQ(kept->snapshot().LiveRows(), 5U) << "who still has it may go on";
  EXPECT_EQ(RowsFound("two"), 3);
}

}  // namespace
}  // namespace firn::engine
