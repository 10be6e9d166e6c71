#pragma once
// Where a server listens, and with which certificate. Turns the options of a program, a configuration file
// and a service manager into sockets.

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fanfare/error.h"
#include "net/tls.h"
#include "session/server.h"

namespace fanfare::server {

struct ListenerOptions {
  std::string host = "127.0.0.1";          // an IPv4 or IPv6 address without brackets, or localhost
  std::uint16_t port = 0;                  // 0: the system chooses
  std::string unix_path = {};              // not empty: a Unix socket instead of host and port
  std::optional<unsigned> unix_mode = {};  // mode of the Unix socket, as in chmod; empty: from the umask
  std::optional<int> inherited_fd = {};    // a listening socket, used instead of the above
  // The inherited socket was made by an earlier process of ours, which may have had more of them (session::Listener).
  std::vector<int> more_fds = {};
  bool is_ours = false;
  std::optional<net::TlsServerOptions> tls = {};
  bool proxy_protocol = false;  // true: every connection begins with a PROXY header, which is trusted

  bool operator==(const ListenerOptions&) const = default;
};

// A socket that an earlier process of ours has made is as good as one of our own.
ListenerOptions without_passed(ListenerOptions options);

// Whether only this machine can connect, and its browsers connect directly. Unix sockets and listeners with
// PROXY headers are for proxies, whose clients may be anywhere.
bool is_on_loopback(const ListenerOptions& options);

// Listeners that are ready to be bound. Their certificates are loaded, and may be reloaded at any time.
class Listeners {
 public:
  // The error names the invalid option.
  static std::expected<Listeners, Error> prepare(std::span<const ListenerOptions> options);

  const std::vector<session::Listener>& all() const { return all_; }
  bool has_certificates() const { return !certificates_.empty(); }
  // Reads all files again, for future connections. After an error the old certificate stays in use. Any
  // thread; blocks on file I/O. Returns one line for each certificate that could not be used.
  std::vector<std::string> reload_certificates() const;

 private:
  std::vector<session::Listener> all_;
  std::vector<std::shared_ptr<session::ServerCertificate>> certificates_;
};

}  // namespace fanfare::server
