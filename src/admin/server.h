#pragma once
// The listeners of the admin API: a Unix socket, whose file's mode says who may connect, and a port. They have a
// thread of their own, so they answer while the loops of the server are busy or drain.

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin/api.h"
#include "fanfare/error.h"
#include "net/loop.h"
#include "server/admission.h"
#include "server/listener.h"
#include "server/router.h"
#include "session/server.h"

namespace fanfare::admin {

struct ServerOptions {
  std::vector<server::ListenerOptions> listeners;
  // Of the ports, not of Unix sockets. Null: everyone who can connect is admitted. Must outlive the server.
  server::Admission* admission = nullptr;
  AdminMountOptions port_mount = {};
  // The group that owns the Unix sockets; empty: that of the process.
  std::string group = {};
  // Mounts what else the ports offer, after the API. Called once for each.
  std::function<void(server::Router&)> more = {};
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

class Server {
 public:
  static constexpr std::size_t kConnectionsMax = 64;
  static constexpr std::size_t kBodyBytesMax = std::size_t{64} << 10;

  // The API must outlive it.
  Server(Api& api, ServerOptions options);

  // Errors: bad_option (an address), tls, system.
  std::expected<void, Error> start();
  const std::vector<net::Address>& addresses() const { return server_.addresses(); }
  // Of its listeners. After the construction.
  session::Server& sockets() { return server_; }
  // Ends its connections within this time. The object must live on until nothing answers requests any more.
  void stop(Duration deadline);

 private:
  // Gives the group of the options the Unix socket with this mode.
  std::expected<void, Error> give_to_group(const std::string& path, unsigned mode) const;
  session::Server::HttpServices make_services(session::LoopServer& loop, std::size_t index);

  Api& api_;
  const ServerOptions options_;
  server::Listeners listeners_;
  session::Server server_;
  bool has_started_ = false;
};

}  // namespace fanfare::admin
