#include "server/http/connection.h"

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <charconv>
#include <ctime>
#include <new>

// gcc 12 does not see that Asio's coroutine frames pair their own new and delete.
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"

namespace firn::server {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;

namespace {

constexpr auto kToken = asio::as_tuple(asio::use_awaitable);  // errors as values
constexpr std::size_t kReadBytes = 64 << 10;  // Beast's own 512 costs three times the CPU on bodies of 8 KiB
constexpr std::size_t kBufferLimit = 128 << 10;
constexpr std::size_t kPipelinedBytes = 64 << 10;  // read ahead while a request runs
constexpr std::uint64_t kDiscardBytes = 64 << 10;  // a refused body so small is read, to keep the connection
constexpr std::size_t kStreamBytes = 1 << 20;      // of a streamed answer, ahead of the client
constexpr std::size_t kLingerBytes = 4 << 20;
constexpr std::chrono::seconds kLingerTime{2};
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string HttpDate(WallTime time) {
  const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  const std::size_t length = std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts);
  return {text, length};
}

RequestHead ToHead(const http::request<http::buffer_body>& request, const std::string& peer) {
  RequestHead head;
  head.method = request.method_string();
  head.target = request.target();
  head.peer = peer;
  for (const auto& field : request)
    head.headers.push_back({std::string(field.name_string()), std::string(field.value())});
  return head;
}

/// What RFC 9112 asks of a head and the parser does not: where request smuggling begins.
Status CheckHead(const http::request<http::buffer_body>& request) {
  if (request.version() == 11 && request.count(http::field::host) != 1)
    return InvalidArgument("the request needs exactly one Host header");
  const auto length = request.find(http::field::content_length);
  if (length != request.end() && length->value().find_first_not_of("0123456789") != std::string_view::npos) {
    return InvalidArgument("Content-Length is not a number");
  }
  const auto coding = request.find(http::field::transfer_encoding);
  if (coding == request.end()) return {};
  if (request.count(http::field::transfer_encoding) != 1 || !EqualsIgnoringCase(coding->value(), "chunked") ||
      request.version() < 11 || request.count(http::field::content_length) != 0) {
    return InvalidArgument("Transfer-Encoding may only be 'chunked', once, without Content-Length");
  }
  return {};
}

}  // namespace

/// A request on a worker.
struct Connection::Running {
  explicit Running(std::function<void()> wake) : pipe(kStreamBytes, std::move(wake)) {}
  std::shared_ptr<Exchange> exchange;
  bool head_only = false;
  Response response;  // written by the worker before the pipe says anything
  BodyPipe pipe;

  void Work() {
    Status status;
    try {
      response = exchange->Run();
      if (response.stream && !head_only) status = response.stream(pipe);
    } catch (const std::bad_alloc&) {
      response = exchange->Fail(
          ResourceExhausted("the server ran out of memory for this request", "Ask for less, or send smaller bodies"),
          503);
    } catch (const std::exception& e) {
      response = exchange->Fail(Internal(std::string("the handler failed: ") + e.what()), 500);
    }
    pipe.Finish(std::move(status));
  }
};

/// The body of the request at hand as it comes in; gives its bytes back to the shared budget at the end.
struct Connection::Reading {
  explicit Reading(ConnectionContext& shared) : context(shared) {}
  ~Reading() { Release(); }
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

  ConnectionContext& context;
  std::uint64_t limit = 0;
  std::uint64_t charged = 0;
  std::string body;
  Error error;
  int status = 0;  // of the answer to `error`; 0: the client is gone, nobody to answer

  void Release() {
    context.buffered_bytes -= charged;
    charged = 0;
    body = std::string();
  }
  bool Fail(Error e, int http_status) {
    error = std::move(e);
    status = http_status;
    return false;
  }
  bool FailOverLimit() {
    return Fail(ResourceExhausted("the request body is over the limit of " + std::to_string(limit) + " bytes",
                                  "Send it in smaller pieces, or raise max-body-bytes"),
                413);
  }
  bool Charge(std::uint64_t bytes) {
    if (context.buffered_bytes + bytes > context.options.max_buffered_bytes) {
      return Fail(Unavailable("the server holds as many request bodies as it may", "Try again in a moment"), 503);
    }
    context.buffered_bytes += bytes;
    charged += bytes;
    return true;
  }
};

Connection::Connection(ConnectionContext& context, asio::ip::tcp::socket socket, std::string peer)
    : context_(context),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      buffer_(kBufferLimit),
      wake_(socket_.get_executor()) {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

asio::awaitable<void> Connection::Serve() {
  const auto self = shared_from_this();
  while (!cut_ && co_await ServeOne()) {
  }
  error_code ignored;
  socket_.close(ignored);
}

asio::awaitable<bool> Connection::ServeOne() {
  if (!co_await WaitForBytes()) co_return false;
  keep_alive_ = head_only_ = http_1_0_ = false;

  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(context_.options.max_header_bytes));
  parser.body_limit(boost::none);
  Arm(context_.options.header_timeout);
  auto [error, bytes] = co_await http::async_read_header(socket_, buffer_, parser, kToken);
  if (timed_out_) {
    co_return co_await AnswerMalformed(DeadlineExceeded("the headers of the request did not arrive in time"), 408);
  }
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    const std::string limit = std::to_string(context_.options.max_header_bytes);
    co_return co_await AnswerMalformed(
        ResourceExhausted("the request line and headers are over the limit of " + limit + " bytes"), 431);
  }
  if (error == http::error::end_of_stream || error == http::error::partial_message) co_return false;
  if (error) {
    if (error.category() != http::make_error_code(http::error::bad_method).category()) co_return false;
    co_return co_await AnswerMalformed(InvalidArgument("the request is not valid HTTP/1.1: " + error.message()), 400);
  }
  Disarm();
  if (auto sound = CheckHead(parser.get()); !sound) co_return co_await AnswerMalformed(std::move(sound).error(), 400);

  keep_alive_ = parser.get().keep_alive() && !context_.draining;
  http_1_0_ = parser.get().version() < 11;
  RequestHead head = ToHead(parser.get(), peer_);
  head_only_ = head.method == "HEAD";
  Reading reading(context_);
  const bool expects_continue = EqualsIgnoringCase(head.HeaderOf("expect"), "100-continue");
  const std::shared_ptr<Exchange> exchange = context_.application.Begin(std::move(head));

  Outcome outcome;
  bool go_on = false;
  const auto refusal = exchange->Refusal();
  reading.limit = refusal ? kDiscardBytes : exchange->MaxBodyBytes();
  const auto length = parser.content_length();
  const bool has_body = parser.chunked() || (length && *length > 0);
  bool whole = !has_body;
  if (has_body && length && *length > reading.limit) {
    reading.FailOverLimit();
  } else if (has_body && !(refusal && expects_continue)) {
    if (expects_continue && !co_await Write(asio::buffer(kContinue))) co_return false;
    whole = co_await ReadBody(parser, reading);
  }
  outcome.bytes_received = reading.body.size();
  keep_alive_ = keep_alive_ && whole;
  if (refusal || !whole) reading.Release();

  if (refusal) {
    go_on = co_await Send(*refusal, outcome);
  } else if (!whole) {
    if (reading.status != 0) {
      go_on = co_await Send(exchange->Fail(reading.error, reading.status), outcome);
    } else {
      outcome.client_gone = true;
    }
  } else {
    const auto hung_up = std::make_shared<std::atomic<bool>>(false);
    exchange->Accept(std::move(reading.body), hung_up);
    if (exchange->Quick()) {
      go_on = co_await RunQuick(*exchange, outcome);
    } else {
      go_on = co_await RunOnWorker(exchange, hung_up, outcome);
    }
  }
  exchange->Finished(outcome);
  if (go_on && !keep_alive_ && !whole) co_await Linger();
  co_return go_on&& keep_alive_;
}

asio::awaitable<bool> Connection::WaitForBytes() {
  if (buffer_.size() > 0) co_return true;
  if (context_.draining) co_return false;
  idle_ = true;
  Arm(context_.options.idle_timeout);
  auto [error, bytes] = co_await socket_.async_read_some(buffer_.prepare(kReadBytes), kToken);
  idle_ = false;
  Disarm();
  if (error) co_return false;
  buffer_.commit(bytes);
  co_return true;
}

asio::awaitable<bool> Connection::AnswerMalformed(Error error, int status) {
  Disarm();
  keep_alive_ = false;
  const auto exchange = context_.application.BeginMalformed(peer_);
  Outcome outcome;
  const Response response = exchange->Fail(error, status);
  const bool sent = co_await Send(response, outcome);
  exchange->Finished(outcome);
  if (sent) co_await Linger();
  co_return false;
}

asio::awaitable<bool> Connection::ReadBody(Parser& parser, Reading& reading) {
  const SteadyTime end = context_.clock.Now() + context_.options.body_timeout;
  if (parser.content_length()) reading.body.reserve(std::min<std::uint64_t>(*parser.content_length(), kStreamBytes));
  while (!parser.is_done()) {
    const std::size_t before = reading.body.size();
    if (!reading.Charge(kReadBytes)) co_return false;
    reading.body.resize(before + kReadBytes);
    auto& sink = parser.get().body();
    sink.data = reading.body.data() + before;
    sink.size = kReadBytes;
    Arm(std::min(context_.options.body_stall_timeout, Duration(end - context_.clock.Now())));
    auto [error, bytes] = co_await http::async_read_some(socket_, buffer_, parser, kToken);
    const std::size_t got = kReadBytes - sink.size;
    reading.body.resize(before + got);
    reading.charged -= kReadBytes - got;
    context_.buffered_bytes -= kReadBytes - got;
    if (error == http::error::need_buffer) error = {};
    if (timed_out_) co_return reading.Fail(DeadlineExceeded("the body of the request did not arrive in time"), 408);
    if (reading.body.size() > reading.limit) co_return reading.FailOverLimit();
    if (error && error != http::error::partial_message &&
        error.category() == http::make_error_code(http::error::bad_chunk).category()) {
      co_return reading.Fail(InvalidArgument("the body of the request is not valid HTTP/1.1: " + error.message()), 400);
    }
    if (error) co_return false;
  }
  Disarm();
  co_return true;
}

asio::awaitable<bool> Connection::RunQuick(Exchange& exchange, Outcome& outcome) {
  const Response response = exchange.Run();
  co_return co_await Send(response, outcome);
}

asio::awaitable<bool> Connection::RunOnWorker(std::shared_ptr<Exchange> exchange,
                                              std::shared_ptr<std::atomic<bool>> hung_up, Outcome& outcome) {
  if (context_.running_requests >= context_.options.max_queued_requests + context_.options.worker_threads) {
    co_return co_await Send(
        exchange->Fail(Unavailable("the server is busy: its queue of requests is full", "Try again in a moment"), 503),
        outcome);
  }
  // The worker may outlive this coroutine's wait, never the io thread's loop: Listener::Stop waits for the connections
  // first.
  auto running = std::make_shared<Running>(
      [self = shared_from_this()] { asio::post(self->socket_.get_executor(), [self] { self->wake_.cancel(); }); });
  running->exchange = std::move(exchange);
  running->head_only = head_only_;
  hung_up_ = std::move(hung_up);
  running_ = running;
  context_.running_requests++;
  context_.workers.Post([running] { running->Work(); });
  WatchForHangUp();

  BodyPipe::Taken first = running->pipe.Take();
  while (!first.finished && first.bytes.empty()) {
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(kToken);
    first = running->pipe.Take();
  }
  bool sent = false;
  if (first.finished && !first.status) {
    sent = co_await Send(running->exchange->Fail(first.status.error(), 0), outcome);
  } else if (first.finished) {
    if (running->response.stream && !head_only_) running->response.body = std::move(first.bytes);
    sent = co_await Send(running->response, outcome);
  } else {
    sent = co_await SendStream(*running, std::move(first.bytes), outcome);
  }
  watch_generation_++;
  outcome.client_gone = outcome.client_gone || hung_up_->load();
  context_.running_requests--;
  running_.reset();
  hung_up_.reset();
  co_return sent;
}

asio::awaitable<bool> Connection::SendStream(Running& running, std::string piece, Outcome& outcome) {
  // A client of HTTP/1.0 knows the end of the body by the end of the connection.
  if (http_1_0_) keep_alive_ = false;
  outcome.status = running.response.status;
  const std::string head = HeadOf(running.response, http_1_0_ ? "" : "Transfer-Encoding: chunked\r\n");
  bool sent = co_await Write(asio::buffer(head));
  bool finished = false;
  bool whole = false;
  while (true) {
    if (!sent) {
      running.pipe.Close();
      hung_up_->store(true);
    }
    if (sent && !piece.empty()) {
      char size[20];
      char* const end = std::to_chars(size, size + 16, piece.size(), 16).ptr;
      const std::string_view chunk_head(size, end);
      static constexpr std::string_view kNewline = "\r\n";
      const bool plain = http_1_0_;
      const std::array<asio::const_buffer, 4> chunk = {
          asio::buffer(plain ? std::string_view() : chunk_head), asio::buffer(plain ? std::string_view() : kNewline),
          asio::buffer(piece), asio::buffer(plain ? std::string_view() : kNewline)};
      sent = co_await Write(chunk);
      if (!sent) continue;
      outcome.bytes_sent += piece.size();
      piece.clear();
    }
    if (finished) break;
    BodyPipe::Taken next = running.pipe.Take();
    if (!next.finished && next.bytes.empty()) {
      wake_.expires_at(asio::steady_timer::time_point::max());
      co_await wake_.async_wait(kToken);
      continue;
    }
    piece = std::move(next.bytes);
    finished = next.finished;
    whole = finished && next.status.has_value();
    if (!sent && finished) break;
  }
  if (sent && whole && !http_1_0_) sent = co_await Write(asio::buffer(std::string_view("0\r\n\r\n")));
  outcome.client_gone = !sent;
  co_return sent&& whole;
}

asio::awaitable<bool> Connection::Send(const Response& response, Outcome& outcome) {
  const bool no_length = response.status == 204 || (head_only_ && response.stream);
  const std::string head =
      HeadOf(response, no_length ? std::string() : "Content-Length: " + std::to_string(response.body.size()) + "\r\n");
  const std::string_view body =
      head_only_ || response.status == 204 ? std::string_view() : std::string_view(response.body);
  outcome.status = response.status;
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head), asio::buffer(body)};
  const bool sent = co_await Write(buffers);
  if (sent) outcome.bytes_sent = body.size();
  outcome.client_gone = !sent;
  co_return sent;
}

template <class Buffers>
asio::awaitable<bool> Connection::Write(const Buffers& buffers) {
  Arm(context_.options.write_timeout);
  auto [error, bytes] = co_await asio::async_write(socket_, buffers, kToken);
  Disarm();
  co_return !error && !timed_out_;
}

/// Closing while the client still sends would reset the connection, and the answer could be lost with it.
asio::awaitable<void> Connection::Linger() {
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Arm(kLingerTime);
  std::string scratch(kReadBytes, '\0');
  for (std::size_t total = 0; total < kLingerBytes;) {
    auto [error, bytes] = co_await socket_.async_read_some(asio::buffer(scratch), kToken);
    if (error) break;
    total += bytes;
  }
  Disarm();
}

/// While a request runs, reads ahead what the client pipelines, and learns when it closes its side.
void Connection::WatchForHangUp() {
  socket_.async_wait(
      asio::ip::tcp::socket::wait_read, [self = shared_from_this(), generation = watch_generation_](error_code error) {
        if (error || generation != self->watch_generation_ || self->buffer_.size() >= kPipelinedBytes) return;
        self->socket_.non_blocking(true, error);
        const std::size_t bytes =
            self->socket_.read_some(self->buffer_.prepare(kPipelinedBytes - self->buffer_.size()), error);
        if (!error) {
          self->buffer_.commit(bytes);
        } else if (error != asio::error::would_block) {
          self->hung_up_->store(true);
          return;
        }
        self->WatchForHangUp();
      });
}

void Connection::CheckTimeout(SteadyTime now) {
  if (now < expires_) return;
  timed_out_ = true;
  expires_ = SteadyTime::max();
  error_code ignored;
  socket_.cancel(ignored);
}

void Connection::Drain() {
  keep_alive_ = false;
  error_code ignored;
  if (idle_) socket_.cancel(ignored);
}

void Connection::Cut() {
  cut_ = true;
  keep_alive_ = false;
  error_code ignored;
  socket_.close(ignored);
  if (hung_up_) hung_up_->store(true);
  if (running_) running_->pipe.Close();
}

void Connection::Arm(Duration timeout) {
  timed_out_ = false;
  expires_ = context_.clock.Now() + timeout;
}
void Connection::Disarm() { expires_ = SteadyTime::max(); }

std::string Connection::HeadOf(const Response& response, std::string_view framing) const {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  head.append(ReasonOf(response.status)).append("\r\nDate: ").append(HttpDate(context_.clock.WallNow())).append("\r\n");
  if (response.status != 204) head.append("Content-Type: ").append(response.content_type).append("\r\n");
  for (const Header& header : response.headers)
    head.append(header.name).append(": ").append(header.value).append("\r\n");
  head.append(framing);
  if (!keep_alive_) {
    head.append("Connection: close\r\n");
  } else if (http_1_0_) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace firn::server
