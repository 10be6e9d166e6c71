#include "gateway/routes.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace fanfare::gateway {
namespace {

constexpr std::string_view kAllowRpc = "GET, POST, OPTIONS";
constexpr std::string_view kAllowRpcOnly = "POST, OPTIONS";
constexpr std::string_view kAllowPage = "GET, HEAD, OPTIONS";
constexpr std::string_view kAllowWebSocket = "GET";

constexpr std::array kUpgrade{HeaderField{"Upgrade", "websocket"}};

Route refused(int status, std::string_view explanation, std::string_view allow = {}) {
  return {.action = Action::refuse, .status = status, .allow = allow, .explanation = explanation};
}

Route wrong_method(std::string_view allow) {
  return refused(405, "method not allowed here", allow);
}

Route preflight(std::string_view allow) {
  return {.action = Action::preflight, .allow = allow};
}

// RFC9112§3.2.2: a server accepts the absolute form, whatever its host.
std::string_view path_of(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!target.starts_with(scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t path = target.find_first_of("/?");
    target = path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    break;
  }
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  return path.empty() ? "/" : path;
}

// What stands before the next slash; removes it and the slash.
std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = path.find('/');
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
  return segment;
}

std::optional<std::uint64_t> chain_id_of(std::string_view digits) {
  // One network has one URL: no leading zeros, no signs.
  if (digits.empty() || digits.front() == '0') return std::nullopt;
  std::uint64_t value = 0;
  const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (read.ec != std::errc() || read.ptr != digits.data() + digits.size()) return std::nullopt;
  return value;
}

// The pages beside the RPC, or empty if the path is none of them.
std::optional<Route> decide_page(const RouteRequest& request, std::string_view path, bool with_metrics) {
  Action action{};
  if (path == "/healthz") {
    action = Action::healthz;
  } else if (path == "/readyz") {
    action = Action::readyz;
  } else if (path == "/metrics" && with_metrics) {
    action = Action::metrics;
  } else {
    return std::nullopt;
  }
  if (request.method == "GET" || request.method == "HEAD") return Route{.action = action};
  return request.method == "OPTIONS" ? preflight(kAllowPage) : wrong_method(kAllowPage);
}

// A port with one network, for POST only.
Route decide_http_port(const RouteRequest& request, std::string_view path) {
  if (path != "/") return refused(404, "nothing here: JSON-RPC is answered at /");
  if (request.method == "POST") return {.action = Action::rpc, .of_network = true};
  if (request.method == "OPTIONS") return preflight(kAllowRpcOnly);
  return refused(405, "JSON-RPC here takes POST; the WebSocket has its own port", kAllowRpcOnly);
}

}  // namespace

Routes::Routes(const ServePlan& plan)
    : websocket_enabled_(plan.websocket.enabled), metrics_enabled_(plan.metrics_enabled) {
  for (std::size_t i = 0; i < plan.networks.size(); ++i) {
    const NetworkPlan& network = plan.networks[i];
    if (network.chain_id) networks_[network.project][*network.chain_id] = i;
  }
  metrics_on_own_port_ = std::ranges::any_of(
      plan.listeners, [](const ListenerPlan& listener) { return listener.surface == Surface::metrics; });
}

Route Routes::decide(Surface surface, const RouteRequest& request) const {
  // RFC9110§9.3.7: OPTIONS * asks about the server as a whole.
  if (request.target == "*") {
    return request.method == "OPTIONS" ? preflight(kAllowRpc) : wrong_method("OPTIONS");
  }
  if (surface == Surface::rpc_websocket) return decide_websocket_port(request);

  const std::string_view path = path_of(request.target);
  const bool own_metrics = metrics_on_own_port_ && surface != Surface::metrics;
  if (const auto page = decide_page(request, path, metrics_enabled_ && !own_metrics)) return *page;
  switch (surface) {
    case Surface::routed:
      return decide_routed(request, path);
    case Surface::rpc_http:
      return decide_http_port(request, path);
    case Surface::rpc_websocket:
    case Surface::metrics:
      break;
  }
  return refused(404, "nothing here: this port has /healthz, /readyz and /metrics");
}

Route Routes::decide_routed(const RouteRequest& request, std::string_view path) const {
  constexpr std::string_view kUnknownPath = "nothing here: JSON-RPC is answered at /{project}/evm/{chainId}";
  std::string_view rest = path;
  if (!rest.starts_with('/')) return refused(404, kUnknownPath);
  rest.remove_prefix(1);
  const std::string_view project_id = take_segment(rest);
  const std::string_view architecture = take_segment(rest);
  const std::string_view chain_id = take_segment(rest);
  if (architecture != "evm" || chain_id.empty() || !rest.empty()) return refused(404, kUnknownPath);

  const auto project = networks_.find(project_id);
  if (project == networks_.end()) return refused(404, "unknown project");
  const auto wanted = chain_id_of(chain_id);
  const auto network = wanted ? project->second.find(*wanted) : project->second.end();
  if (network == project->second.end()) return refused(404, "unknown chain in this project");

  Route route = decide_network(request);
  route.network = network->second;
  route.of_network = true;
  return route;
}

Route Routes::decide_network(const RouteRequest& request) const {
  const std::string_view allow = websocket_enabled_ ? kAllowRpc : kAllowRpcOnly;
  if (request.method == "POST") return {.action = Action::rpc};
  if (request.method == "OPTIONS") return preflight(allow);
  if (request.method != "GET" || !websocket_enabled_) return wrong_method(allow);
  if (request.asks_for_websocket) return {.action = Action::websocket};
  return refused(426, "a GET here has to ask for a WebSocket; JSON-RPC takes POST");
}

Route Routes::decide_websocket_port(const RouteRequest& request) const {
  if (!websocket_enabled_) return refused(404, "the WebSocket is turned off");
  if (request.method != "GET") return wrong_method(kAllowWebSocket);
  if (request.asks_for_websocket) return {.action = Action::websocket, .of_network = true};
  return refused(426, "upgrade required: this port speaks WebSocket");
}

std::span<const HeaderField> upgrade_headers() {
  return kUpgrade;
}

}  // namespace fanfare::gateway
