#pragma once
// For this room's tests: a simple HTTP server over POSIX sockets, on 127.0.0.1 and a port chosen by the
// kernel. Faults come from the handler, which gets the request and the socket on the connection's own thread.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace fanfare::upstream::testing {

struct Request {
  std::string head;  // up to and including the empty line
  std::string body;
  int connection = 0;  // 1 for the first one accepted
};

class Peer {
 public:
  explicit Peer(int fd) : fd_(fd) {}
  // False if the client has closed the connection.
  bool send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  bool reply(std::string_view body, std::string_view status = "200 OK",
             std::string_view more_headers = "") const {
    return send("HTTP/1.1 " + std::string(status) + "\r\nContent-Length: " + std::to_string(body.size()) +
                "\r\n" + std::string(more_headers) + "\r\n" + std::string(body));
  }
  void close() const { ::shutdown(fd_, SHUT_RDWR); }
  // Reads exactly so many bytes. False if the client has closed its end before.
  bool read(std::size_t bytes) const {
    char chunk[4096];
    while (bytes > 0) {
      const ssize_t got = ::recv(fd_, chunk, std::min(bytes, sizeof(chunk)), 0);
      if (got <= 0) return false;
      bytes -= static_cast<std::size_t>(got);
    }
    return true;
  }
  // Waits until the client closes its end; true then.
  bool wait_for_close() const {
    char byte = 0;
    return ::recv(fd_, &byte, 1, 0) <= 0;
  }

 private:
  int fd_;
};

class TestServer {
 public:
  using Handler = std::function<void(Peer&, const Request&)>;

  // Serves a whole connection, instead of the HTTP parser and `handler`.
  using Takeover = std::function<void(int fd)>;

  explicit TestServer(Handler handler, Takeover takeover = nullptr)
      : handler_(std::move(handler)), takeover_(std::move(takeover)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 128) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      std::abort();
    }
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~TestServer() {
    // The test releases everything that handlers wait for before this.
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
      const std::scoped_lock lock(mutex_);
      for (const auto& connection : connections_) ::shutdown(connection.fd, SHUT_RDWR);
    }
    for (auto& connection : connections_) {
      connection.thread.join();
      ::close(connection.fd);
    }
    ::close(listener_);
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  int port() const { return port_; }
  std::string url(std::string_view path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  int connections() const { return accepted_; }
  int requests() const { return requests_; }

  // A port that was free a moment ago, without a listener.
  static int closed_port() {
    TestServer gone([](Peer&, const Request&) {});
    return gone.port();
  }

 private:
  struct Connection {
    int fd;
    std::thread thread;
  };

  void accept_all() {
    while (true) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const int number = ++accepted_;
      const std::scoped_lock lock(mutex_);
      connections_.push_back({fd, {}});
      connections_.back().thread = std::thread([this, fd, number] {
        if (takeover_) {
          takeover_(fd);
        } else {
          serve(fd, number);
        }
        ::shutdown(fd, SHUT_RDWR);
      });
    }
  }

  void serve(int fd, int number) {
    std::string pending;
    Peer peer(fd);
    while (true) {
      Request request{.connection = number};
      std::size_t head_end = 0;
      while ((head_end = pending.find("\r\n\r\n")) == std::string::npos) {
        if (!read_more(fd, pending)) return;
      }
      request.head = pending.substr(0, head_end + 4);
      pending.erase(0, head_end + 4);
      const std::size_t field = request.head.find("Content-Length: ");
      const std::size_t length =
          field == std::string::npos ? 0 : std::strtoul(request.head.c_str() + field + 16, nullptr, 10);
      while (pending.size() < length) {
        if (!read_more(fd, pending)) return;
      }
      request.body = pending.substr(0, length);
      pending.erase(0, length);
      ++requests_;
      handler_(peer, request);
    }
  }

  static bool read_more(int fd, std::string& pending) {
    char chunk[4096];
    const ssize_t got = ::recv(fd, chunk, sizeof(chunk), 0);
    if (got <= 0) return false;
    pending.append(chunk, static_cast<std::size_t>(got));
    return true;
  }

  Handler handler_;
  Takeover takeover_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> accepted_ = 0;
  std::atomic<int> requests_ = 0;
  std::mutex mutex_;  // guards the list while it grows
  std::list<Connection> connections_;
  std::thread acceptor_;
};

}  // namespace fanfare::upstream::testing
