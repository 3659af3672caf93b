#include "store/http/scripted_server_testing.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <optional>

namespace firn::store::testing {
namespace {

/// Takes one whole request off the front of `received`, reading more as needed; nullopt when the client went away.
std::optional<SeenRequest> Receive(int socket, std::string& received) {
  const auto more = [&] {
    char bytes[65536];
    const auto n = ::recv(socket, bytes, sizeof bytes, 0);
    if (n > 0) received.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  };
  std::size_t end;
  while ((end = received.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::nullopt;
  }
  SeenRequest request;
  request.head = received.substr(0, end + 2);
  const std::size_t first = request.head.find(' ');
  const std::size_t second = request.head.find(' ', first + 1);
  request.method = request.head.substr(0, first);
  request.target = request.head.substr(first + 1, second - first - 1);
  const std::size_t length = std::strtoull(request.Header("content-length").c_str(), nullptr, 10);
  received.erase(0, end + 4);
  while (received.size() < length) {
    if (!more()) return std::nullopt;
  }
  request.body = received.substr(0, length);
  received.erase(0, length);
  return request;
}

}  // namespace

std::string SeenRequest::Header(std::string_view name) const {
  for (std::size_t at = head.find("\r\n"); at != std::string::npos && at + 2 < head.size();
       at = head.find("\r\n", at + 2)) {
    const std::string_view line = std::string_view(head).substr(at + 2, head.find("\r\n", at + 2) - at - 2);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !EqualsIgnoringCase(line.substr(0, colon), name)) continue;
    return std::string(line.substr(line.find_first_not_of(' ', colon + 1)));
  }
  return {};
}

Reply Reply::Of(int status, std::string_view body, std::string_view headers) {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) + " x\r\n" + std::string(headers);
  if (status != 204) bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return {bytes + "\r\n" + std::string(body), Then::kKeepOpen};
}

ScriptedServer::ScriptedServer(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 256) != 0)
    std::abort();
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int socket : sockets_) ::shutdown(socket, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int socket : sockets_) ::close(socket);
  ::close(listener_);
}

std::vector<SeenRequest> ScriptedServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

void ScriptedServer::AwaitRequests(std::size_t count) const {
  while (seen().size() < count) std::this_thread::yield();
}

void ScriptedServer::AwaitClosed(int count) const {
  while (closed_ < count) std::this_thread::yield();
}

void ScriptedServer::Accept() {
  while (!stopping_) {
    const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (socket < 0) continue;
    const int number = connections_++;
    const std::lock_guard lock(mutex_);
    sockets_.push_back(socket);
    threads_.emplace_back([this, socket, number] { Serve(socket, number); });
  }
}

void ScriptedServer::Serve(int socket, int number) {
  std::string received;
  while (std::optional<SeenRequest> request = Receive(socket, received)) {
    request->connection = number;
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(*request);
    }
    const Reply reply = script_(*request);
    std::string_view rest = reply.bytes;
    while (!rest.empty()) {
      const auto n = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    while (reply.then == Reply::Then::kDribble) {
      if (::send(socket, "x", 1, MSG_NOSIGNAL) <= 0) return;
      std::this_thread::yield();
    }
    if (reply.then == Reply::Then::kClose) {
      ::shutdown(socket, SHUT_RDWR);
      ++closed_;
      return;
    }
  }
}

}  // namespace firn::store::testing
