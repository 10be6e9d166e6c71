#include "connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace peers {
namespace {

constexpr char kText = '\x81', kBinary = '\x82', kClose = '\x88', kPing = '\x89', kPong = '\x8a';
constexpr std::size_t kShortMax = 125;

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd < 0 || ::connect(fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0)
    give_up(std::string("cannot connect: ") + std::strerror(errno));
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  return fd;
}

}  // namespace

void give_up(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

Connection::Connection(Protocol protocol, std::uint16_t port, bool publishes, Place& place)
    : protocol_(protocol), publishes_(publishes), place_(place), fd_(connect_to(port)) {
  send_bytes(upgrade_request(protocol, publishes, place));
}

Connection::~Connection() {
  ::close(fd_);
}

void Connection::send_bytes(std::string_view bytes) {
  // What is in flight is bounded, and fits into the socket.
  if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT) !=
      static_cast<ssize_t>(bytes.size()))
    give_up(std::string("cannot send: ") + std::strerror(errno));
}

// The mask is zero, which changes nothing (RFC6455§5.3 asks for a random one to protect proxies, and there is none).
std::string Connection::frame(std::string_view text, char opcode) {
  std::string bytes(1, opcode);
  if (text.size() <= kShortMax) {
    bytes += static_cast<char>(0x80U | text.size());
  } else {
    bytes += '\xfe';
    bytes += static_cast<char>(text.size() >> 8U);
    bytes += static_cast<char>(text.size() & 0xFFU);
  }
  bytes.append(4, '\0');
  return bytes += text;
}

void Connection::send_text(std::string_view text) {
  send_bytes(frame(text, kText));
}

void Connection::read(const std::function<void(std::string_view payload)>& on_event) {
  std::array<char, 64 * 1024> buffer;  // NOLINT(*-member-init): recv() fills it
  const ssize_t got = ::recv(fd_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN) return;
  if (got <= 0) give_up("the server has ended a connection");
  waiting_.append(buffer.data(), static_cast<std::size_t>(got));
  if (!is_upgraded_ && !finish_upgrade()) return;
  std::size_t at = 0;
  while (const std::size_t taken = read_frame(std::string_view(waiting_).substr(at), on_event)) at += taken;
  // Only now, because a copy for each event would be most of this program's work.
  if (!position_.empty()) place_.position = position_;
  position_ = {};
  waiting_.erase(0, at);
}

bool Connection::finish_upgrade() {
  const std::size_t end = waiting_.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  if (!waiting_.starts_with("HTTP/1.1 101"))
    give_up("no upgrade: " + waiting_.substr(0, waiting_.find('\r')));
  waiting_.erase(0, end + 4);
  is_upgraded_ = true;
  is_open_ = is_open_after_upgrade(protocol_);
  return true;
}

std::size_t Connection::read_frame(std::string_view bytes,
                                   const std::function<void(std::string_view payload)>& on_event) {
  if (bytes.size() < 2) return 0;
  std::size_t begin = 2;
  std::size_t size = static_cast<unsigned char>(bytes[1]);
  if (size > kShortMax) {
    if (size != kShortMax + 1) give_up("a frame is too long");
    if (bytes.size() < 4) return 0;
    size = (std::size_t{static_cast<unsigned char>(bytes[2])} << 8U) | static_cast<unsigned char>(bytes[3]);
    begin = 4;
  }
  if (bytes.size() < begin + size) return 0;
  const std::string_view payload = bytes.substr(begin, size);
  if (bytes[0] == kPing) {
    send_bytes(frame(payload, kPong));
  } else if (bytes[0] == kClose) {
    give_up("the server closes a connection");
  } else if (bytes[0] == kText || bytes[0] == kBinary) {
    read_text(payload, on_event);
  } else if (bytes[0] != kPong) {
    give_up("a frame in pieces, or compressed");
  }
  return begin + size;
}

void Connection::read_text(std::string_view text,
                           const std::function<void(std::string_view payload)>& on_event) {
  const Meaning meaning = read_message(protocol_, text, place_);
  if (!meaning.answer.empty()) send_text(meaning.answer);
  is_open_ = is_open_ || meaning.opens;
  if (!meaning.event || publishes_) return;
  if (!meaning.event->position.empty()) position_ = meaning.event->position;
  on_event(meaning.event->payload);
}

}  // namespace peers
