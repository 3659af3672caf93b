#include "server/index_builds.h"

#include <algorithm>

namespace firn::server {
namespace {

/// How often one who waits looks whether its client is still there.
constexpr std::chrono::milliseconds kLook{50};

}  // namespace

std::string_view NameOf(BuildOutcome outcome) {
  switch (outcome) {
    case BuildOutcome::kRunning:
      return "running";
    case BuildOutcome::kDone:
      return "done";
    case BuildOutcome::kFailed:
      return "failed";
    case BuildOutcome::kCancelled:
      break;
  }
  return "cancelled";
}

BuildWork WorkOf(engine::Engine& engine) {
  return {.plan = [&engine](const std::string& table, const maintain::BuildOptions& options,
                            const Deadline& deadline) { return engine.PlanIndex(table, options, deadline); },
          .build = [&engine](const std::string& table, const maintain::BuildOptions& options,
                             const maintain::BuildProgress& progress, const Deadline& deadline) -> Status {
            FIRN_CHECK(engine.BuildIndex(table, options, progress, deadline));
            return {};
          }};
}

struct IndexBuilds::Build {
  BuildState state;  // under the lock of the owner, like all that follows
  SteadyTime begin{};
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  std::thread
      thread;  // takes the lock for the last time when it sets the outcome, so that one may join it under the lock then
};

IndexBuilds::IndexBuilds(BuildWork work, Metrics& metrics, const Clock& clock, Random& random, Log& log,
                         BuildLimits limits)
    : work_(std::move(work)),
      metrics_(metrics),
      clock_(clock),
      random_(random),
      log_(log),
      limits_(std::move(limits)) {}
IndexBuilds::~IndexBuilds() { Stop(); }

Result<IndexBuilds::Handle> IndexBuilds::Start(const std::string& table, maintain::BuildOptions options,
                                               const Deadline& deadline) {
  FIRN_TRY(maintain::BuildPlan plan, work_.plan(table, options, deadline));
  // What the build makes is what was planned, also when somebody else's index changes meanwhile.
  options.name = plan.name;
  options.column = plan.column;
  options.metric = plan.metric;
  options.scratch_folder = limits_.scratch_folder;
  const std::lock_guard lock(mutex_);
  if (closed_) return Unavailable("the server is shutting down", "Send requests to another one");
  Handle& place = builds_[{table, plan.name}];
  if (place && place->state.outcome == BuildOutcome::kRunning) {
    return Conflict("build " + place->state.id + " of index \"" + plan.name + "\" on table " + table + " is running",
                    "Wait for it or cancel it: GET or DELETE /v1/tables/{table}/indexes/{index}/build");
  }
  if (CountRunning() >= limits_.running) {
    if (!place) builds_.erase({table, plan.name});
    return ResourceExhausted("as many index builds run as may at once, " + std::to_string(limits_.running),
                             "Try again when one is over, or raise max-index-builds");
  }
  if (place) place->thread.join();
  place = std::make_shared<Build>();
  place->state.id = random_.Uuid();
  place->state.table = table;
  place->state.total = plan.rows;
  place->state.plan = std::move(plan);
  place->begin = clock_.Now();
  place->thread = std::thread([this, build = place.get(), options = std::move(options)] { Run(*build, options); });
  Handle started = place;
  Forget();
  return started;
}

void IndexBuilds::Run(Build& build, const maintain::BuildOptions& options) {
  const auto progress = [&](maintain::BuildPhase phase, std::uint64_t done, std::uint64_t total) {
    const std::lock_guard lock(mutex_);
    build.state.phase = phase;
    build.state.done = done;
    build.state.total = total;
  };
  const std::string table = build.state.table, index = build.state.plan.name;
  const Status built = work_.build(table, options, progress, Deadline::Never().WithCancel(build.cancelled));
  const BuildOutcome outcome = built              ? BuildOutcome::kDone
                               : *build.cancelled ? BuildOutcome::kCancelled
                                                  : BuildOutcome::kFailed;
  const double seconds = std::chrono::duration<double>(clock_.Now() - build.begin).count();
  metrics_.CountBuild(NameOf(outcome), seconds);
  log_.Write(outcome == BuildOutcome::kFailed ? LogLevel::kError : LogLevel::kInfo, "index build over",
             {{"table", table},
              {"index", index},
              {"outcome", NameOf(outcome)},
              {"seconds", seconds},
              {"error", built ? std::string_view() : std::string_view(built.error().message)}});
  {
    const std::lock_guard lock(mutex_);
    build.state.seconds = seconds;
    if (outcome == BuildOutcome::kFailed) build.state.error = built.error();
    if (outcome == BuildOutcome::kCancelled) {
      build.state.error =
          closed_ ? Unavailable("the build was cancelled: the server is shutting down", "Build it on another one")
                  : Conflict("the build was cancelled", "Ask for it again when it is wanted after all");
    }
    build.state.outcome = outcome;
    over_.notify_all();
  }
}

IndexBuilds::Handle IndexBuilds::Find(const std::string& table, const std::string& index) const {
  const std::lock_guard lock(mutex_);
  const auto found = builds_.find({table, index});
  return found == builds_.end() ? nullptr : found->second;
}

std::vector<BuildState> IndexBuilds::Running(const std::string& table) const {
  const std::lock_guard lock(mutex_);
  std::vector<BuildState> running;
  for (const auto& [key, build] : builds_) {
    if (key.first == table && build->state.outcome == BuildOutcome::kRunning) running.push_back(Look(*build));
  }
  return running;
}

std::size_t IndexBuilds::RunningCount() const {
  const std::lock_guard lock(mutex_);
  return CountRunning();
}

std::size_t IndexBuilds::CountRunning() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      builds_, [](const auto& each) { return each.second && each.second->state.outcome == BuildOutcome::kRunning; }));
}

BuildState IndexBuilds::Look(const Build& build) const {
  BuildState state = build.state;
  if (state.outcome == BuildOutcome::kRunning)
    state.seconds = std::chrono::duration<double>(clock_.Now() - build.begin).count();
  return state;
}

BuildState IndexBuilds::StateOf(const Handle& build) const {
  const std::lock_guard lock(mutex_);
  return Look(*build);
}

BuildState IndexBuilds::Wait(const Handle& build, const Deadline& deadline) {
  std::unique_lock lock(mutex_);
  if (waiting_ < limits_.waiting) {
    waiting_++;
    while (build->state.outcome == BuildOutcome::kRunning && !deadline.Expired()) over_.wait_for(lock, kLook);
    waiting_--;
  }
  return Look(*build);
}

void IndexBuilds::Cancel(const Handle& build) { *build->cancelled = true; }

void IndexBuilds::CancelAll(const std::string& table) {
  const std::lock_guard lock(mutex_);
  for (const auto& [key, build] : builds_) {
    if (key.first == table) *build->cancelled = true;
  }
}

void IndexBuilds::Close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& [key, build] : builds_) *build->cancelled = true;
}

void IndexBuilds::Stop() {
  Close();
  std::map<Key, Handle> builds;
  {
    const std::lock_guard lock(mutex_);
    builds.swap(builds_);
  }
  for (const auto& [key, build] : builds) build->thread.join();
}

/// Builds that are over go, the oldest first, when there are more than are remembered.
void IndexBuilds::Forget() {
  while (builds_.size() > limits_.remembered + limits_.running) {
    auto oldest = builds_.end();
    for (auto each = builds_.begin(); each != builds_.end(); ++each) {
      if (each->second->state.outcome == BuildOutcome::kRunning) continue;
      if (oldest == builds_.end() || each->second->begin < oldest->second->begin) oldest = each;
    }
    if (oldest == builds_.end()) return;
    oldest->second->thread.join();
    builds_.erase(oldest);
  }
}

}  // namespace firn::server
