#include "store/http/http_client.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "store/http/http_connection.h"

namespace firn::store {
namespace {

using namespace internal;

/// How often the loop looks for requests whose time is up. A cancel flag cannot wake anybody.
constexpr auto kTick = std::chrono::milliseconds(10);
constexpr Duration kAddressesLive = std::chrono::seconds(10);
constexpr std::size_t kMaxHeaderBytes = 64 << 10;
constexpr std::size_t kJoinedBodyBytes = 32 << 10;  // a smaller body goes out in one packet with its header
constexpr int kMaxInterimAnswers = 8;

enum class Phase : std::uint8_t { kQueued, kConnecting, kTalking };
enum class Ending : std::uint8_t { kNone, kDeadline, kSlowConnect, kNoProgress, kClosing };

/// One request under way. Everything but `request` belongs to the loop's thread.
struct Exchange {
  HttpRequest request;
  Deadline deadline;
  std::function<void(Result<HttpResponse>)> done;

  Phase phase = Phase::kQueued;
  SteadyTime last_progress{};
  Ending ending = Ending::kNone;    // why the loop cut it short
  std::function<void()> interrupt;  // ends what it waits for at this moment
};
using ExchangePtr = std::shared_ptr<Exchange>;

/// What the client knows of one endpoint.
struct Host {
  std::uint32_t running = 0;
  std::deque<ExchangePtr> queue;
  std::vector<std::unique_ptr<Connection>> idle;  // the last used is the last

  std::vector<tcp::endpoint> addresses;
  SteadyTime addresses_until{};
  bool resolving = false;
  error_code resolve_error;
  std::vector<asio::steady_timer*> awaiting_addresses;
};

struct Answer {
  Result<HttpResponse> response;
  bool silent = false;  // failed before the first byte of an answer
  bool keep = false;    // the connection can take another request
};

std::string Seconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count()) + " ms";
}

Error Broken(const Exchange& x, std::string_view what, const error_code& error) {
  return Unavailable(std::string(what) + " " + x.request.endpoint.Authority() + ": " + error.message(),
                     "Check the endpoint, the network and that the server is up");
}

/// RFC 6761: such a name needs no lookup, and "bucket.localhost" often has none that works.
bool IsLoopbackName(std::string_view host) { return host == "localhost" || host.ends_with(".localhost"); }

bool HasLineBreak(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) != text.npos; }

Status CheckRequest(const HttpRequest& request) {
  bool bad = HasLineBreak(request.method) || HasLineBreak(request.target) || !request.target.starts_with('/') ||
             request.target.find(' ') != std::string::npos || HasLineBreak(request.endpoint.host);
  for (const HttpHeader& header : request.headers) bad = bad || HasLineBreak(header.name) || HasLineBreak(header.value);
  if (bad) return InvalidArgument("a request to " + request.endpoint.Authority() + " holds a control character");
  return {};
}

std::string RequestHead(const HttpRequest& request) {
  std::string head = request.method + " " + request.target + " HTTP/1.1\r\nHost: " + request.endpoint.Authority();
  head += "\r\n";
  for (const HttpHeader& header : request.headers) head += header.name + ": " + header.value + "\r\n";
  if (!request.body.empty() || request.method == "PUT" || request.method == "POST") {
    head += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return head += "\r\n";
}

}  // namespace

class HttpClient::Loop {
 public:
  Loop(HttpClientOptions options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

  ~Loop() {
    if (!thread_.joinable()) return;
    asio::post(io_, [this] {
      closing_ = true;
      for (const ExchangePtr& x : Under()) End(x, Ending::kClosing);
      work_.reset();
    });
    thread_.join();
  }

  Status EnsureThread() {
    const std::lock_guard lock(start_mutex_);
    if (thread_.joinable()) return {};
    try {
      thread_ = std::thread([this] { Run(); });
    } catch (const std::system_error& error) {
      return Unavailable(std::string("no thread for network requests: ") + error.what());
    }
    return {};
  }

  void Begin(std::vector<ExchangePtr> exchanges) {
    asio::post(io_, [this, exchanges = std::move(exchanges)] {
      for (const ExchangePtr& x : exchanges) {
        exchanges_.insert(x);
        hosts_[x->request.endpoint].queue.push_back(x);
      }
      for (const ExchangePtr& x : exchanges) Pump(hosts_[x->request.endpoint]);
      Watch();
    });
  }

 private:
  void Run() {
    while (true) {
      try {
        io_.run();
        return;
      } catch (const std::exception&) {
        // Out of memory in a handler: the requests that it concerned end by their timeouts.
      }
    }
  }

  // Turns, and the watch over time.

  void Pump(Host& host) {
    while (host.running < options_.max_connections && !host.queue.empty()) {
      ExchangePtr x = std::move(host.queue.front());
      host.queue.pop_front();
      if (x->ending != Ending::kNone) continue;
      ++host.running;
      x->phase = Phase::kConnecting;
      x->last_progress = clock_.Now();
      asio::co_spawn(io_, Perform(*x, host),
                     [this, x, &host](const std::exception_ptr& thrown, Result<HttpResponse> result) {
                       --host.running;
                       if (thrown)
                         result = Unavailable("a request to " + x->request.endpoint.Authority() + " broke off");
                       Finish(x, std::move(result));
                       Pump(host);
                     });
    }
  }

  void Finish(const ExchangePtr& x, Result<HttpResponse> result) {
    exchanges_.erase(x);
    if (exchanges_.empty()) tick_.cancel();
    x->done(std::move(result));
  }

  void Watch() {
    if (watching_ || exchanges_.empty()) return;
    watching_ = true;
    tick_.expires_after(kTick);
    tick_.async_wait([this](const error_code&) {
      watching_ = false;
      for (const ExchangePtr& x : Under()) Inspect(x);
      Watch();
    });
  }

  void Inspect(const ExchangePtr& x) {
    if (x->deadline.Expired()) return End(x, Ending::kDeadline);
    if (x->phase == Phase::kQueued) return;
    const Duration still = clock_.Now() - x->last_progress;
    if (x->phase == Phase::kConnecting && still > options_.connect_timeout) End(x, Ending::kSlowConnect);
    if (x->phase == Phase::kTalking && still > options_.progress_timeout) End(x, Ending::kNoProgress);
  }

  void End(const ExchangePtr& x, Ending ending) {
    if (x->ending != Ending::kNone) return;
    x->ending = ending;
    if (x->phase == Phase::kQueued) return Finish(x, EndingError(*x));
    if (x->interrupt) x->interrupt();
  }

  Error EndingError(const Exchange& x) const {
    const std::string who = x.request.endpoint.Authority();
    switch (x.ending) {
      case Ending::kDeadline: {
        const Status late = x.deadline.Check(x.request.method + " at " + who);
        return late ? DeadlineExceeded(x.request.method + " at " + who + " did not finish in time") : late.error();
      }
      case Ending::kSlowConnect:
        return Unavailable(who + " took no connection within " + Seconds(options_.connect_timeout),
                           "Check the endpoint, the network and that the server is up");
      case Ending::kNoProgress:
        return Unavailable(who + " neither sent nor took a byte for " + Seconds(options_.progress_timeout));
      case Ending::kClosing:
      case Ending::kNone:
        break;
    }
    return Unavailable("the request to " + who + " was dropped: its client is closing");
  }

  std::vector<ExchangePtr> Under() const { return {exchanges_.begin(), exchanges_.end()}; }

  // One request.

  asio::awaitable<Result<HttpResponse>> Perform(Exchange& x, Host& host) {
    for (bool fresh = false;; fresh = true) {
      if (x.ending != Ending::kNone) co_return EndingError(x);
      std::unique_ptr<Connection> connection = fresh ? nullptr : TakeIdle(host);
      const bool reused = connection != nullptr;
      if (!reused) {
        x.phase = Phase::kConnecting;
        x.last_progress = clock_.Now();
        Result<std::unique_ptr<Connection>> opened = co_await Open(x, host);
        if (!opened) co_return std::move(opened).error();
        connection = *std::move(opened);
      }
      x.phase = Phase::kTalking;
      x.last_progress = clock_.Now();
      x.interrupt = [&connection] { connection->Close(); };
      Answer answer = co_await Talk(x, *connection);
      x.interrupt = nullptr;

      if (answer.response) {
        if (answer.keep && connection->socket.is_open() && !closing_) {
          connection->idle_since = clock_.Now();
          host.idle.push_back(std::move(connection));
        }
        co_return std::move(answer.response);
      }
      if (x.ending != Ending::kNone) co_return EndingError(x);
      if (!reused || !answer.silent || !x.request.idempotent) co_return std::move(answer.response);
      host.idle.clear();  // the server closed one of them: the older ones are hardly alive
    }
  }

  std::unique_ptr<Connection> TakeIdle(Host& host) {
    while (!host.idle.empty()) {
      std::unique_ptr<Connection> connection = std::move(host.idle.back());
      host.idle.pop_back();
      if (clock_.Now() - connection->idle_since <= options_.keep_alive && !connection->IsStale()) return connection;
    }
    return nullptr;
  }

  // A new connection.

  asio::awaitable<Result<std::unique_ptr<Connection>>> Open(Exchange& x, Host& host) {
    Result<std::vector<tcp::endpoint>> addresses = co_await Resolve(x, host);
    if (!addresses) co_return std::move(addresses).error();

    auto connection = std::make_unique<Connection>(io_);
    x.interrupt = [c = connection.get()] { c->Close(); };
    auto [failed, used] = co_await asio::async_connect(connection->socket, *addresses, kAsTuple);
    if (!failed && x.request.endpoint.tls && x.ending == Ending::kNone) {
      Status secured = co_await Handshake(x, *connection);
      if (!secured && x.ending == Ending::kNone) {
        x.interrupt = nullptr;
        co_return std::move(secured).error();
      }
    }
    x.interrupt = nullptr;
    if (x.ending != Ending::kNone) co_return EndingError(x);
    if (failed) {
      host.addresses.clear();
      co_return Broken(x, "cannot connect to", failed);
    }
    error_code ignored;
    connection->socket.set_option(tcp::no_delay(true), ignored);
    co_return std::move(connection);
  }

  /// The lookups of many requests to one host are one.
  asio::awaitable<Result<std::vector<tcp::endpoint>>> Resolve(Exchange& x, Host& host) {
    error_code not_numeric;
    const asio::ip::address literal = asio::ip::make_address(x.request.endpoint.host, not_numeric);
    if (!not_numeric) {
      std::vector<tcp::endpoint> one;
      one.emplace_back(literal, x.request.endpoint.port);
      co_return one;
    }
    if (IsLoopbackName(x.request.endpoint.host)) {
      std::vector<tcp::endpoint> both;
      both.emplace_back(asio::ip::address_v4::loopback(), x.request.endpoint.port);
      both.emplace_back(asio::ip::address_v6::loopback(), x.request.endpoint.port);
      co_return both;
    }
    while (host.addresses.empty() || host.addresses_until <= clock_.Now()) {
      if (!host.resolving) LookUp(x.request.endpoint, host);
      asio::steady_timer woken(io_, asio::steady_timer::time_point::max());
      host.awaiting_addresses.push_back(&woken);
      x.interrupt = [&woken] { woken.cancel(); };
      co_await woken.async_wait(kAsTuple);
      x.interrupt = nullptr;
      std::erase(host.awaiting_addresses, &woken);
      if (x.ending != Ending::kNone) co_return EndingError(x);
      if (host.resolve_error) co_return Broken(x, "cannot find the address of", host.resolve_error);
    }
    co_return host.addresses;
  }

  void LookUp(const HttpEndpoint& endpoint, Host& host) {
    host.resolving = true;
    host.resolve_error = {};
    resolver_.async_resolve(endpoint.host, std::to_string(endpoint.port), tcp::resolver::numeric_service,
                            [this, &host](const error_code& error, const tcp::resolver::results_type& found) {
                              host.resolving = false;
                              host.resolve_error = error;
                              host.addresses.assign(found.begin(), found.end());
                              host.addresses_until = clock_.Now() + kAddressesLive;
                              for (asio::steady_timer* waiting : host.awaiting_addresses) waiting->cancel();
                            });
  }

  asio::awaitable<Status> Handshake(Exchange& x, Connection& connection) {
    const HttpEndpoint& endpoint = x.request.endpoint;
    if (Status ready = EnsureTls(); !ready) co_return ready;
    connection.tls.emplace(connection.socket, *tls_);
    SSL* handle = connection.tls->native_handle();
    error_code not_numeric;
    asio::ip::make_address(endpoint.host, not_numeric);
    if (not_numeric) SSL_set_tlsext_host_name(handle, endpoint.host.c_str());
    error_code failed;
    connection.tls->set_verify_callback(ssl::host_name_verification(endpoint.host), failed);
    if (!failed) {
      auto [error] = co_await connection.tls->async_handshake(ssl::stream_base::client, kAsTuple);
      failed = error;
    }
    if (!failed) co_return Status{};
    const long verdict = SSL_get_verify_result(handle);
    if (verdict == X509_V_OK) co_return Broken(x, "no TLS with", failed);
    co_return PermissionDenied(
        "the certificate of " + endpoint.Authority() + " is not trusted: " + X509_verify_cert_error_string(verdict),
        "If the server has an authority of its own, name its certificate file in AWS_CA_BUNDLE");
  }

  /// On the first TLS connection only: it costs some milliseconds.
  Status EnsureTls() {
    if (tls_) return {};
    error_code failed;
    auto context = std::make_unique<ssl::context>(ssl::context::tls_client);
    SSL_CTX_set_min_proto_version(context->native_handle(), TLS1_2_VERSION);
    context->set_verify_mode(ssl::verify_peer, failed);
    const TlsRoots& roots = options_.tls_roots;
    if (!failed && !roots.file.empty()) context->load_verify_file(roots.file, failed);
    if (failed) {
      return InvalidArgument("no certificates can be read from " + roots.file + ": " + failed.message(),
                             "AWS_CA_BUNDLE or SSL_CERT_FILE must name a PEM file");
    }
    if (!roots.folder.empty()) context->add_verify_path(roots.folder, failed);
    if (roots.file.empty() && roots.folder.empty()) {
      return PermissionDenied("this machine has no certificates of trusted authorities",
                              "Install ca-certificates, or name a PEM file in AWS_CA_BUNDLE");
    }
    tls_ = std::move(context);
    return {};
  }

  // Sending and receiving.

  asio::awaitable<Answer> Talk(Exchange& x, Connection& connection) {
    if (connection.tls) co_return co_await TalkOver(x, connection, *connection.tls);
    co_return co_await TalkOver(x, connection, connection.socket);
  }

  template <class Stream>
  asio::awaitable<Answer> TalkOver(Exchange& x, Connection& connection, Stream& stream) {
    const error_code unsent = co_await WriteRequest(x, stream);
    // Even after a failed write: a server may refuse a long body and answer before it has read all of it.
    Answer answer = co_await ReadResponse(x, connection, stream);
    if (unsent) answer.keep = false;
    if (unsent && !answer.response && answer.silent) answer.response = Broken(x, "cannot send to", unsent);
    co_return answer;
  }

  template <class Stream>
  asio::awaitable<error_code> WriteRequest(Exchange& x, Stream& stream) {
    std::string head = RequestHead(x.request);
    ByteSpan body = x.request.body.bytes();
    if (body.size() <= kJoinedBodyBytes) {
      head.append(AsChars(body));
      body = {};
    }
    const std::array<ByteSpan, 2> parts = {AsBytes(head), body};
    for (ByteSpan rest : parts) {
      while (!rest.empty()) {
        const asio::const_buffer piece(rest.data(), rest.size());
        auto [error, written] = co_await stream.async_write_some(piece, kAsTuple);
        if (error) co_return error;
        x.last_progress = clock_.Now();
        rest = rest.subspan(written);
      }
    }
    co_return error_code{};
  }

  template <class Stream>
  asio::awaitable<Answer> ReadResponse(Exchange& x, Connection& connection, Stream& stream) {
    std::optional<http::response_parser<GrowingBody>> parser;
    for (int interim = 0; interim < kMaxInterimAnswers; ++interim) {
      parser.emplace();
      parser->eager(true);
      parser->header_limit(kMaxHeaderBytes);
      parser->body_limit(x.request.max_response_bytes);
      parser->skip(x.request.method == "HEAD");
      while (!parser->is_done()) {
        auto [error, read] = co_await http::async_read_some(stream, connection.buffer, *parser, kAsTuple);
        if (error) {
          const bool silent = interim == 0 && !parser->got_some() && connection.buffer.size() == 0;
          co_return Answer{ReadError(x, error), silent, false};
        }
        x.last_progress = clock_.Now();
      }
      if (parser->get().result_int() >= 200) break;
    }
    co_return Answer{ToResponse(*parser), false, parser->keep_alive() && connection.buffer.size() == 0};
  }

  static Error ReadError(const Exchange& x, const error_code& error) {
    const std::string who = x.request.endpoint.Authority();
    if (error == http::error::body_limit || error == boost::system::errc::not_enough_memory) {
      return ResourceExhausted("the answer of " + who + " is longer than " +
                                   std::to_string(x.request.max_response_bytes) + " bytes, or than memory allows",
                               "Read it in smaller ranges");
    }
    if (error == http::error::end_of_stream || error == http::error::partial_message || error == asio::error::eof ||
        error == ssl::error::stream_truncated) {
      return Unavailable(who + " closed the connection before its answer was complete");
    }
    if (error.category() == make_error_code(http::error::bad_version).category()) {
      return Unavailable(who + " does not speak HTTP: " + error.message(), "Check the endpoint's scheme and port");
    }
    return Broken(x, "cannot read from", error);
  }

  static HttpResponse ToResponse(http::response_parser<GrowingBody>& parser) {
    HttpResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    for (const auto& field : parser.get().base()) {
      response.headers.push_back({std::string(field.name_string()), std::string(field.value())});
    }
    response.body = Buffer::Of(std::move(parser.get().body()));
    return response;
  }

  const HttpClientOptions options_;
  const Clock& clock_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
  std::mutex start_mutex_;
  std::thread thread_;

  // The rest belongs to the thread.
  std::unique_ptr<ssl::context> tls_;
  tcp::resolver resolver_{io_};
  asio::steady_timer tick_{io_};
  std::map<HttpEndpoint, Host> hosts_;
  std::unordered_set<ExchangePtr> exchanges_;
  bool watching_ = false;
  bool closing_ = false;
};

HttpClient::HttpClient(HttpClientOptions options, const Clock& clock)
    : loop_(std::make_unique<Loop>(std::move(options), clock)) {}

HttpClient::~HttpClient() = default;

namespace {

/// The request as an exchange; or answers at once, and returns null, if it cannot be sent.
ExchangePtr Prepare(HttpRequest request, const Deadline& deadline, std::function<void(Result<HttpResponse>)> done,
                    Status startable) {
  if (startable) startable = CheckRequest(request);
  if (startable) startable = deadline.Check(request.method + " at " + request.endpoint.Authority());
  if (!startable) {
    done(std::move(startable).error());
    return nullptr;
  }
  auto x = std::make_shared<Exchange>();
  x->request = std::move(request);
  x->deadline = deadline;
  x->done = std::move(done);
  return x;
}

}  // namespace

void HttpClient::Start(HttpRequest request, const Deadline& deadline, std::function<void(Result<HttpResponse>)> done) {
  ExchangePtr x = Prepare(std::move(request), deadline, std::move(done), loop_->EnsureThread());
  if (x) loop_->Begin({std::move(x)});
}

std::vector<Result<HttpResponse>> HttpClient::SendAll(std::vector<HttpRequest> requests, const Deadline& deadline) {
  std::vector<Result<HttpResponse>> responses(requests.size());
  std::mutex mutex;
  std::condition_variable all_there;
  std::size_t missing = requests.size();

  std::vector<ExchangePtr> exchanges;
  exchanges.reserve(requests.size());
  const Status startable = loop_->EnsureThread();
  for (std::size_t i = 0; i < requests.size(); ++i) {
    auto done = [&, i](Result<HttpResponse> response) {
      const std::lock_guard lock(mutex);
      responses[i] = std::move(response);
      if (--missing == 0) all_there.notify_one();
    };
    if (ExchangePtr x = Prepare(std::move(requests[i]), deadline, done, startable)) exchanges.push_back(std::move(x));
  }
  if (!exchanges.empty()) loop_->Begin(std::move(exchanges));
  std::unique_lock lock(mutex);
  all_there.wait(lock, [&] { return missing == 0; });
  return responses;
}

Result<HttpResponse> HttpClient::Send(HttpRequest request, const Deadline& deadline) {
  std::vector<HttpRequest> one;
  one.push_back(std::move(request));
  return std::move(SendAll(std::move(one), deadline).front());
}

}  // namespace firn::store
