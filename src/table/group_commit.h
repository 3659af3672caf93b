#pragma once
// Group commit: appends to one table that arrive while a commit is under way share the next one. Private to the module.

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "lance/commit.h"
#include "table/table.h"

namespace firn::table {

/// No timer: the first appender commits at once, and whoever comes meanwhile is committed together right after. So a
/// lone append waits for nobody, and under load a manifest is written once per round trip, not once per append.
/// Thread-safe.
class Database::GroupCommit {
 public:
  explicit GroupCommit(Environment environment) : environment_(environment) {}

  /// Appends `fragments`, whose rows were written under `base`'s schema. Returns the version that holds them.
  Result<std::uint64_t> Append(const std::string& root, const lance::Manifest& base,
                               std::vector<lance::Fragment> fragments, const Deadline& deadline);

 private:
  struct Waiter {
    const lance::Manifest* base;
    std::vector<lance::Fragment> fragments;
    const Deadline* deadline;
    bool taken = false;
    bool done = false;
    Result<std::uint64_t> outcome = std::uint64_t{0};
  };
  struct Queue {
    std::vector<Waiter*> waiting;
    bool leading = false;
    std::condition_variable changed;
  };

  void CommitTogether(const std::string& root, std::vector<Waiter*> group);

  Environment environment_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Queue>> queues_;  // by table root; gone when nobody waits
};

}  // namespace firn::table
