// The least that a process between client and node can do: each client has a connection of its own to the node, and bytes
// are passed on unread, on one thread. What a gateway costs beyond this is its own work. For ./dev bench --forward.
//
//   raw_forward PORT        forwards to 127.0.0.1:PORT; prints "listening PORT"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <unordered_map>

namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

int fail(const char* doing) {
  std::perror(doing);
  return 1;
}

class Forwarder {
 public:
  explicit Forwarder(std::uint16_t node_port) : node_(loopback(node_port)), epoll_(::epoll_create1(0)) {}

  int serve() {
    const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      return fail("raw_forward: listen");
    watch(listener);
    std::printf("listening %d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    std::array<epoll_event, 256> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        const int fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener) {
          accept(listener);
        } else if (const auto peer = peers_.find(fd); peer != peers_.end() && !pass_on(fd, peer->second)) {
          end(fd, peer->second);
        }
      }
    }
  }

 private:
  void watch(int fd) const {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  }

  void accept(int listener) {
    const int client = ::accept4(listener, nullptr, nullptr, 0);
    if (client < 0) return;
    const int node = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(node, reinterpret_cast<const sockaddr*>(&node_), sizeof node_) != 0) {
      std::perror("raw_forward: connect");
      ::close(node);
      ::close(client);
      return;
    }
    const int on = 1;
    for (const int fd : {client, node}) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(fd);
    }
    peers_[client] = node;
    peers_[node] = client;
  }

  bool pass_on(int from, int to) {
    const ssize_t got = ::recv(from, bytes_.data(), bytes_.size(), MSG_DONTWAIT);
    // The event of an earlier connection with this number.
    if (got < 0 && errno == EAGAIN) return true;
    // Small messages: a send that blocks waits for nothing but the peer's next read.
    return got > 0 && ::send(to, bytes_.data(), static_cast<std::size_t>(got), MSG_NOSIGNAL) == got;
  }

  void end(int fd, int peer) {
    peers_.erase(fd);
    peers_.erase(peer);
    ::close(fd);
    ::close(peer);
  }

  const sockaddr_in node_;
  const int epoll_;
  std::unordered_map<int, int> peers_;
  std::array<char, kReadBytes> bytes_{};
};

}  // namespace

int main(int argc, char** argv) {
  const long port = argc == 2 ? std::strtol(argv[1], nullptr, 10) : 0;
  if (port <= 0 || port > 65'535) {
    std::fprintf(stderr, "usage: raw_forward PORT\n");
    return 2;
  }
  return Forwarder(static_cast<std::uint16_t>(port)).serve();
}
