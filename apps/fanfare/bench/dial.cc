#include "bench/dial.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/random.h"
#include "bench/bytebox.h"
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

// The kernel may still be destroying an earlier ring of this thread, which can interrupt system calls.
template <typename Call>
auto uninterrupted(Call&& call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

// Binds to 127.0.0.1, 127.0.0.2, ...; connect() chooses the port.
bool bind_loopback(int fd, std::size_t nth) {
  sockaddr_in from{};
  from.sin_family = AF_INET;
  from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + static_cast<std::uint32_t>(nth));
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(yes));
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof(from)) == 0;
}

// Sends all bytes and receives some, through TLS if it is used.
class Channel {
 public:
  Channel(int fd, net::TlsSession* tls) : fd_(fd), tls_(tls) {}

  std::expected<void, std::string> secure() {
    tls_->begin(outgoing_);
    while (!tls_->is_secured()) {
      if (auto sent = flush(); !sent) return sent;
      if (auto got = receive(); !got) return std::unexpected(got.error());
    }
    return flush();
  }

  std::expected<void, std::string> send(std::string_view text) {
    if (tls_ == nullptr) {
      outgoing_.append(as_bytes(text));
    } else if (!tls_->encrypt(as_bytes(text), outgoing_)) {
      return std::unexpected("TLS: " + tls_->error());
    }
    return flush();
  }

  // The next received bytes; may be empty after internal TLS records. Valid until the next call.
  std::expected<Bytes, std::string> receive() {
    const ssize_t got = uninterrupted([&] { return ::recv(fd_, raw_.data(), raw_.size(), 0); });
    if (got < 0) return std::unexpected(net::last_error("recv", "the handshake").message());
    if (got == 0) return std::unexpected("the server closed during the handshake");
    const Bytes input(raw_.data(), static_cast<std::size_t>(got));
    if (tls_ == nullptr) return input;
    return decrypt(input);
  }

 private:
  std::expected<Bytes, std::string> decrypt(Bytes input) {
    plain_.clear();
    while (true) {
      std::size_t size = 0;
      switch (tls_->decrypt(input, room_, size, outgoing_)) {
        case net::TlsSession::Step::wants_input:
          return plain_;
        case net::TlsSession::Step::secured:
          break;
        case net::TlsSession::Step::plain:
          plain_.insert(plain_.end(), room_.begin(), room_.begin() + static_cast<std::ptrdiff_t>(size));
          break;
        case net::TlsSession::Step::ended:
          return std::unexpected("the server closed during the handshake");
        case net::TlsSession::Step::failed:
          return std::unexpected("TLS: " + tls_->error());
      }
    }
  }
  std::expected<void, std::string> flush() {
    Bytes left = outgoing_.bytes;
    while (!left.empty()) {
      const ssize_t sent = uninterrupted([&] { return ::send(fd_, left.data(), left.size(), MSG_NOSIGNAL); });
      if (sent < 0) return std::unexpected(net::last_error("send", "the handshake").message());
      left = left.subspan(static_cast<std::size_t>(sent));
    }
    outgoing_.bytes.clear();
    return {};
  }

  int fd_;
  net::TlsSession* tls_;
  Bytebox outgoing_;
  std::vector<std::uint8_t> plain_;
  std::array<std::uint8_t, 4096> raw_;
  std::array<std::uint8_t, 16 * 1024> room_;
};

std::expected<void, std::string> take_answer(Dialed& dialed, const ws::ClientHandshake& handshake,
                                             const http::Response& response) {
  const auto agreed = handshake.check({.version_major = 1,
                                       .version_minor = response.version_minor,
                                       .status = response.status,
                                       .headers = response.headers});
  if (!agreed) return std::unexpected("the upgrade was refused: status " + std::to_string(response.status));
  dialed.deflate = agreed->deflate;
  return {};
}

std::expected<void, std::string> upgrade(Dialed& dialed, Channel& channel, const http::Url& url,
                                         const ws::DeflateOptions& deflate) {
  SystemRandom random;
  const auto handshake =
      ws::ClientHandshake::make({.host = url.authority(), .target = url.target, .deflate = deflate}, random);
  if (!handshake) return std::unexpected(std::string(ws::to_text(handshake.error())));
  if (auto sent = channel.send(handshake->request()); !sent) return sent;
  http::ResponseParser parser;
  while (true) {
    auto input = channel.receive();
    if (!input) return std::unexpected(input.error());
    const auto response = parser.next(*input);
    if (!response) {
      return std::unexpected("the server's answer is no HTTP: " + std::string(response.error().reason));
    }
    if (!*response) continue;
    dialed.read_ahead.assign(input->begin(), input->end());
    if (auto taken = take_answer(dialed, *handshake, **response); !taken) return taken;
    if (deflate.enabled && !dialed.deflate) return std::unexpected("the server does not compress");
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

bool prepare_loopback(int fd, const net::Address& address, std::size_t nth) {
  if (!address.is_loopback()) return true;
  // Loopback loses nothing, so avoid the pacing of other congestion controls that may be the system's
  // default.
  ::setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
  return address.family() != AF_INET || bind_loopback(fd, nth);
}

std::expected<Dialed, std::string> dial(const http::Url& url, const net::Address& address, std::size_t index,
                                        const DialOptions& options) {
  Dialed dialed{.socket = net::Descriptor(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)),
                .read_ahead = {},
                .tls = nullptr,
                .deflate = {}};
  const int fd = dialed.socket.get();
  if (fd < 0) return refused("socket", address);
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  if (!prepare_loopback(fd, address, index / kConnectionsPerAddress)) {
    return refused("bind", address);
  }
  if (uninterrupted([&] { return ::connect(fd, address.data(), address.size()); }) != 0 && errno != EISCONN) {
    return refused("connect", address);
  }
  net::set_no_delay(fd);
  if (url.is_tls()) {
    dialed.tls = std::make_unique<net::TlsSession>(options.tls, net::TlsRole::client, url.host);
  }
  Channel channel(fd, dialed.tls.get());
  if (url.is_tls()) {
    if (auto done = channel.secure(); !done) return std::unexpected(done.error());
  }
  if (!options.raw) {
    if (auto done = upgrade(dialed, channel, url, options.deflate); !done) {
      return std::unexpected(done.error());
    }
  }
  constexpr timeval kForever{};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &kForever, sizeof(kForever));
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &kForever, sizeof(kForever));
  return dialed;
}

}  // namespace fanfare::app
