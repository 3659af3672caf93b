#pragma once
// One connection of the client, and what it needs of Boost. Only http_client.cc includes this: these headers take half
// a minute to compile.

#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <cerrno>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"

namespace firn::store::internal {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
namespace ssl = boost::asio::ssl;
using boost::system::error_code;
using tcp = asio::ip::tcp;

/// Awaits an operation whose error comes back as a value: `auto [error, n] = co_await op(..., kAsTuple)`.
inline constexpr auto kAsTuple = asio::as_tuple(asio::use_awaitable);

struct Connection {
  // Fewer, larger reads: a third of the CPU time of Beast's default.
  static constexpr std::size_t kBufferBytes = 128 << 10;

  explicit Connection(asio::io_context& io) : socket(io) { buffer.reserve(kBufferBytes); }

  void Close() {
    error_code ignored;
    socket.close(ignored);
  }

  /// Of an idle connection: the other side closed it, or sent what nobody asked for.
  bool IsStale() {
    char byte;
    const auto n = ::recv(socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
  }

  tcp::socket socket;
  std::optional<ssl::stream<tcp::socket&>> tls;
  beast::flat_buffer buffer;
  SteadyTime idle_since{};
};

/// A message body that grows as bytes come in, so that a length which a server merely claims allocates little, and that
/// reports a lack of memory as an error instead of throwing through the event loop.
struct GrowingBody {
  using value_type = std::vector<std::uint8_t>;

  static std::uint64_t size(const value_type& body) { return body.size(); }

  class reader {
   public:
    template <bool isRequest, class Fields>
    explicit reader(http::header<isRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>& length, error_code& error) {
      error = {};
      if (length) Grow(std::min<std::uint64_t>(*length, kFirstReserveBytes), error);
    }

    template <class ConstBufferSequence>
    std::size_t put(const ConstBufferSequence& buffers, error_code& error) {
      error = {};
      std::size_t taken = 0;
      for (auto at = asio::buffer_sequence_begin(buffers); at != asio::buffer_sequence_end(buffers); ++at) {
        const asio::const_buffer part = *at;
        if (body_.size() + part.size() > body_.capacity()) Grow(2 * (body_.size() + part.size()), error);
        if (error) return taken;
        const auto* first = static_cast<const std::uint8_t*>(part.data());
        body_.insert(body_.end(), first, first + part.size());
        taken += part.size();
      }
      return taken;
    }

    void finish(error_code& error) { error = {}; }

   private:
    static constexpr std::uint64_t kFirstReserveBytes = 64 << 20;

    void Grow(std::uint64_t capacity, error_code& error) {
      try {
        body_.reserve(capacity);
      } catch (const std::exception&) {
        error = boost::system::errc::make_error_code(boost::system::errc::not_enough_memory);
      }
    }

    value_type& body_;
  };
};

}  // namespace firn::store::internal
