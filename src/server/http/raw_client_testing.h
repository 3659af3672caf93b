#pragma once
// A client that sends any bytes it likes, for tests: blocking sockets with a bound on every wait.

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firn::server::testing {

struct RawResponse {
  int status = 0;
  std::string head;  // with the status line, lines end in "\r\n"
  std::string body;  // de-chunked
  bool whole = false;

  /// The value of a header (its name as sent); "" when absent.
  std::string HeaderOf(std::string_view name) const {
    const std::size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return {};
    const std::size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { Close(); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  void Close() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  /// False when the server does not take it.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  /// Reads one response; `head_only` for answers to HEAD. Status 0: the connection ended first.
  RawResponse Receive(bool head_only = false) {
    RawResponse response;
    std::size_t end = 0;
    while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return response;
    }
    response.head = pending_.substr(0, end + 2);
    pending_.erase(0, end + 4);
    response.status = std::stoi(response.head.substr(9, 3));
    if (head_only || response.status == 204 || response.status == 100) {
      response.whole = true;
    } else if (const std::string length = response.HeaderOf("Content-Length"); !length.empty()) {
      const std::size_t wanted = std::stoul(length);
      while (pending_.size() < wanted && Fill()) {
      }
      response.whole = pending_.size() >= wanted;
      response.body = pending_.substr(0, wanted);
      pending_.erase(0, wanted);
    } else if (response.HeaderOf("Transfer-Encoding") == "chunked") {
      while (auto chunk = Chunk()) {
        response.whole = chunk->empty();
        if (response.whole) break;
        response.body += *chunk;
      }
    } else {
      while (Fill()) {
      }
      response.body.swap(pending_);
      response.whole = true;
    }
    return response;
  }

  RawResponse Ask(std::string_view request) { return Send(request) ? Receive() : RawResponse(); }

  /// The server closes the connection, and nothing more comes.
  bool IsClosed() { return pending_.empty() && !Fill(); }

 private:
  static constexpr int kPatienceMs = 20'000;

  bool Fill() {
    pollfd wait{.fd = socket_, .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, kPatienceMs) <= 0) return false;
    char bytes[16 << 10];
    const ssize_t got = ::recv(socket_, bytes, sizeof bytes, 0);
    if (got <= 0) return false;
    pending_.append(bytes, static_cast<std::size_t>(got));
    return true;
  }
  std::optional<std::string> Take(std::size_t size) {
    while (pending_.size() < size) {
      if (!Fill()) return std::nullopt;
    }
    std::string taken = pending_.substr(0, size);
    pending_.erase(0, size);
    return taken;
  }
  std::optional<std::string> Chunk() {
    std::size_t end = 0;
    while ((end = pending_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return std::nullopt;
    }
    const std::size_t size = std::stoul(pending_.substr(0, end), nullptr, 16);
    pending_.erase(0, end + 2);
    auto chunk = Take(size + 2);
    if (chunk) chunk->resize(size);
    return chunk;
  }

  int socket_;
  bool connected_ = false;
  std::string pending_;
};

}  // namespace firn::server::testing
