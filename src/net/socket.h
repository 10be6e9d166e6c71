#pragma once
// Addresses and sockets: operations before the loop takes a descriptor over.

#include <sys/socket.h>

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "net/os_error.h"

namespace fanfare::net {

// Owns a file descriptor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  // The caller owns the descriptor from here on.
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// A socket address: IPv4, IPv6 or a Unix path.
class Address {
 public:
  Address() = default;
  Address(const sockaddr* address, socklen_t size);

  // Parses a numeric host ("127.0.0.1", "::1", "[::1]", "0.0.0.0", "localhost" for 127.0.0.1) and a port,
  // without name lookup. Error: the host is not a numeric address.
  static std::expected<Address, std::string> parse(std::string_view host, std::uint16_t port);
  static std::expected<Address, std::string> unix_path(std::string_view path);

  int family() const { return storage_.ss_family; }
  std::uint16_t port() const;  // 0 for a Unix path
  // Without the port: "127.0.0.1", "::1", "/run/fanfare.sock".
  std::string host() const;
  // "127.0.0.1:8546", "[::1]:8546", "unix:/run/fanfare.sock".
  std::string text() const;
  bool is_loopback() const;

  const sockaddr* data() const { return reinterpret_cast<const sockaddr*>(&storage_); }
  socklen_t size() const { return size_; }

 private:
  sockaddr_storage storage_{};
  socklen_t size_ = 0;
};

struct ListenOptions {
  bool reuse_port = true;  // several loops may listen on one address; the kernel distributes connections
  int backlog = 4096;
  // Mode of a Unix path, as in chmod; the path is never more open than this. Empty: the umask applies.
  std::optional<unsigned> unix_mode = {};
};

// Returns a bound, listening, non-blocking, close-on-exec socket. A stale Unix path without a listener is
// replaced.
std::expected<Descriptor, OsError> listen_on(const Address& address, ListenOptions options = {});

// Returns an error if another socket listens on the address, even one that would share it. With reuse_port
// alone, a second process of the same user would silently take half of the first one's connections. Never an
// error for port 0 and Unix paths.
std::expected<void, OsError> check_free(const Address& address);

// The actual address of a socket (the kernel assigns a port for port 0).
std::expected<Address, OsError> local_address(int fd);
std::expected<Address, OsError> peer_address(int fd);

// Returns a non-blocking socket that is connected or connecting; it becomes writable when that ends.
std::expected<Descriptor, OsError> start_connect(const Address& address);

// Sends small frames immediately (Nagle off). No effect on Unix sockets.
void set_no_delay(int fd);
bool is_no_delay(int fd);

}  // namespace fanfare::net
