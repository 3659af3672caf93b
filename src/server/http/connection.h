#pragma once
// One client's connection. Lives on the io thread; only connection.cc and listener.cc include this (Asio is heavy to
// compile).

#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/task_pool.h"
#include "server/http/application.h"
#include "server/http/body_pipe.h"
#include "server/http/listener.h"

namespace firn::server {

/// What all connections share.
struct ConnectionContext {
  const ListenerOptions& options;
  Application& application;
  const Clock& clock;
  TaskPool& workers;
  bool draining = false;  // io thread only
  std::atomic<std::uint64_t> running_requests{0};
  std::atomic<std::uint64_t> buffered_bytes{0};
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(ConnectionContext& context, boost::asio::ip::tcp::socket socket, std::string peer);

  /// Request after request until either side closes.
  boost::asio::awaitable<void> Serve();

  /// Cancels what the connection waits for when its time is up.
  void CheckTimeout(SteadyTime now);
  /// Between requests: closes. Else the answer under way is the last one.
  void Drain();
  /// Closes at once; a handler that runs learns that its client is gone.
  void Cut();

 private:
  template <class T>
  using Awaitable = boost::asio::awaitable<T>;
  using Parser = boost::beast::http::request_parser<boost::beast::http::buffer_body>;
  struct Running;
  struct Reading;

  Awaitable<bool> ServeOne();
  Awaitable<bool> WaitForBytes();
  Awaitable<bool> AnswerMalformed(Error error, int status);
  Awaitable<bool> ReadBody(Parser& parser, Reading& reading);
  Awaitable<bool> RunQuick(Exchange& exchange, Outcome& outcome);
  Awaitable<bool> RunOnWorker(std::shared_ptr<Exchange> exchange, std::shared_ptr<std::atomic<bool>> hung_up,
                              Outcome& outcome);
  Awaitable<bool> SendStream(Running& running, std::string first, Outcome& outcome);
  Awaitable<bool> Send(const Response& response, Outcome& outcome);
  template <class Buffers>
  Awaitable<bool> Write(const Buffers& buffers);
  Awaitable<void> Linger();

  bool StartReading(const Parser& parser, const RequestHead& head, Reading& reading);
  void WatchForHangUp();
  void Arm(Duration timeout);
  void Disarm();
  std::string HeadOf(const Response& response, std::string_view framing) const;

  ConnectionContext& context_;
  boost::asio::ip::tcp::socket socket_;
  const std::string peer_;
  boost::beast::flat_buffer buffer_;
  boost::asio::steady_timer wake_;
  SteadyTime expires_ = SteadyTime::max();
  bool timed_out_ = false;
  bool idle_ = true;
  bool cut_ = false;

  // The request at hand.
  bool keep_alive_ = true;
  bool head_only_ = false;  // HEAD
  bool http_1_0_ = false;
  std::uint64_t watch_generation_ = 0;  // a watch of an earlier generation is over
  std::shared_ptr<std::atomic<bool>> hung_up_;
  std::shared_ptr<Running> running_;
};

}  // namespace firn::server
