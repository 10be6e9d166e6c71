// The fastest node that a test can have: it answers every JSON-RPC call over HTTP with the same result, on one thread. It
// shows how much of a call's time is the gateway's. For ./dev bench --forward.
//
//   forward_node        prints "listening PORT"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::size_t kReadBytes = std::size_t{64} << 10;

// The size of the first whole request; 0: it is not whole yet.
std::size_t request_size(std::string_view bytes, std::size_t& head) {
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  head = end + 4;
  for (std::size_t at = 0; at < end; at = bytes.find("\r\n", at) + 2) {
    constexpr std::string_view kName = "content-length:";
    if (bytes.size() - at < kName.size() || ::strncasecmp(&bytes[at], kName.data(), kName.size()) != 0)
      continue;
    const std::size_t whole = head + std::strtoul(&bytes[at + kName.size()], nullptr, 10);
    return bytes.size() < whole ? 0 : whole;
  }
  return head;
}

// The gateway's requests have whole numbers as ids, and begin with them.
std::string_view id_of(std::string_view body) {
  const std::size_t at = body.find("\"id\":");
  if (at == std::string_view::npos) return "null";
  const std::size_t from = at + 5;
  return body.substr(from, body.find_first_of(",}", from) - from);
}

std::string answer_to(std::string_view body) {
  std::string text = R"({"jsonrpc":"2.0","id":)" + std::string(id_of(body)) + R"(,"result":"0x7a69"})";
  return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\n\r\n" + text;
}

bool serve(int fd, std::string& received) {
  std::array<char, kReadBytes> bytes;
  const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
  if (got <= 0) return false;
  received.append(bytes.data(), static_cast<std::size_t>(got));
  std::string answers;
  std::size_t head = 0;
  while (const std::size_t size = request_size(received, head)) {
    answers += answer_to(std::string_view(received).substr(head, size - head));
    received.erase(0, size);
  }
  return answers.empty() ||
         ::send(fd, answers.data(), answers.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answers.size());
}

}  // namespace

int main() {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener, 1024) != 0 ||
      ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    std::perror("listen");
    return 1;
  }
  std::printf("listening %d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  const int epoll = ::epoll_create1(0);
  epoll_event event{.events = EPOLLIN, .data = {.fd = listener}};
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::unordered_map<int, std::string> connections;
  std::array<epoll_event, 256> events;
  while (true) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd != listener) {
        if (serve(fd, connections[fd])) continue;
        connections.erase(fd);
        ::close(fd);
        continue;
      }
      const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) continue;
      const int on = 1;
      ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      epoll_event of_it{.events = EPOLLIN, .data = {.fd = accepted}};
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &of_it);
    }
  }
}
