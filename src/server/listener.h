#pragma once
// Where a server listens, and with which certificate: what a program, a configuration file and a service
// manager say, and the sockets that become of it.

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
  std::optional<unsigned> unix_mode = {};  // of it, as in chmod; empty: what the umask leaves
  std::optional<int> inherited_fd = {};    // a socket that listens already, instead of either
  std::optional<net::TlsServerOptions> tls = {};
  bool proxy_protocol = false;  // true: every connection begins with a PROXY header, and it is believed

  bool operator==(const ListenerOptions&) const = default;
};

// Whether only this machine can connect, and browsers on it do so directly. A Unix socket and a listener
// behind PROXY headers are for proxies, whose clients may be anywhere.
bool is_on_loopback(const ListenerOptions& options);

// Listeners that are ready to be bound. The certificates are loaded; they may be loaded again at any time.
class Listeners {
 public:
  // The error names the option that cannot be.
  static std::expected<Listeners, Error> prepare(std::span<const ListenerOptions> options);

  const std::vector<session::Listener>& all() const { return all_; }
  bool has_certificates() const { return !certificates_.empty(); }
  // Reads all files again, for connections from here on. After an error the old certificate stays. Any
  // thread; blocks for the files. Returns a line for each that could not be used.
  std::vector<std::string> reload_certificates() const;

 private:
  std::vector<session::Listener> all_;
  std::vector<std::shared_ptr<session::ServerCertificate>> certificates_;
};

}  // namespace fanfare::server
