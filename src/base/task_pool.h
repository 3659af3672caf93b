#pragma once
// A fixed set of threads that share work.

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"

namespace firn {

/// Thread-safe. Threads start with the first task, so that a short command pays nothing for them.
class TaskPool {
 public:
  /// `threads` = 0 means one per core.
  explicit TaskPool(std::size_t threads = 0);
  ~TaskPool();
  TaskPool(const TaskPool&) = delete;
  TaskPool& operator=(const TaskPool&) = delete;

  std::size_t size() const { return thread_count_; }

  /// Runs `body(i)` for every i in [0, count), on the pool and on the calling thread (so a nested call cannot
  /// deadlock). Returns the error of the lowest i that failed; after a failure no further i is started.
  Status ParallelFor(std::size_t count, const std::function<Status(std::size_t)>& body);

  /// Runs `task` on a pool thread, some time. Tasks still queued at destruction are run first.
  void Post(std::function<void()> task);

 private:
  void StartThreads();
  void Work();

  const std::size_t thread_count_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
  bool stopping_ = false;
};

}  // namespace firn
