#pragma once
// Index builds that clients asked for and that may outlive their requests. They live in the server, not in the engine:
// how many may run, who gets a conflict and what a shutdown does to them are promises to clients; the engine below only
// knows how to build, and a program that embeds it has threads of its own.

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "engine/engine.h"
#include "server/metrics.h"

namespace firn::server {

enum class BuildOutcome : std::uint8_t { kRunning, kDone, kFailed, kCancelled };
/// "running", "done", "failed", "cancelled".
std::string_view NameOf(BuildOutcome outcome);

struct BuildState {
  std::string id;  // a UUID
  std::string table;
  maintain::BuildPlan plan;
  BuildOutcome outcome = BuildOutcome::kRunning;
  maintain::BuildPhase phase = maintain::BuildPhase::kSample;
  std::uint64_t done = 0, total = 0;  // rows, in phases that count them
  double seconds = 0;                 // until now, or until it ended
  std::optional<Error> error;         // when it failed or was cancelled
};

struct BuildLimits {
  std::size_t running = 2;        // builds at once; each takes memory and every core
  std::size_t waiting = 8;        // requests that wait for a build; more are answered at once
  std::size_t remembered = 1000;  // builds that are over, the newest of each index
  std::string scratch_folder = "/tmp";
};

/// What builds; a test gives another. Thread-safe.
struct BuildWork {
  std::function<Result<maintain::BuildPlan>(const std::string& table, const maintain::BuildOptions& options,
                                            const Deadline& deadline)>
      plan;
  std::function<Status(const std::string& table, const maintain::BuildOptions& options,
                       const maintain::BuildProgress& progress, const Deadline& deadline)>
      build;
};
/// The engine's, which outlives it.
BuildWork WorkOf(engine::Engine& engine);

/// Thread-safe.
class IndexBuilds {
 public:
  /// What is given by reference outlives it.
  IndexBuilds(BuildWork work, Metrics& metrics, const Clock& clock, Random& random, Log& log, BuildLimits limits);
  ~IndexBuilds();  // Stop()

  struct Build;
  using Handle = std::shared_ptr<Build>;

  /// Begins a build on a thread of its own. Conflict names the build of the same index that runs; ResourceExhausted:
  /// too many run; Unavailable after Close. What can be known at once comes at once: the errors of Engine::PlanIndex.
  Result<Handle> Start(const std::string& table, maintain::BuildOptions options, const Deadline& deadline);
  /// The newest build of that index that this server ran; null when it ran none.
  Handle Find(const std::string& table, const std::string& index) const;
  /// Those of the table that run.
  std::vector<BuildState> Running(const std::string& table) const;
  std::size_t RunningCount() const;

  BuildState StateOf(const Handle& build) const;
  /// Until the build is over or the deadline ends, or not at all while many wait. Never an error: the state says what
  /// is so.
  BuildState Wait(const Handle& build, const Deadline& deadline);
  /// Asks it to end soon. Has no effect on one that is over.
  void Cancel(const Handle& build);
  void CancelAll(const std::string& table);

  /// No more builds; those that run are asked to end.
  void Close();
  /// Close, and wait for them.
  void Stop();

 private:
  using Key = std::pair<std::string, std::string>;  // table, index
  void Run(Build& build, const maintain::BuildOptions& options);
  BuildState Look(const Build& build) const;  // under the lock
  std::size_t CountRunning() const;           // under the lock
  void Forget();                              // under the lock

  const BuildWork work_;
  Metrics& metrics_;
  const Clock& clock_;
  Random& random_;
  Log& log_;
  const BuildLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable over_;
  std::map<Key, Handle> builds_;
  std::size_t waiting_ = 0;
  bool closed_ = false;
};

}  // namespace firn::server
