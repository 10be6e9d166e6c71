#include "bench_dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <string>

#include "base/random.h"
#include "http/response_parser.h"
#include "net/os_error.h"
#include "ws/handshake_client.h"

namespace fanfare::app {
namespace {

constexpr std::size_t kConnectionsPerAddress = 20'000;
constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};

std::unexpected<std::string> refused(const char* call, const net::Address& address) {
  return std::unexpected(net::last_error(call, address.text()).message());
}

// Binds to 127.0.0.1, 127.0.0.2, ... in turn; the port is chosen when the connection is made.
bool bind_loopback(int fd, std::size_t index) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(index / kConnectionsPerAddress));
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) == 0;
}

std::expected<void, std::string> upgrade(Dialed& dialed, const http::Url& url) {
  SystemRandom random;
  const auto handshake = ws::ClientHandshake::make(
      {.host = url.authority(), .target = url.target, .deflate = {.enabled = false}}, random);
  if (!handshake) return std::unexpected(std::string(ws::to_text(handshake.error())));
  const std::string& request = handshake->request();
  if (::send(dialed.socket.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    return std::unexpected(net::last_error("send", "the handshake").message());
  }
  http::ResponseParser parser;
  std::array<std::uint8_t, 4096> buffer;
  while (true) {
    const ssize_t got = ::recv(dialed.socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0) return std::unexpected(net::last_error("recv", "the handshake").message());
    if (got == 0) return std::unexpected("the server closed during the handshake");
    Bytes input(buffer.data(), static_cast<std::size_t>(got));
    const auto response = parser.next(input);
    if (!response)
      return std::unexpected("the server's answer is no HTTP: " + std::string(response.error().reason));
    if (!*response) continue;
    const auto agreed = handshake->check({.version_major = 1,
                                          .version_minor = (*response)->version_minor,
                                          .status = (*response)->status,
                                          .headers = (*response)->headers});
    if (!agreed) {
      return std::unexpected("the upgrade was refused: status " + std::to_string((*response)->status));
    }
    dialed.read_ahead.assign(input.begin(), input.end());
    return {};
  }
}

}  // namespace

std::expected<net::Address, std::string> resolve_bench_url(const http::Url& url) {
  if (auto numeric = net::Address::parse(url.host, url.port)) return *numeric;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(url.port);
  if (const int failed = ::getaddrinfo(url.host.c_str(), port.c_str(), &hints, &found); failed != 0) {
    return std::unexpected(url.host + ": " + ::gai_strerror(failed));
  }
  net::Address address(found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return address;
}

std::expected<Dialed, std::string> dial(const http::Url& url, const net::Address& address, std::size_t index,
                                        bool raw) {
  Dialed dialed{.socket = net::Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)),
                .read_ahead = {}};
  const int fd = dialed.socket.get();
  if (fd < 0) return refused("socket", address);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (address.family() == AF_INET && address.is_loopback() && !bind_loopback(fd, index)) {
    return refused("bind", address);
  }
  if (::connect(fd, address.data(), address.size()) != 0) return refused("connect", address);
  net::set_no_delay(fd);
  if (!raw) {
    if (auto done = upgrade(dialed, url); !done) return std::unexpected(done.error());
  }
  constexpr timeval kForever{};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kForever, sizeof(kForever));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kForever, sizeof(kForever));
  return dialed;
}

}  // namespace fanfare::app
