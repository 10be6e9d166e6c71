#pragma once
// What each loop serves: its services, and a router for each listener, made from a view. Another view replaces all of them
// in one task of each loop, so that no loop ever serves a half of each.

#include <atomic>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "gateway/canvas_runtime.h"
#include "gateway/defend/defence.h"
#include "gateway/metrics.h"
#include "gateway/mounts.h"
#include "gateway/observe/watch.h"
#include "gateway/reload/site.h"
#include "gateway/stream_runtime.h"
#include "gateway/view.h"
#include "session/server.h"

namespace fanfare::gateway {

class LoopSites {
 public:
  // All must outlive the server's loops.
  struct Context {
    session::Server& server;
    Defence& defence;
    Watch& watch;
    Metrics& metrics;
    const ProcessAnswers& answers;
    server::RouterObserver& observer;
    const std::atomic<bool>& draining;
    StreamRuntime& streams;
    CanvasRuntime& canvas;
    eth::Salt salt;
    AccessGate* gate = nullptr;   // null: no access control
    admin::Api* admin = nullptr;  // only null if no plan ever has one
  };
  // It must outlive the server's loops, too.
  explicit LoopSites(const Context& context) : context_(context) {}
  LoopSites(const LoopSites&) = delete;
  LoopSites& operator=(const LoopSites&) = delete;

  // The sites of one loop, on its thread; loops are started one after the other.
  session::Server::HttpServices make(session::LoopServer& server, std::size_t loop, const ViewPtr& view);
  // The site of a listener that this view has added, on the loop's thread, after apply() of the view.
  std::unique_ptr<session::HttpService> make_site(std::size_t loop, std::size_t index, const View& view);
  // Any thread: each loop serves this view soon. A listener that is not in it keeps what it serves.
  void apply(const ViewPtr& view);

  // Any thread. The events of a network, to its subscribers: one mailbox entry for each loop, whatever their number.
  void publish(std::size_t slot, const Network::Events& events);
  // Any thread. What open connections may do is judged again. `before`: as AccessGate::replace() says.
  void check_again(const std::shared_ptr<const void>& before);
  // On the loop's thread.
  const session::Endpoint& endpoint_of(std::size_t loop, std::size_t slot) const {
    return *loops_[loop].services->networks[slot];
  }

 private:
  struct OfLoop {
    LoopServices* services = nullptr;
    std::vector<Site*> sites;  // by index of the listener in the server; one that is in no view may be gone
  };

  void apply_on(OfLoop& loop, const View& view, session::LoopServer& server, std::size_t index);
  void update_networks(const View& view, LoopServices& services, session::LoopServer& server,
                       std::size_t index) const;
  std::unique_ptr<server::Router> make_router_of(const ListenerPlan& listener, const View& view,
                                                 std::shared_ptr<LoopServices> services) const;

  const Context context_;
  std::vector<OfLoop> loops_;
};

}  // namespace fanfare::gateway
