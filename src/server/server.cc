#include "server/server.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "server/config.h"
#include "server/service.h"
#include "server/version.h"

namespace firn::server {
namespace {

bool IsLoopback(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

Result<KeyRing> ReadKeys(const std::string& path) {
  if (path.empty()) return KeyRing();
  FIRN_TRY(const std::string text, ReadConfigFile(path));
  FIRN_TRY(KeyRing keys, KeyRing::Parse(text, path));
  // A file without a key must not mean that everybody may do everything.
  if (keys.empty())
    return InvalidArgument("the keys file " + path + " holds no key",
                           "Make one with `firn keys`, or start without a keys file");
  return keys;
}

BuildLimits LimitsOfBuilds(const ServerConfig& config, const engine::World& world) {
  BuildLimits limits;
  limits.running = config.max_index_builds;
  // One who waits holds a worker.
  limits.waiting = std::max<std::size_t>(1, config.listener.worker_threads / 4);
  if (const auto folder = world.environment("TMPDIR"); folder && !folder->empty()) limits.scratch_folder = *folder;
  return limits;
}

/// Looks after what nobody uses, four times within the time that makes it idle.
class Housekeeping {
 public:
  Housekeeping(engine::Engine& engine, Log& log) {
    const Duration idle_after = engine.config().idle_after;
    if (idle_after == Duration::zero()) return;
    const Duration pause = std::clamp<Duration>(idle_after / 4, std::chrono::milliseconds(10), std::chrono::minutes(1));
    thread_ = std::jthread([this, &engine, &log, pause](const std::stop_token& stop) {
      for (;;) {
        std::unique_lock lock(mutex_);
        if (wake_.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); })) return;
        lock.unlock();
        if (const std::size_t closed = engine.CloseIdleTables(); closed > 0)
          log.Info("idle tables closed", {{"tables", closed}});
      }
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // last: it uses the rest
};

}  // namespace

struct Server::Parts {
  Parts(const ServerConfig& given, engine::Engine& engine, const engine::World& outside, KeyRing keys)
      : config(given),
        world(outside),
        builds(WorkOf(engine), metrics, outside.clock, outside.random, outside.log, LimitsOfBuilds(given, outside)),
        backend{.engine = engine,
                .metrics = metrics,
                .builds = builds,
                .clock = outside.clock,
                .started = outside.clock.WallNow(),
                .listener_counts = {}},
        service(config, std::move(keys), backend, outside.random, outside.log),
        housekeeping(engine, outside.log) {}

  const ServerConfig config;
  const engine::World world;
  Metrics metrics;
  IndexBuilds builds;
  Backend backend;
  Service service;
  Housekeeping housekeeping;
  std::unique_ptr<Listener> listener;  // last: its threads use all of the above
};

Result<std::unique_ptr<Server>> Server::Start(const ServerConfig& config, engine::Engine& engine,
                                              const engine::World& world) {
  FIRN_TRY(KeyRing keys, ReadKeys(config.keys_file));
  const bool open = keys.empty();
  auto parts = std::make_unique<Parts>(config, engine, world, std::move(keys));
  // A request may come in before Listener::Start has returned.
  auto counts = std::make_shared<std::atomic<const Listener*>>(nullptr);
  parts->backend.listener_counts = [counts] {
    const Listener* listener = counts->load();
    return listener == nullptr ? ListenerCounts() : listener->Counts();
  };
  FIRN_TRY(parts->listener, Listener::Start(config.listener, parts->service, world.clock));
  counts->store(parts->listener.get());
  auto server = std::unique_ptr<Server>(new Server(std::move(parts)));
  world.log.Info(
      "listening",
      {{"address", server->address()}, {"database", engine.DescribeStore()}, {"version", Version()}, {"keys", !open}});
  if (open && !IsLoopback(config.listener.host)) {
    world.log.Warn("whoever reaches this port may read, write and drop every table: there is no keys file",
                   {{"address", server->address()}});
  }
  return server;
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { Stop(); }

std::uint16_t Server::port() const { return parts_->listener->port(); }

std::string Server::address() const {
  const std::string& host = parts_->config.listener.host;
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port());
}

bool Server::Drain() {
  Log& log = parts_->world.log;
  parts_->backend.draining = true;
  log.Info("draining", {{"running", parts_->listener->Counts().running_requests}});
  if (parts_->config.drain_delay > Duration::zero()) parts_->world.clock.SleepFor(parts_->config.drain_delay);
  parts_->builds.Close();
  const bool whole = parts_->listener->Drain(parts_->config.drain_timeout);
  if (!whole)
    log.Warn("requests were cut off: the drain timeout is over",
             {{"running", parts_->listener->Counts().running_requests}});
  Stop();
  log.Info("stopped");
  return whole;
}

void Server::Stop() {
  parts_->builds.Close();
  parts_->listener->Stop();
  parts_->builds.Stop();
}

bool Server::RunUntilSignal() {
  parts_->listener->WaitForSignal();
  return Drain();
}

}  // namespace firn::server
