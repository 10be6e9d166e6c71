// Calls to a JSON-RPC server, as many at once as there are connections, each with one call in flight: the load of
// ./dev bench --forward. One thread. It shares no code with the server.
//
//   forward_load HOST:PORT PATH http|ws CONNECTIONS equal|different SECONDS
//
// Prints one line of JSON: calls, seconds, and the median and the 99th percentile of their times in microseconds.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kReadBytes = std::size_t{64} << 10;
constexpr std::size_t kTimesMax = 4'000'000;

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Load {
  std::string host;
  std::uint16_t port = 0;
  std::string path;
  bool websocket = false;
  bool different = false;
  std::uint64_t calls = 0;
  std::vector<std::uint32_t> times_ns;
};

struct Connection {
  int fd = -1;
  std::string received;
  SteadyClock::time_point sent_at;
};

std::string next_call(Load& load) {
  // An address of its own for each call, or one for all.
  std::array<char, 64> address{};
  std::snprintf(address.data(), address.size(), "0x%040llx",
                static_cast<unsigned long long>(load.different ? 0x1000 + load.calls : 0x1000));
  ++load.calls;
  return R"({"jsonrpc":"2.0","id":)" + std::to_string(load.calls) +
         R"(,"method":"eth_getBalance","params":[")" + address.data() + R"(","latest"]})";
}

// RFC6455§5.2: a text frame with the mask 0, which leaves the payload as it is.
std::string frame(const std::string& text) {
  std::string head = "\x81";
  if (text.size() < 126) {
    head += static_cast<char>(0x80 | text.size());
  } else {
    head += static_cast<char>(0xfe);
    head += static_cast<char>(text.size() >> 8U);
    head += static_cast<char>(text.size() & 0xffU);
  }
  return head + std::string(4, '\0') + text;
}

std::string request(Load& load) {
  const std::string text = next_call(load);
  if (load.websocket) return frame(text);
  return "POST " + load.path + " HTTP/1.1\r\nHost: " + load.host +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" +
         text;
}

// The size of the first whole answer; 0: it is not whole yet.
std::size_t answer_size(const Load& load, std::string_view bytes) {
  if (load.websocket) {
    if (bytes.size() < 2) return 0;
    const auto byte = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(bytes[at]));
    };
    std::size_t head = 2;
    std::size_t size = byte(1);
    if (size == 126) {
      if (bytes.size() < 4) return 0;
      head = 4;
      size = (byte(2) << 8U) | byte(3);
    }
    return bytes.size() < head + size ? 0 : head + size;
  }
  const std::size_t end = bytes.find("\r\n\r\n");
  if (end == std::string_view::npos) return 0;
  for (std::size_t at = 0; at < end; at = bytes.find("\r\n", at) + 2) {
    constexpr std::string_view kName = "content-length:";
    if (bytes.size() - at < kName.size() || ::strncasecmp(&bytes[at], kName.data(), kName.size()) != 0)
      continue;
    const std::size_t whole = end + 4 + std::strtoul(&bytes[at + kName.size()], nullptr, 10);
    return bytes.size() < whole ? 0 : whole;
  }
  std::fprintf(stderr, "an answer without a length: %.*s\n", static_cast<int>(end), bytes.data());
  std::exit(1);
}

void check_answer(std::string_view answer) {
  if (answer.contains("\"result\"")) return;
  std::fprintf(stderr, "no result: %.*s\n", static_cast<int>(answer.size()), answer.data());
  std::exit(1);
}

int dial(const Load& load) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(load.port);
  ::inet_pton(AF_INET, load.host.c_str(), &address.sin_addr);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) give_up("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (!load.websocket) return fd;
  const std::string hello = "GET " + load.path + " HTTP/1.1\r\nHost: " + load.host +
                            "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  if (::send(fd, hello.data(), hello.size(), 0) < 0) give_up("send");
  std::string answer;
  while (!answer.contains("\r\n\r\n")) {
    char byte = 0;
    if (::recv(fd, &byte, 1, 0) != 1) give_up("the upgrade");
    answer += byte;
  }
  if (!answer.contains(" 101 ")) give_up("not upgraded");
  return fd;
}

void send_next(Load& load, Connection& connection) {
  const std::string bytes = request(load);
  connection.sent_at = SteadyClock::now();
  if (::send(connection.fd, bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    give_up("send");
}

void receive(Load& load, Connection& connection, bool goes_on) {
  std::array<char, kReadBytes> bytes;
  const ssize_t got = ::recv(connection.fd, bytes.data(), bytes.size(), 0);
  if (got <= 0) give_up("recv");
  connection.received.append(bytes.data(), static_cast<std::size_t>(got));
  const std::size_t size = answer_size(load, connection.received);
  if (size == 0) return;
  check_answer(std::string_view(connection.received).substr(0, size));
  connection.received.erase(0, size);
  if (load.times_ns.size() < kTimesMax) {
    const auto time = SteadyClock::now() - connection.sent_at;
    load.times_ns.push_back(static_cast<std::uint32_t>(std::chrono::nanoseconds(time).count()));
  }
  if (goes_on) send_next(load, connection);
}

double percentile_us(std::vector<std::uint32_t>& times, double share) {
  if (times.empty()) return 0;
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(share * static_cast<double>(times.size() - 1));
  std::ranges::nth_element(times, at);
  return *at / 1000.0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc != 7) {
    std::fprintf(stderr, "usage: forward_load HOST:PORT PATH http|ws CONNECTIONS equal|different SECONDS\n");
    return 2;
  }
  Load load;
  const std::string where = arguments[1];
  load.host = where.substr(0, where.find(':'));
  load.port = static_cast<std::uint16_t>(std::strtoul(where.c_str() + load.host.size() + 1, nullptr, 10));
  load.path = arguments[2];
  load.websocket = std::string_view(arguments[3]) == "ws";
  load.different = std::string_view(arguments[5]) == "different";
  std::vector<Connection> connections(std::strtoul(arguments[4], nullptr, 10));
  const std::chrono::duration<double> duration(std::strtod(arguments[6], nullptr));

  const int epoll = ::epoll_create1(0);
  for (Connection& connection : connections) {
    connection.fd = dial(load);
    epoll_event event{.events = EPOLLIN, .data = {.ptr = &connection}};
    if (::epoll_ctl(epoll, EPOLL_CTL_ADD, connection.fd, &event) != 0) give_up("epoll_ctl");
  }
  const auto begun = SteadyClock::now();
  for (Connection& connection : connections) send_next(load, connection);
  std::array<epoll_event, 256> events;
  while (SteadyClock::now() - begun < duration) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 1000);
    for (int i = 0; i < count; ++i) {
      receive(load, *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr), true);
    }
  }
  const std::chrono::duration<double> took = SteadyClock::now() - begun;
  std::printf(R"({"calls":%zu,"seconds":%.4f,"median_us":%.1f,"p99_us":%.1f})"
              "\n",
              load.times_ns.size(), took.count(), percentile_us(load.times_ns, 0.5),
              percentile_us(load.times_ns, 0.99));
  return 0;
}
