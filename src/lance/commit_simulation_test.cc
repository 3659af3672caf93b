// Many writers on one table, over a store that loses answers, refuses calls, and forgets writers between data and
// manifest. Whatever happens: no committed append is lost, none is there twice, and versions are dense.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "lance/manifest_testing.h"
#include "lance/versions.h"
#include "store/faulty.h"
#include "store/memory/memory_store.h"

namespace firn::lance {
namespace {

const std::string kRoot = "docs.lance";
constexpr int kWriters = 4;
constexpr int kAppends = 12;

/// What became of one append, as its writer knows it.
enum class Fate : std::uint8_t { kCommitted, kRefused, kUnknown, kCrashed };

/// Mostly what hurts: puts that did not happen, and puts that did though their answer was lost.
store::FaultPlan Faults(std::uint64_t seed) {
  return [puts = store::RandomFaults(seed, {0.1, 0.2, 0, 0}),
          others = store::RandomFaults(seed + 1, {0.01, 0.01, 0, 0})](const store::OperationInfo& info) {
    return info.operation == store::StoreOperation::kPut ? puts(info) : others(info);
  };
}

class Writer {
 public:
  Writer(store::ObjectStore& shared, Clock& clock, std::uint64_t seed, int number)
      : random_(seed * 1000 + static_cast<std::uint64_t>(number)),
        store_(store::Borrow(shared), Faults(seed * 77 + static_cast<std::uint64_t>(number)), clock),
        clock_(clock),
        number_(number) {}

  void Run() {
    for (int i = 0; i < kAppends; i++) {
      const std::string file = std::to_string(number_) + "-" + std::to_string(i) + ".lance";
      fates_[file] = AppendOnce(file);
    }
  }
  const std::map<std::string, Fate>& fates() const { return fates_; }

 private:
  Fate AppendOnce(const std::string& file) {
    // A stale base now and then, as a writer has that took long over its data file.
    if (!base_ || random_.Below(3) == 0) {
      const auto latest = ReadLatestManifest(store_, kRoot, Deadline::Never());
      if (latest) base_ = *latest;
    }
    if (!base_) return Fate::kCrashed;
    if (random_.Below(10) == 0) return Fate::kCrashed;  // the data file is there, the manifest never comes
    const CommitContext context{store_, clock_, random_, kRoot};
    const auto committed = Commit(context, &*base_, AppendFragments{{SmallFragment(file)}}, Deadline::Never());
    if (committed) return Fate::kCommitted;
    const bool unknown = InfoOf(committed.error().kind).retryable;
    EXPECT_TRUE(unknown || committed.error().kind == ErrorKind::kConflict) << committed.error().ToString();
    return unknown ? Fate::kUnknown : Fate::kRefused;
  }

  Random random_;
  store::FaultyStore store_;
  Clock& clock_;
  const int number_;
  std::optional<Manifest> base_;
  std::map<std::string, Fate> fates_;
};

void CheckHistory(store::ObjectStore& store, const std::vector<std::unique_ptr<Writer>>& writers) {
  const std::vector<std::uint64_t> versions = Must(ListVersions(store, kRoot, Deadline::Never()));
  for (std::size_t i = 0; i < versions.size(); i++) ASSERT_EQ(versions[i], i + 1) << "versions are not dense";
  std::vector<std::string> before;
  for (const std::uint64_t version : versions) {
    const Manifest manifest = Must(ReadManifest(store, kRoot, version, Deadline::Never()));
    const std::vector<std::string> names = FileNames(manifest);
    ASSERT_EQ(names.size(), version - 1) << "a version brings exactly one append";
    ASSERT_TRUE(std::equal(before.begin(), before.end(), names.begin())) << "version " << version << " lost rows";
    for (std::size_t i = 0; i < names.size(); i++) ASSERT_EQ(manifest.fragments[i].id, i);
    before = names;
  }
  std::map<std::string, int> times;
  for (const std::string& name : before) times[name]++;
  for (const auto& writer : writers) {
    for (const auto& [file, fate] : writer->fates()) {
      const int found = times[file];
      const int at_least = fate == Fate::kCommitted ? 1 : 0;
      const int at_most = fate == Fate::kRefused || fate == Fate::kCrashed ? 0 : 1;
      EXPECT_GE(found, at_least) << file;
      EXPECT_LE(found, at_most) << file;
    }
  }
}

TEST(CommitSimulation, NoAppendIsLostOrDoubledWhateverTheStoreDoes) {
  int committed = 0;
  for (std::uint64_t seed = 1; seed <= 40; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ManualClock clock;
    Random random(seed);
    const auto store = store::OpenMemory("simulated", clock);
    Must(Commit({*store, clock, random, kRoot}, nullptr, SmallTable(), Deadline::Never()));
    std::vector<std::unique_ptr<Writer>> writers;
    for (int i = 0; i < kWriters; i++) writers.push_back(std::make_unique<Writer>(*store, clock, seed, i));
    std::vector<std::thread> threads;
    for (const auto& writer : writers) threads.emplace_back([&writer] { writer->Run(); });
    for (std::thread& thread : threads) thread.join();
    CheckHistory(*store, writers);
    if (testing::Test::HasFailure()) return;
    for (const auto& writer : writers) {
      committed += static_cast<int>(
          std::ranges::count(writer->fates(), Fate::kCommitted, &std::pair<const std::string, Fate>::second));
    }
  }
  EXPECT_GT(committed, 40 * kWriters * kAppends / 2) << "too few commits to have shown anything";
}

}  // namespace
}  // namespace firn::lance
