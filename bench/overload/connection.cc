#include "connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace overload {
namespace {

constexpr char kPing = '\x89', kPong = '\x8a', kText = '\x81';
constexpr std::size_t kShortMax = 125, kMiddleMax = 0xFFFF;
constexpr int kUpgradePatienceS = 10;

std::string frame(char opcode, std::string_view payload) {
  std::string bytes(1, opcode);
  if (payload.size() <= kShortMax) {
    bytes += static_cast<char>(0x80U | payload.size());
  } else if (payload.size() <= kMiddleMax) {
    bytes += '\xfe';
    bytes += static_cast<char>(payload.size() >> 8U);
    bytes += static_cast<char>(payload.size() & 0xFFU);
  } else {
    give_up("a frame of more than 64 KiB");
  }
  return bytes.append(4, '\0').append(payload);
}

// Empty: it has no such header. The name is in lower case, with its colon.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at)) {
    at += 2;
    if (head.size() - at < name.size() || ::strncasecmp(&head[at], name.data(), name.size()) != 0) continue;
    return head.substr(at + name.size(), head.find("\r\n", at) - at - name.size());
  }
  return std::nullopt;
}

}  // namespace

void give_up(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

std::string text_frame(std::string_view payload) {
  return frame(kText, payload);
}

std::string post_of(const Target& target, std::string_view body) {
  return "POST " + target.path +
         " HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

std::unique_ptr<Connection> Connection::open(const Target& target, bool is_websocket) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return nullptr;
  std::unique_ptr<Connection> made(new Connection(fd, is_websocket));
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(target.port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0) return nullptr;
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  if (is_websocket && !made->upgrade(target)) return nullptr;
  return made;
}

Connection::~Connection() {
  ::close(fd_);
}

bool Connection::upgrade(const Target& target) {
  const timeval patience{.tv_sec = kUpgradePatienceS, .tv_usec = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  const std::string hello =
      "GET " + target.path +
      " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  if (::send(fd_, hello.data(), hello.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(hello.size()))
    return false;
  while (!received_.contains("\r\n\r\n")) {
    char byte = 0;
    if (::recv(fd_, &byte, 1, 0) != 1) return false;
    received_ += byte;
  }
  const bool is_upgraded = received_.starts_with("HTTP/1.1 101");
  received_.clear();
  return is_upgraded;
}

void Connection::send(std::string_view request) {
  is_waiting_ = true;
  rest_ = request;
  send_rest();
}

void Connection::send_rest() {
  const ssize_t sent = ::send(fd_, rest_.data(), rest_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent >= 0) rest_.remove_prefix(static_cast<std::size_t>(sent));
  // After another error than a full socket, reading shows the end of the connection.
  if (sent < 0 && errno != EAGAIN) rest_ = {};
}

std::optional<Answer> Connection::read() {
  std::array<char, 64 * 1024> buffer;  // NOLINT(*-member-init): recv() fills it
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  if (got <= 0) return Answer::lost;
  received_.append(buffer.data(), static_cast<std::size_t>(got));
  const auto answer = is_websocket_ ? take_frames() : take_response();
  if (answer) is_waiting_ = false;
  return answer;
}

std::optional<Answer> Connection::take_response() {
  const std::size_t end = received_.find("\r\n\r\n");
  if (end == std::string::npos) return std::nullopt;
  const std::string_view head = std::string_view(received_).substr(0, end);
  const auto length = header(head, "content-length:");
  if (!is_waiting_ || !length) return Answer::lost;
  if (received_.size() < end + 4 + std::strtoul(length->data(), nullptr, 10)) return std::nullopt;
  const bool is_served = head.starts_with("HTTP/1.1 200");
  const bool is_refused = head.starts_with("HTTP/1.1 503");
  const bool has_hint = header(head, "retry-after:").has_value();
  received_.clear();
  if (is_served) return Answer::served;
  if (!is_refused) return Answer::lost;
  return has_hint ? Answer::refused : Answer::bare;
}

// Calls are refused one by one there: a batch of which any was served counts as served.
std::optional<Answer> Connection::take_frames() {
  std::optional<Answer> answer;
  while (received_.size() >= 4) {
    const auto byte = [&](std::size_t at) {
      return static_cast<std::size_t>(static_cast<unsigned char>(received_[at]));
    };
    const bool is_middle = byte(1) == kShortMax + 1;
    const std::size_t begin = is_middle ? 4 : 2;
    const std::size_t size = is_middle ? (byte(2) << 8U) | byte(3) : byte(1);
    if (byte(1) > kShortMax + 1) return Answer::lost;
    if (received_.size() < begin + size) break;
    const std::string_view payload = std::string_view(received_).substr(begin, size);
    if (received_[0] == kPing) {
      const std::string pong = frame(kPong, payload);
      // Behind the rest of a request there is no room for it; the next ping gets its answer.
      if (rest_.empty()) ::send(fd_, pong.data(), pong.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    } else if (received_[0] == kText && is_waiting_) {
      if (payload.contains("\"result\"")) {
        answer = Answer::served;
      } else {
        answer = payload.contains("\"retry_after_ms\"") ? Answer::refused : Answer::bare;
      }
    } else if (received_[0] != kPong) {
      return Answer::lost;
    }
    received_.erase(0, begin + size);
  }
  return answer;
}

}  // namespace overload
