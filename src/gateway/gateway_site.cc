#include "gateway/gateway_site.h"

#include <span>
#include <string>
#include <utility>

namespace fanfare::gateway {
namespace {

std::vector<ws::OwnedHeader> owned(std::span<const HeaderField> fields) {
  std::vector<ws::OwnedHeader> headers;
  for (const HeaderField& field : fields) {
    headers.push_back({.name = std::string(field.name), .value = std::string(field.value)});
  }
  return headers;
}

// Clients take any subprotocol or none; what a request offers is not chosen from, and nothing is compressed.
const ws::UpgradePolicy kPolicy{.deflate = {.enabled = false}};

}  // namespace

GatewaySite::GatewaySite(Surface surface, const Routes& routes, const ProcessAnswers& answers,
                         Metrics& metrics, std::shared_ptr<LoopServices> services)
    : surface_(surface),
      routes_(routes),
      answers_(answers),
      metrics_(metrics),
      services_(std::move(services)) {}

void GatewaySite::on_request(session::ServerSession& session, const http::Request& request) {
  const Route route = routes_.decide(
      surface_, {.method = request.method, .target = request.target, .asks_for_websocket = false});
  switch (route.action) {
    case Action::rpc:
      return services_->networks[route.network]->handle_http(session, as_text(request.body));
    case Action::preflight:
      return session.respond(
          {.status = 204, .content_type = "", .body = "", .headers = owned(preflight_headers())});
    case Action::healthz:
      return session.respond({.body = "ok\n", .headers = {}});
    case Action::readyz:
      return session.respond(answers_.ready());
    case Action::metrics:
      return session.respond(
          {.content_type = std::string(kMetricsContentType), .body = answers_.metrics(), .headers = {}});
    case Action::websocket:  // only with asks_for_websocket
    case Action::refuse:
      return session.respond(refusal(route));
  }
}

session::UpgradeDecision GatewaySite::on_upgrade(session::ServerSession&, const http::Request& request) {
  const Route route = routes_.decide(
      surface_, {.method = request.method, .target = request.target, .asks_for_websocket = true});
  if (route.action != Action::websocket) return refusal(route);
  RpcService& service = *services_->networks[route.network];
  if (!service.network().reserve_connection()) {
    service.metrics().connections_refused[RefuseReason::connection_limit].add();
    return session::HttpResponse{.status = 503,
                                 .body = "this network has all the connections it may have\n",
                                 .headers = {{.name = "Retry-After", .value = "5"}}};
  }
  return session::Acceptance{
      .endpoint = &service,
      .policy = &kPolicy,
      .data = std::make_unique<RpcConnection>(service, ConnectionPlace(service.network()))};
}

session::HttpResponse GatewaySite::refusal(const Route& route) const {
  // Who asks for a WebSocket where there is a page gets as far as here, too.
  const bool is_refused = route.action == Action::refuse;
  session::HttpResponse response{
      .status = is_refused ? route.status : 404,
      .body = is_refused ? std::string(route.explanation) + "\n" : "there is no WebSocket here\n",
      .headers = {}};
  if (!route.allow.empty()) response.headers.push_back({.name = "Allow", .value = std::string(route.allow)});
  if (response.status == 426) {
    for (ws::OwnedHeader& header : owned(upgrade_headers())) response.headers.push_back(std::move(header));
  }
  return response;
}

}  // namespace fanfare::gateway
