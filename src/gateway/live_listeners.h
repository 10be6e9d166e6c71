#pragma once
// The listeners of a running gateway: those of its start, and those that a reload adds and removes. On the thread of
// Gateway::start() and stop(), unless stated otherwise.

#include <cstddef>
#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "fanfare/error.h"
#include "gateway/serve_plan.h"
#include "server/listener.h"
#include "session/server.h"

namespace fanfare::gateway {

class LiveListeners {
 public:
  // Loads the certificates of the first plan. Errors: as Gateway::start().
  std::expected<std::vector<session::Listener>, Error> prepare(const std::vector<ListenerPlan>& plan);
  // The server listens.
  void started(const session::Server& server);

  // A change that can no longer fail; without apply() nothing has changed.
  struct Change {
    struct Added {
      std::size_t in_plan;
      server::Listeners prepared;
      session::Server::Bound bound;
    };
    std::vector<Added> added;
    std::vector<std::size_t> removed;  // indices in the server
    std::vector<ListenerPlan> plan;
    std::vector<std::size_t> indices;  // in the server, of the plan's listeners
    std::vector<std::string>
        restored;  // paths of Unix sockets that were gone, or of somebody else: they are added again
    bool is_empty() const { return added.empty() && removed.empty(); }
  };
  // Binds what the plan adds, and loads its certificates. The error is for the operator.
  std::expected<Change, std::string> bind(const session::Server& server,
                                          const std::vector<ListenerPlan>& plan) const;
  // `make_site`: as session::Server::MakeHttpService, of the listener with this index in the server.
  using MakeSite = std::function<std::unique_ptr<session::HttpService>(session::LoopServer&, std::size_t loop,
                                                                       std::size_t index)>;
  // Returns when the sockets of removed listeners are closed.
  void apply(session::Server& server, Change change, const MakeSite& make_site);

  // In the server, of the plan's listeners.
  const std::vector<std::size_t>& indices() const { return indices_; }
  // In the plan's order, with the ports that the system chose.
  const std::vector<net::Address>& addresses() const { return addresses_; }
  // For another process (names_of_listeners()), by index in the server.
  std::vector<std::string> names() const;
  // Any thread.
  std::vector<std::string> reload_certificates() const;

 private:
  std::vector<ListenerPlan> plan_;
  std::vector<std::size_t> indices_;
  std::vector<net::Address> addresses_;
  mutable std::mutex mutex_;                           // guards prepared_
  std::map<std::size_t, server::Listeners> prepared_;  // with their certificates, by index in the server
};

}  // namespace fanfare::gateway
