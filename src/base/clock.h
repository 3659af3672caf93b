#pragma once
// Time, passed in: the same code runs on the machine's clock and on a test's.

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/result.h"

namespace firn {

using Duration = std::chrono::nanoseconds;
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

/// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual SteadyTime Now() const = 0;
  virtual WallTime WallNow() const = 0;
  virtual void SleepFor(Duration duration) = 0;
};

/// The machine's clock. The one instance has no state.
Clock& SystemClock();

/// A clock that only a test moves; SleepFor moves it too and returns at once.
class ManualClock final : public Clock {
 public:
  SteadyTime Now() const override;
  WallTime WallNow() const override;
  void SleepFor(Duration duration) override { Advance(duration); }
  void Advance(Duration duration);

 private:
  mutable std::mutex mutex_;
  Duration elapsed_{};
};

/// Until when a call may work, and whether the caller still wants it. Copied down through every call, to the socket.
class Deadline {
 public:
  static Deadline Never() { return {}; }
  static Deadline After(const Clock& clock, Duration duration) {
    Deadline deadline;
    deadline.clock_ = &clock;
    deadline.at_ = clock.Now() + duration;
    return deadline;
  }
  /// The same deadline, that also ends when `*cancelled` becomes true (the client hung up).
  Deadline WithCancel(std::shared_ptr<const std::atomic<bool>> cancelled) const {
    Deadline deadline = *this;
    deadline.cancelled_ = std::move(cancelled);
    return deadline;
  }
  /// The earlier of this and `duration` from now: for one attempt inside a longer call.
  Deadline Within(const Clock& clock, Duration duration) const;

  bool Expired() const { return Cancelled() || (clock_ != nullptr && clock_->Now() >= at_); }
  bool Cancelled() const { return cancelled_ && cancelled_->load(std::memory_order_relaxed); }
  /// Time left, at least zero; Duration::max() when there is no end.
  Duration Remaining() const;
  /// DeadlineExceeded when expired; `what` names the work that stops.
  Status Check(std::string_view what) const;

 private:
  const Clock* clock_ = nullptr;
  SteadyTime at_{};
  std::shared_ptr<const std::atomic<bool>> cancelled_;
};

}  // namespace firn
