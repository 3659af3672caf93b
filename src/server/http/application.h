#pragma once
// What a connection needs of the program behind it: Begin with the head, Accept the body, Run, Finished.

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "server/http/message.h"

namespace firn::server {

/// How an exchange ended.
struct Outcome {
  int status = 0;                    // 0: nothing was sent
  std::uint64_t bytes_received = 0;  // of the body
  std::uint64_t bytes_sent = 0;      // of the body
  bool client_gone = false;          // hung up, or did not take the answer
};

/// One request, from its head to its last byte. Calls come one after the other, Run on a worker thread, the others on
/// the io thread, where none may block.
class Exchange {
 public:
  virtual ~Exchange() = default;

  /// An answer that needs no body and no work: no such route, no permission, over a rate.
  virtual std::optional<Response> Refusal() = 0;
  /// Longer bodies are answered with 413.
  virtual std::uint64_t MaxBodyBytes() const = 0;
  /// Run() takes microseconds and may stay on the io thread.
  virtual bool Quick() const = 0;
  /// The body is here, the work may begin: deadlines count from now. `hung_up` turns true when the client goes away.
  virtual void Accept(std::string body, std::shared_ptr<const std::atomic<bool>> hung_up) = 0;
  virtual Response Run() = 0;
  /// The answer to a failure of the connection itself, or of a stream that failed before its first bytes. `status` 0 =
  /// by the kind.
  virtual Response Fail(const Error& error, int status) = 0;
  virtual void Finished(const Outcome& outcome) = 0;
};

/// Called on the io thread; must not block.
class Application {
 public:
  virtual ~Application() = default;
  virtual std::unique_ptr<Exchange> Begin(RequestHead head) = 0;
  /// For bytes that are no HTTP request: only Fail and Finished are called.
  virtual std::unique_ptr<Exchange> BeginMalformed(std::string peer) = 0;
};

}  // namespace firn::server
