#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstddef>
#include <cstring>

#include "base/text.h"

namespace fanfare::net {
namespace {

// Every HTTP request needs the text of its peer's address, and inet_ntop() is slow: it uses sprintf().
std::string text_of(const in_addr& v4) {
  std::array<char, INET_ADDRSTRLEN> text;
  char* end = text.data();
  for (const unsigned byte : std::bit_cast<std::array<std::uint8_t, 4>>(v4.s_addr)) {
    if (end != text.data()) *end++ = '.';
    end = std::to_chars(end, text.data() + text.size(), byte).ptr;
  }
  return {text.data(), end};
}

}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Address::Address(const sockaddr* address, socklen_t size) : size_(size) {
  std::memcpy(&storage_, address, std::min<std::size_t>(size, sizeof(storage_)));
}

std::expected<Address, std::string> Address::parse(std::string_view host, std::uint16_t port) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const std::string text(host == "localhost" ? "127.0.0.1" : host);
  // The system's functions would read up to the NUL and use only the text before it.
  if (text.find('\0') != std::string::npos) return std::unexpected("an address has no NUL in it");
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(port);
  if (::inet_pton(AF_INET, text.c_str(), &v4.sin_addr) == 1) {
    return Address(reinterpret_cast<const sockaddr*>(&v4), sizeof(v4));
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  if (::inet_pton(AF_INET6, text.c_str(), &v6.sin6_addr) == 1) {
    return Address(reinterpret_cast<const sockaddr*>(&v6), sizeof(v6));
  }
  return std::unexpected("\"" + text + "\" is not an IPv4 or IPv6 address");
}

std::expected<Address, std::string> Address::unix_path(std::string_view path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return std::unexpected("a Unix socket path has 1 to " + std::to_string(sizeof(address.sun_path) - 1) +
                           " bytes: \"" + std::string(path) + "\"");
  }
  if (path.find('\0') != std::string_view::npos) {
    return std::unexpected("a Unix socket path has no NUL in it");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return Address(reinterpret_cast<const sockaddr*>(&address),
                 static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1));
}

std::uint16_t Address::port() const {
  if (family() == AF_INET) return ntohs(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_port);
  if (family() == AF_INET6) return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_port);
  return 0;
}

std::string Address::host() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family() == AF_INET) return text_of(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr);
  if (family() == AF_INET6) {
    ::inet_ntop(AF_INET6, &reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr, text.data(),
                text.size());
    return text.data();
  }
  if (family() == AF_UNIX && size_ > offsetof(sockaddr_un, sun_path)) {
    return reinterpret_cast<const sockaddr_un*>(&storage_)->sun_path;
  }
  return "";
}

std::string Address::text() const {
  if (family() == AF_INET) return host() + ":" + std::to_string(port());
  if (family() == AF_INET6) return joined({"[", host(), "]:", std::to_string(port())});
  return joined({"unix:", host()});
}

bool Address::is_loopback() const {
  if (family() == AF_INET) {
    return (ntohl(reinterpret_cast<const sockaddr_in*>(&storage_)->sin_addr.s_addr) >> 24) == 127;
  }
  if (family() == AF_INET6) {
    return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6*>(&storage_)->sin6_addr);
  }
  return family() == AF_UNIX;
}

namespace {

std::expected<Descriptor, OsError> make_socket(const Address& address) {
  Descriptor socket(::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return std::unexpected(last_error("socket", address.text()));
  return socket;
}

bool set_flag(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof(on)) == 0;
}

// Removes a path left by a dead process: a socket on which nothing listens. Any other file belongs to
// somebody and is kept. The type is checked first, because connect() is refused by such files as well.
void remove_stale_path(const Address& address) {
  struct stat there{};
  if (::lstat(address.host().c_str(), &there) != 0 || !S_ISSOCK(there.st_mode)) return;
  const auto probe = make_socket(address);
  if (probe && ::connect(probe->get(), address.data(), address.size()) != 0 && errno == ECONNREFUSED) {
    ::unlink(address.host().c_str());
  }
}

std::expected<void, OsError> bind_to(int fd, const Address& address) {
  if (address.family() != AF_UNIX && !set_flag(fd, SOL_SOCKET, SO_REUSEADDR)) {
    return std::unexpected(last_error("setsockopt SO_REUSEADDR"));
  }
  // "::" means IPv6 only; to listen on both, add "0.0.0.0".
  if (address.family() == AF_INET6) set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY);
  if (::bind(fd, address.data(), address.size()) != 0) {
    return std::unexpected(last_error("bind", address.text()));
  }
  return {};
}

}  // namespace

std::expected<Descriptor, OsError> listen_on(const Address& address, ListenOptions options) {
  auto socket = make_socket(address);
  if (!socket) return socket;
  const int fd = socket->get();
  if (address.family() == AF_UNIX) {
    remove_stale_path(address);
  } else if (options.reuse_port && !set_flag(fd, SOL_SOCKET, SO_REUSEPORT)) {
    return std::unexpected(last_error("setsockopt SO_REUSEPORT"));
  }
  const bool has_mode = address.family() == AF_UNIX && options.unix_mode;
  // The path inherits the socket's mode, less the umask, so it is never too open between bind and chmod.
  if (has_mode && ::fchmod(fd, *options.unix_mode) != 0) return std::unexpected(last_error("fchmod"));
  if (const auto bound = bind_to(fd, address); !bound) return std::unexpected(bound.error());
  // Whoever may write in the directory could have put a symbolic link there since.
  if (has_mode &&
      ::fchmodat(AT_FDCWD, address.host().c_str(), *options.unix_mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return std::unexpected(last_error("chmod", address.text()));
  }
  if (address.family() != AF_UNIX) set_no_delay(fd);  // what it accepts inherits it
  if (::listen(fd, options.backlog) != 0) return std::unexpected(last_error("listen", address.text()));
  return socket;
}

std::expected<void, OsError> check_free(const Address& address) {
  if (address.family() == AF_UNIX || address.port() == 0) return {};
  const auto probe = make_socket(address);
  if (!probe) return std::unexpected(probe.error());
  // Bound without SO_REUSEPORT, it fails if another socket listens; it never listens itself.
  return bind_to(probe->get(), address);
}

std::expected<Address, OsError> local_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return std::unexpected(last_error("getsockname"));
  }
  return Address(reinterpret_cast<const sockaddr*>(&storage), size);
}

std::expected<Address, OsError> peer_address(int fd) {
  sockaddr_storage storage{};
  socklen_t size = sizeof(storage);
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return std::unexpected(last_error("getpeername"));
  }
  return Address(reinterpret_cast<const sockaddr*>(&storage), size);
}

std::expected<Descriptor, OsError> start_connect(const Address& address) {
  auto socket = make_socket(address);
  if (!socket) return socket;
  set_no_delay(socket->get());
  if (::connect(socket->get(), address.data(), address.size()) != 0 && errno != EINPROGRESS) {
    return std::unexpected(last_error("connect", address.text()));
  }
  return socket;
}

void set_no_delay(int fd) {
  set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
}

bool is_no_delay(int fd) {
  int is_on = 0;
  socklen_t size = sizeof(is_on);
  return ::getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &is_on, &size) == 0 && is_on != 0;
}

}  // namespace fanfare::net
