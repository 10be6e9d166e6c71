#pragma once
// Which request goes where: a pure decision from the method, the target and whether the request asks for a
// WebSocket. No I/O, no state; one table is shared by every loop. docs/configuration.md has it as a table.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/header_field.h"
#include "gateway/serve_plan.h"

namespace fanfare::gateway {

enum class Action {
  rpc,        // JSON-RPC over HTTP with `network`
  websocket,  // upgrade, then JSON-RPC and subscriptions with `network`
  preflight,  // 204 with preflight_headers() (cors.h)
  healthz,
  readyz,
  metrics,
  refuse,  // `status`, with `allow` if it is 405, with upgrade_headers() if it is 426
};

struct Route {
  Action action = Action::refuse;
  std::size_t network = 0;       // index in ServePlan::networks
  bool of_network = false;       // the path is that network's; true for rpc and websocket
  int status = 0;                // for refuse: 404, 405 or 426
  std::string_view allow;        // for preflight and 405: the methods. Static.
  std::string_view explanation;  // for refuse: one line for a person. Static.

  bool operator==(const Route&) const = default;
};

struct RouteRequest {
  std::string_view method;          // as sent; methods are case-sensitive (RFC9110§9.1)
  std::string_view target;          // as sent: origin form, absolute form or "*" (RFC9112§3.2)
  bool asks_for_websocket = false;  // Upgrade names websocket and Connection names upgrade
};

class Routes {
 public:
  // Copies what it needs of the plan.
  explicit Routes(const ServePlan& plan);

  // Any thread.
  Route decide(Surface surface, const RouteRequest& request) const;

 private:
  Route decide_routed(const RouteRequest& request, std::string_view path) const;
  Route decide_network(const RouteRequest& request) const;
  Route decide_websocket_port(const RouteRequest& request) const;

  std::map<std::string, std::map<std::uint64_t, std::size_t>, std::less<>> networks_;
  bool websocket_enabled_;
  bool metrics_enabled_;
  bool metrics_on_own_port_ = false;
};

// RFC9110§15.5.22: a 426 names the protocol; the engine adds the Connection header.
std::span<const HeaderField> upgrade_headers();

}  // namespace fanfare::gateway
