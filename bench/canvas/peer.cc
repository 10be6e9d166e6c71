#include "canvas/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace fanfare::bench::canvas {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr int kReceiveBufferBytes = 64 << 10;  // small: ten thousand of them

}  // namespace

Dialer::Dialer(std::uint16_t port, std::string path)
    : port_(port), path_(std::move(path)), epoll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(kReadBytes, '\0') {
  if (epoll_ < 0) give_up("epoll_create1");
}

bool Dialer::dial(Peer& peer) {
  peer.fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (peer.fd < 0) return false;
  const int on = 1;
  ::setsockopt(peer.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  ::setsockopt(peer.fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof(kReceiveBufferBytes));
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(port_);
  server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(peer.fd, reinterpret_cast<const sockaddr*>(&server), sizeof(server)) != 0 &&
      errno != EINPROGRESS) {
    ::close(peer.fd);
    peer.fd = -1;
    return false;
  }
  peer.in.clear();
  peer.out.clear();
  peer.stage = Stage::dialling;
  peer.wants_write = true;
  epoll_event event{.events = EPOLLIN | EPOLLOUT, .data = {.u64 = peer.number}};
  if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, peer.fd, &event) != 0) give_up("epoll_ctl");
  return true;
}

void Dialer::hang_up(Peer& peer) {
  if (peer.fd >= 0) ::close(peer.fd);
  peer.fd = -1;
  peer.stage = Stage::away;
  peer.in = {};
  peer.out = {};
}

void Dialer::ask_upgrade(Peer& peer) {
  peer.stage = Stage::upgrading;
  send(peer, "GET " + path_ +
                 " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                 "Sec-WebSocket-Protocol: fanfare.canvas.v1\r\n\r\n");
}

bool Dialer::take_upgrade(Peer& peer) const {
  const std::size_t end = peer.in.find("\r\n\r\n");
  if (end == std::string::npos) return false;
  const std::string head = peer.in.substr(0, end);
  if (!head.starts_with("HTTP/1.1 101") || head.find("fanfare.canvas.v1") == std::string::npos)
    give_up("no upgrade: " + head.substr(0, 300));
  peer.in.erase(0, end + 4);
  peer.stage = Stage::greeting;
  return true;
}

void Dialer::send(Peer& peer, std::string_view frame) {
  if (peer.fd < 0) return;
  peer.out.append(frame);
  if (!peer.wants_write || peer.stage == Stage::upgrading) flush(peer);
}

void Dialer::flush(Peer& peer) {
  while (!peer.out.empty()) {
    const ssize_t sent = ::send(peer.fd, peer.out.data(), peer.out.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EAGAIN) return arm(peer, true);
      peer.out.clear();  // the end of the connection is read
      break;
    }
    peer.out.erase(0, static_cast<std::size_t>(sent));
  }
  arm(peer, false);
}

void Dialer::arm(Peer& peer, bool wants_write) {
  if (peer.wants_write == wants_write) return;
  peer.wants_write = wants_write;
  epoll_event event{.events = wants_write ? EPOLLIN | EPOLLOUT : EPOLLIN, .data = {.u64 = peer.number}};
  ::epoll_ctl(epoll_, EPOLL_CTL_MOD, peer.fd, &event);
}

bool Dialer::receive(Peer& peer) {
  const ssize_t got = ::recv(peer.fd, buffer_.data(), buffer_.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) return false;
  if (got > 0) {
    peer.bytes += static_cast<std::uint64_t>(got);
    peer.in.append(buffer_.data(), static_cast<std::size_t>(got));
  }
  return true;
}

}  // namespace fanfare::bench::canvas
