#include "server/http/listener.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_set>

#include "server/http/connection.h"

namespace firn::server {
namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::chrono::milliseconds kAcceptRetry{100};
}  // namespace

struct Listener::Core {
  Core(const ListenerOptions& given, Application& application, const Clock& clock)
      : options(given), acceptor(io), accept_again(io), check(io), signals(io) {
    workers.emplace(options.worker_threads);
    context.emplace(options, application, clock, *workers);
  }

  Status Listen();
  asio::awaitable<void> Accept();
  asio::awaitable<void> Serve(tcp::socket socket);
  void CheckTimeouts();
  void CloseAcceptor();
  bool WaitForNoConnections(Duration limit);

  const ListenerOptions options;
  asio::io_context io{1};
  tcp::acceptor acceptor;
  asio::steady_timer accept_again;
  asio::steady_timer check;
  asio::signal_set signals;
  std::uint16_t port = 0;
  std::optional<TaskPool> workers;
  std::optional<ConnectionContext> context;

  // Io thread only, but for their number.
  std::unordered_set<std::shared_ptr<Connection>> connections;
  std::atomic<std::uint64_t> accepted{0};
  bool checking = false;
  bool stopping = false;

  std::mutex mutex;
  std::condition_variable changed;
  std::size_t open_connections = 0;
  bool signalled = false;
  std::thread thread;
};

Result<std::unique_ptr<Listener>> Listener::Start(const ListenerOptions& options, Application& application,
                                                  const Clock& clock) {
  auto core = std::make_unique<Core>(options, application, clock);
  FIRN_CHECK(core->Listen());
  Core& running = *core;
  asio::co_spawn(running.io, running.Accept(), asio::detached);
  running.thread = std::thread([&running] {
    const auto work = asio::make_work_guard(running.io);
    running.io.run();
  });
  return std::unique_ptr<Listener>(new Listener(std::move(core)));
}

Listener::Listener(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Listener::~Listener() { Stop(); }

std::uint16_t Listener::port() const { return core_->port; }

ListenerCounts Listener::Counts() const {
  ListenerCounts counts;
  counts.accepted = core_->accepted;
  counts.running_requests = core_->context->running_requests;
  counts.buffered_bytes = core_->context->buffered_bytes;
  const std::lock_guard lock(core_->mutex);
  counts.open_connections = core_->open_connections;
  return counts;
}

bool Listener::Drain(Duration limit) {
  Core& core = *core_;
  asio::post(core.io, [&core] {
    core.context->draining = true;
    core.CloseAcceptor();
    for (const auto& connection : core.connections) connection->Drain();
  });
  return core.WaitForNoConnections(limit);
}

void Listener::Stop() {
  Core& core = *core_;
  if (!core.thread.joinable()) return;
  asio::post(core.io, [&core] {
    core.stopping = true;
    core.context->draining = true;
    core.CloseAcceptor();
    core.check.cancel();
    core.signals.cancel();
    for (const auto& connection : core.connections) connection->Cut();
  });
  core.WaitForNoConnections(Duration::max());
  core.io.stop();
  core.thread.join();
  core.workers.reset();
}

void Listener::WaitForSignal() {
  Core& core = *core_;
  asio::post(core.io, [&core] {
    error_code ignored;
    core.signals.add(SIGTERM, ignored);
    core.signals.add(SIGINT, ignored);
    core.signals.async_wait([&core](error_code error, int) {
      if (error) return;
      // Whoever sends a second signal does not want to wait: it ends the process as it would any other.
      error_code none;
      core.signals.clear(none);
      const std::lock_guard lock(core.mutex);
      core.signalled = true;
      core.changed.notify_all();
    });
  });
  std::unique_lock lock(core.mutex);
  core.changed.wait(lock, [&] { return core.signalled; });
  core.signalled = false;
}

Status Listener::Core::Listen() {
  error_code error;
  const auto address = asio::ip::make_address(options.host == "localhost" ? "127.0.0.1" : options.host, error);
  if (error)
    return InvalidArgument("cannot listen on '" + options.host + "': it is not an IP address",
                           "Use 127.0.0.1, 0.0.0.0 or ::");
  const tcp::endpoint endpoint(address, options.port);
  const auto failed = [&](std::string_view what) {
    return Unavailable("cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " +
                           std::string(what) + ": " + error.message(),
                       "Is another program listening there? Choose another with --port");
  };
  if (acceptor.open(endpoint.protocol(), error); error) return failed("socket");
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), error); error) return failed("reuse");
  if (acceptor.bind(endpoint, error); error) return failed("bind");
  if (acceptor.listen(asio::socket_base::max_listen_connections, error); error) return failed("listen");
  port = acceptor.local_endpoint(error).port();
  return {};
}

asio::awaitable<void> Listener::Core::Accept() {
  while (acceptor.is_open()) {
    if (connections.size() >= options.max_connections) {
      accept_again.expires_after(kAcceptRetry);
      co_await accept_again.async_wait(kToken);
      continue;
    }
    auto [error, socket] = co_await acceptor.async_accept(kToken);
    if (!error) {
      accepted++;
      asio::co_spawn(io, Serve(std::move(socket)), asio::detached);
    } else if (acceptor.is_open()) {  // out of file descriptors: wait for one
      accept_again.expires_after(kAcceptRetry);
      co_await accept_again.async_wait(kToken);
    }
  }
}

asio::awaitable<void> Listener::Core::Serve(tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) co_return;
  const auto connection = std::make_shared<Connection>(*context, std::move(socket), remote.address().to_string());
  connections.insert(connection);
  {
    const std::lock_guard lock(mutex);
    open_connections = connections.size();
  }
  if (stopping) connection->Cut();
  CheckTimeouts();
  co_await connection->Serve();
  connections.erase(connection);
  const std::lock_guard lock(mutex);
  open_connections = connections.size();
  changed.notify_all();
}

/// One timer for all connections; it rests while there are none, so that a sleeping server costs no CPU.
void Listener::Core::CheckTimeouts() {
  if (checking) return;
  checking = true;
  check.expires_after(options.check_interval);
  check.async_wait([this](error_code error) {
    checking = false;
    if (error || connections.empty()) return;
    const SteadyTime now = context->clock.Now();
    for (const auto& connection : connections) connection->CheckTimeout(now);
    CheckTimeouts();
  });
}

void Listener::Core::CloseAcceptor() {
  error_code ignored;
  acceptor.close(ignored);
  accept_again.cancel();
}

bool Listener::Core::WaitForNoConnections(Duration limit) {
  // Through the io thread first, so that a connection just accepted is counted.
  std::unique_lock lock(mutex);
  bool passed = false;
  asio::post(io, [&] {
    const std::lock_guard inner(mutex);
    open_connections = connections.size();
    passed = true;
    changed.notify_all();
  });
  changed.wait(lock, [&] { return passed; });
  const auto none = [&] { return open_connections == 0; };
  if (limit == Duration::max()) {
    changed.wait(lock, none);
    return true;
  }
  return changed.wait_for(lock, limit, none);
}

}  // namespace firn::server
