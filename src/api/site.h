#pragma once
// One loop's view of the routes: requests and upgrades to their handlers, sessions' events to their route.

#include <memory>
#include <vector>

#include "api/core.h"
#include "api/lane.h"
#include "base/block_pool.h"
#include "session/site.h"

namespace fanfare::api {

class RouteEndpoint;

class ApiSite final : public session::Site {
 public:
  // The lane is made here, so that it lives and dies on the loop's thread.
  ApiSite(Core& core, session::LoopServer& server, std::uint32_t index);
  ~ApiSite() override;

  void on_request(session::ServerSession& session, const http::Request& request) override;
  session::UpgradeDecision on_upgrade(session::ServerSession& session, const http::Request& request) override;

  Lane& lane() { return lane_; }

 private:
  Core& core_;
  BlockPool connections_;  // where they lie
  Lane lane_;
  std::vector<std::unique_ptr<RouteEndpoint>> endpoints_;  // as core_.upgrades()
};

// RFC6455§7.4.1: ends the session with 1011, because a handler of it threw; without memory for that, at once.
// The peer does not learn what was thrown.
void end_after_exception(session::Session& engine);

// The engine's words for it.
session::HttpResponse to_engine(Response response);

}  // namespace fanfare::api
