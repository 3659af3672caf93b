#pragma once
// The body of one response on its way from the worker thread that makes it to the io thread that sends it.

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "server/http/message.h"

namespace firn::server {

/// Holds at most about `capacity_bytes`: a faster writer waits. One writing thread, one reading thread.
class BodyPipe final : public BodyWriter {
 public:
  /// `wake` is called on the writing thread after there is something new to take; it must not block.
  BodyPipe(std::size_t capacity_bytes, std::function<void()> wake)
      : capacity_bytes_(capacity_bytes), wake_(std::move(wake)) {}

  Status Write(std::string_view bytes) override {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return closed_ || pending_.size() < capacity_bytes_; });
    if (closed_) return DeadlineExceeded("the client went away before the whole answer was sent");
    pending_.append(bytes);
    // Small writes are gathered; what is left over goes with Finish().
    const bool worth_sending = pending_.size() >= kGatherBytes;
    lock.unlock();
    if (worth_sending) wake_();
    return {};
  }
  /// No more will be written.
  void Finish(Status status) {
    {
      const std::lock_guard lock(mutex_);
      finished_ = true;
      status_ = std::move(status);
    }
    wake_();
  }

  struct Taken {
    std::string bytes;      // empty and not finished: nothing worth sending yet
    bool finished = false;  // `bytes` are the last
    Status status;          // how it finished
  };
  Taken Take() {
    Taken taken;
    {
      const std::lock_guard lock(mutex_);
      taken.finished = finished_;
      if (finished_) taken.status = status_;
      if (finished_ || pending_.size() >= kGatherBytes) taken.bytes.swap(pending_);
    }
    room_.notify_one();
    return taken;
  }
  /// The client is gone: the writer fails from now on.
  void Close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    room_.notify_one();
  }

 private:
  static constexpr std::size_t kGatherBytes = 64 << 10;

  const std::size_t capacity_bytes_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable room_;
  std::string pending_;
  bool finished_ = false;
  bool closed_ = false;
  Status status_;
};

}  // namespace firn::server
