#pragma once
// A small HTTP server inside a test, on a free port of 127.0.0.1: it answers as the test's script says, bytes as they
// are, so that it can also misbehave.

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "store/http/http_message.h"

namespace firn::store::testing {

struct SeenRequest {
  std::string method;
  std::string target;
  std::string head;  // the request line and the headers
  std::string body;
  int connection = 0;  // counts from 0

  std::string Header(std::string_view name) const;
};

struct Reply {
  enum class Then { kKeepOpen, kClose, kDribble };  // kDribble: then single bytes without end
  std::string bytes;
  Then then = Then::kKeepOpen;

  /// A well-formed answer with a Content-Length. `headers` are whole lines, each ending in "\r\n".
  static Reply Of(int status, std::string_view body = {}, std::string_view headers = {});
  static Reply Raw(std::string bytes, Then then) { return {std::move(bytes), then}; }
  static Reply Silence() { return {"", Then::kKeepOpen}; }
};

/// Each connection has a thread; the script runs on it and must be thread-safe.
class ScriptedServer {
 public:
  using Script = std::function<Reply(const SeenRequest& request)>;

  explicit ScriptedServer(Script script);
  ~ScriptedServer();

  HttpEndpoint endpoint() const { return {false, "127.0.0.1", port_}; }
  std::string url() const { return "http://" + endpoint().Authority(); }
  int connections() const { return connections_.load(); }
  std::vector<SeenRequest> seen() const;
  /// Waits until `count` requests have come in.
  void AwaitRequests(std::size_t count) const;
  /// Waits until the server has closed `count` connections.
  void AwaitClosed(int count) const;

 private:
  void Accept();
  void Serve(int socket, int number);

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<int> closed_ = 0;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  std::vector<int> sockets_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace firn::store::testing
