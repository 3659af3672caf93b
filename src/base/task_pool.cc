#include "base/task_pool.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

namespace firn {

TaskPool::TaskPool(std::size_t threads)
    : thread_count_(threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency())) {}

TaskPool::~TaskPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

namespace {

/// The state of one ParallelFor, shared with helpers that may wake after it has returned.
struct SharedLoop {
  std::size_t count;
  const std::function<Status(std::size_t)>* body;  // valid while finished < count and no failure is settled
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  std::condition_variable done;
  std::size_t running = 0;
  std::size_t first_failure = 0;
  std::optional<Error> error;

  void Run() {
    {
      const std::lock_guard lock(mutex);
      if (next.load() >= count || failed.load()) return;
      running++;
    }
    for (std::size_t i = next.fetch_add(1); i < count && !failed.load(); i = next.fetch_add(1)) {
      if (Status status = (*body)(i); !status) {
        const std::lock_guard lock(mutex);
        if (!error || i < first_failure) {
          first_failure = i;
          error = std::move(status).error();
        }
        failed.store(true);
      }
    }
    const std::lock_guard lock(mutex);
    if (--running == 0) done.notify_all();
  }
};

}  // namespace

Status TaskPool::ParallelFor(std::size_t count, const std::function<Status(std::size_t)>& body) {
  if (count == 0) return {};
  auto loop = std::make_shared<SharedLoop>();
  loop->count = count;
  loop->body = &body;
  const std::size_t helpers = std::min(count, thread_count_) - 1;
  for (std::size_t i = 0; i < helpers; i++) Post([loop] { loop->Run(); });
  loop->Run();
  std::unique_lock lock(loop->mutex);
  loop->done.wait(lock, [&] { return loop->running == 0; });
  // Whoever wakes from here on must not touch `body`.
  loop->next.store(count);
  if (loop->error) return *std::move(loop->error);
  return {};
}

void TaskPool::Post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (threads_.empty()) StartThreads();
    queue_.push_back(std::move(task));
  }
  wake_.notify_one();
}

void TaskPool::StartThreads() {
  threads_.reserve(thread_count_);
  for (std::size_t i = 0; i < thread_count_; i++) threads_.emplace_back([this] { Work(); });
}

void TaskPool::Work() {
  for (;;) {
    std::function<void()> task;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    task();
  }
}

}  // namespace firn
