#include "server/index_builds.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace firn::server {
namespace {

using ::testing::HasSubstr;
using enum BuildOutcome;

class IndexBuildsTest : public ::testing::Test {
 protected:
  /// A build that ends when it is told to, or when it is cancelled.
  Status Build(const std::string& table, const maintain::BuildProgress& progress, const Deadline& deadline) {
    progress(maintain::BuildPhase::kEncode, 3, 10);
    std::unique_lock lock(mutex);
    entered.insert(table);
    changed.notify_all();
    while (!finished.contains(table)) {
      if (deadline.Expired()) return DeadlineExceeded("encoding vectors did not finish in time");
      changed.wait_for(lock, std::chrono::milliseconds(1));
    }
    if (table == "broken") return DataCorruption("file x is truncated");
    return {};
  }
  void Finish(const std::string& table) {
    const std::lock_guard lock(mutex);
    finished.insert(table);
    changed.notify_all();
  }
  static maintain::BuildOptions Options() {
    maintain::BuildOptions options;
    options.column = "v";
    return options;
  }
  IndexBuilds::Handle Start(const std::string& table) {
    auto started = builds.Start(table, Options(), Deadline::Never());
    EXPECT_TRUE(started) << started.error().message;
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return entered.contains(table); });
    return *started;
  }
  Error Fail(const std::string& table) { return builds.Start(table, Options(), Deadline::Never()).error(); }

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::string> entered, finished;
  ManualClock clock;
  Random random{3};
  Log log{LogLevel::kOff, clock};
  Metrics metrics;
  IndexBuilds builds{
      {.plan = [](const std::string& table, const maintain::BuildOptions& options,
                  const Deadline&) -> Result<maintain::BuildPlan> {
         if (table == "none") return NotFound("there is no table \"none\"");
         return maintain::BuildPlan{options.column + "_idx", options.column, simd::Metric::kL2, 10};
       },
       .build = [this](const std::string& table, const maintain::BuildOptions&, const maintain::BuildProgress& progress,
                       const Deadline& deadline) { return Build(table, progress, deadline); }},
      metrics,
      clock,
      random,
      log,
      {.running = 2, .waiting = 1, .remembered = 2}};
};

TEST_F(IndexBuildsTest, ABuildIsFollowedFromItsStartToItsEnd) {
  const auto build = Start("a");
  clock.Advance(std::chrono::seconds(2));
  const BuildState running = builds.StateOf(build);
  EXPECT_EQ(running.outcome, kRunning);
  EXPECT_EQ(running.phase, maintain::BuildPhase::kEncode);
  EXPECT_EQ(running.done, 3);
  EXPECT_EQ(running.total, 10);
  EXPECT_EQ(running.seconds, 2);
  EXPECT_EQ(builds.Find("a", "v_idx"), build);
  EXPECT_EQ(builds.Find("a", "other"), nullptr);
  EXPECT_EQ(builds.Running("a").size(), 1);
  EXPECT_TRUE(builds.Running("b").empty());
  Finish("a");
  const BuildState over = builds.Wait(build, Deadline::Never());
  EXPECT_EQ(over.outcome, kDone);
  EXPECT_FALSE(over.error);
  EXPECT_EQ(builds.RunningCount(), 0);
  EXPECT_THAT(metrics.Render({}), HasSubstr("firn_index_builds_total{outcome=\"done\"} 1\n"));
  EXPECT_THAT(metrics.Render({}), HasSubstr("firn_index_build_seconds_sum 2\n"));
}

TEST_F(IndexBuildsTest, OneBuildOfAnIndexRunsAtATimeAndTheConflictNamesIt) {
  const auto build = Start("a");
  const Error conflict = Fail("a");
  EXPECT_EQ(conflict.kind, ErrorKind::kConflict);
  EXPECT_THAT(conflict.message, HasSubstr(builds.StateOf(build).id));
  Finish("a");
  EXPECT_EQ(builds.Wait(build, Deadline::Never()).outcome, kDone);
  EXPECT_EQ(builds.Wait(Start("a"), Deadline::Never()).outcome, kDone) << "again, once it is over";
}

TEST_F(IndexBuildsTest, NoMoreRunAtOnceThanMay) {
  Start("a");
  const auto b = Start("b");
  EXPECT_EQ(Fail("c").kind, ErrorKind::kResourceExhausted);
  EXPECT_EQ(builds.Find("c", "v_idx"), nullptr);
  Finish("b");
  builds.Wait(b, Deadline::Never());
  Start("c");
}

TEST_F(IndexBuildsTest, ErrorsThatCanBeKnownAtOnceComeAtOnce) {
  EXPECT_EQ(Fail("none").kind, ErrorKind::kNotFound);
  EXPECT_EQ(builds.Find("none", "v_idx"), nullptr);
}

TEST_F(IndexBuildsTest, AFailedBuildKeepsItsError) {
  const auto build = Start("broken");
  Finish("broken");
  const BuildState failed = builds.Wait(build, Deadline::Never());
  EXPECT_EQ(failed.outcome, kFailed);
  EXPECT_EQ(failed.error->kind, ErrorKind::kDataCorruption);
}

TEST_F(IndexBuildsTest, ACancelledBuildEndsAndSaysSo) {
  const auto build = Start("a");
  builds.Cancel(build);
  const BuildState cancelled = builds.Wait(build, Deadline::Never());
  EXPECT_EQ(cancelled.outcome, kCancelled);
  EXPECT_EQ(cancelled.error->kind, ErrorKind::kConflict);
  const auto other = Start("b");
  builds.CancelAll("b");
  EXPECT_EQ(builds.Wait(other, Deadline::Never()).outcome, kCancelled);
}

TEST_F(IndexBuildsTest, AWaitEndsWithItsDeadline) {
  const auto build = Start("a");
  const Deadline deadline = Deadline::After(clock, std::chrono::seconds(1));
  clock.Advance(std::chrono::seconds(1));
  EXPECT_EQ(builds.Wait(build, deadline).outcome, kRunning);
}

TEST_F(IndexBuildsTest, OneMoreThanMayWaitIsAnsweredAtOnce) {
  const auto build = Start("a");
  // Both would wait for ever; the one that the limit turns away lets the other go.
  const auto wait = [&] {
    if (builds.Wait(build, Deadline::Never()).outcome == kRunning) Finish("a");
  };
  std::thread first(wait), second(wait);
  first.join();
  second.join();
  EXPECT_EQ(builds.StateOf(build).outcome, kDone);
}

TEST_F(IndexBuildsTest, AfterTheEndThereAreNoMoreBuilds) {
  const auto build = Start("a");
  builds.Stop();
  EXPECT_EQ(builds.StateOf(build).outcome, kCancelled);
  EXPECT_EQ(builds.StateOf(build).error->kind, ErrorKind::kUnavailable);
  EXPECT_EQ(Fail("b").kind, ErrorKind::kUnavailable);
}

TEST_F(IndexBuildsTest, OldOnesAreForgotten) {
  for (int i = 0; i < 20; i++) {
    const std::string table = std::to_string(i);
    clock.Advance(std::chrono::seconds(1));
    Finish(table);
    builds.Wait(Start(table), Deadline::Never());
  }
  EXPECT_EQ(builds.Find("0", "v_idx"), nullptr);
  EXPECT_NE(builds.Find("19", "v_idx"), nullptr);
}

}  // namespace
}  // namespace firn::server
