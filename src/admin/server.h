#pragma once
// The listeners of the admin API: a Unix socket, whose file's mode says who may connect, and a port. They have a
// thread of their own, so they answer while the loops of the server are busy or drain.

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "admin/api.h"
#include "admin/socket_rights.h"
#include "fanfare/error.h"
#include "net/loop.h"
#include "server/admission.h"
#include "server/listener.h"
#include "server/replaceable_router.h"
#include "server/router.h"
#include "session/server.h"

namespace fanfare::admin {

struct ServerOptions {
  // Those of the start.
  std::vector<server::ListenerOptions> listeners;
  // Of the ports, not of Unix sockets. Null: everyone who can connect is admitted. Must outlive the server.
  server::Admission* admission = nullptr;
  AdminMountOptions port_mount = {};
  // The group that owns the Unix sockets; empty: that of the process.
  std::string group = {};
  // Mounts what else the ports offer, after the API. Called on the server's thread for each, also in remake_ports().
  std::function<void(server::Router&)> more = {};
  net::LoopKind loop_kind = net::LoopKind::automatic;
};

// On the thread of start() and stop(), unless stated otherwise.
class Server {
 public:
  static constexpr std::size_t kConnectionsMax = 64;
  static constexpr std::size_t kBodyBytesMax = std::size_t{64} << 10;

  // The API must outlive it.
  Server(Api& api, ServerOptions options);

  // Errors: bad_option (an address), tls, system.
  std::expected<void, Error> start();
  bool has_started() const { return has_started_; }

  // Other listeners, or another group, while it runs. A listener with the address of a present one is that one; only its mode
  // changes. Without apply() nothing has changed. Errors: as start().
  struct Change {
    struct Added {
      std::size_t in_plan;
      server::Listeners prepared;
      session::Server::Bound bound;
    };
    std::vector<Added> added;
    std::vector<std::size_t> removed;  // indices in sockets()
    std::vector<SocketRights> rights;  // of Unix sockets
    std::vector<server::ListenerOptions> listeners;
    std::vector<std::size_t> indices;  // in sockets(), of the listeners
    std::string group;
    std::vector<std::string>
        restored;  // paths of Unix sockets that were gone, or of somebody else: they are added again
    struct Lost {
      std::string path;
      net::OsError error;
    };
    std::vector<Lost> lost;  // the same, where it cannot be bound again
    bool is_empty() const { return added.empty() && removed.empty(); }
  };
  std::expected<Change, Error> prepare(const std::vector<server::ListenerOptions>& listeners,
                                       const std::string& group) const;
  // Connections of a removed listener end: those that are being answered after that, the others at once. Returns when its socket is
  // closed; false: the thread did not answer.
  bool apply(Change change);
  // Calls `more` again, for each port.
  void remake_ports();

  // Of the listeners, in their order.
  std::vector<net::Address> addresses() const;
  const std::vector<std::size_t>& indices() const { return indices_; }
  // Reads the certificates of the ports again, as server::Listeners::reload_certificates().
  std::vector<std::string> reload_certificates() const;
  // Of its listeners. After the construction.
  session::Server& sockets() { return server_; }
  // Ends its connections within this time. The object must live on until nothing answers requests any more.
  void stop(Duration deadline);

 private:
  // On the server's thread.
  std::unique_ptr<server::Router> make_router(session::LoopServer& loop,
                                              const server::ListenerOptions& listener);
  std::unique_ptr<session::HttpService> make_site(session::LoopServer& loop,
                                                  const server::ListenerOptions& listener, std::size_t index);

  Api& api_;
  const ServerOptions options_;
  std::vector<server::ListenerOptions> listeners_;
  std::vector<std::size_t> indices_;
  std::string group_;
  std::map<std::size_t, server::Listeners> prepared_;  // with their certificates, by index
  struct PortSite {
    server::ListenerOptions listener;
    server::ReplaceableRouter* site;
  };
  // Both on the server's thread.
  std::map<std::size_t, PortSite> sites_;       // by index
  std::weak_ptr<server::LoopContext> context_;  // as long as there is a router
  session::Server server_;
  bool has_started_ = false;
};

}  // namespace fanfare::admin
