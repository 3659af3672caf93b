#include "base/clock.h"

#include <thread>

namespace firn {
namespace {

class MachineClock final : public Clock {
 public:
  SteadyTime Now() const override { return std::chrono::steady_clock::now(); }
  WallTime WallNow() const override { return std::chrono::system_clock::now(); }
  void SleepFor(Duration duration) override { std::this_thread::sleep_for(duration); }
};

constexpr std::chrono::seconds kManualEpoch{1'700'000'000};

}  // namespace

Clock& SystemClock() {
  static MachineClock clock;
  return clock;
}

SteadyTime ManualClock::Now() const {
  const std::lock_guard lock(mutex_);
  return SteadyTime(elapsed_);
}
WallTime ManualClock::WallNow() const {
  const std::lock_guard lock(mutex_);
  return WallTime(kManualEpoch + elapsed_);
}
void ManualClock::Advance(Duration duration) {
  const std::lock_guard lock(mutex_);
  elapsed_ += duration;
}

Deadline Deadline::Within(const Clock& clock, Duration duration) const {
  Deadline sooner = *this;
  const SteadyTime end = clock.Now() + duration;
  if (clock_ == nullptr || end < at_) {
    sooner.clock_ = &clock;
    sooner.at_ = end;
  }
  return sooner;
}

Duration Deadline::Remaining() const {
  if (Cancelled()) return Duration::zero();
  if (clock_ == nullptr) return Duration::max();
  return std::max(Duration::zero(), Duration(at_ - clock_->Now()));
}

Status Deadline::Check(std::string_view what) const {
  if (Cancelled()) return DeadlineExceeded(std::string(what) + " was cancelled: the caller went away");
  if (Expired())
    return DeadlineExceeded(std::string(what) + " did not finish in time", "Allow more time, or ask for less");
  return {};
}

}  // namespace firn
