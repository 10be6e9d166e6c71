#include "gateway/gateway_site.h"

#include <span>
#include <string>
#include <utility>

#include "gateway/cors.h"
#include "gateway/listeners.h"
#include "http/target.h"

namespace fanfare::gateway {
namespace {

std::vector<ws::OwnedHeader> owned(std::span<const HeaderField> fields) {
  std::vector<ws::OwnedHeader> headers;
  for (const HeaderField& field : fields) {
    headers.push_back({.name = std::string(field.name), .value = std::string(field.value)});
  }
  return headers;
}

// Clients take any subprotocol or none; what a request offers is not chosen from. Compression keeps nothing
// of a connection between messages, so that thousands that are idle cost nothing.
ws::UpgradePolicy upgrade_policy(const MessageCompression& compression) {
  return {.deflate = {.enabled = compression.enabled,
                      .threshold_bytes = compression.bytes_min,
                      .ceiling_bytes = compression.bytes_max,
                      .server_no_context_takeover = true,
                      .client_no_context_takeover = true}};
}

void add_headers(session::HttpResponse& response, std::vector<ws::OwnedHeader> headers) {
  for (ws::OwnedHeader& header : headers) response.headers.push_back(std::move(header));
}

BrowserPlan with_origins(BrowserPlan plan, const std::vector<std::string>& origins) {
  if (!origins.empty()) plan.origins = origins;
  return plan;
}

constexpr std::string_view kUnknownIds = "subscriptionIds can be shared or unique\n";
constexpr std::string_view kForeignHost =
    "this name is not served here (settings: server.allowedHosts, or --allowed-host)\n";
constexpr std::string_view kForeignPage =
    "pages of this origin may not ask here (settings: allowedOrigins of server or project, or "
    "--allowed-origin)\n";

}  // namespace

ListenerRules::ListenerRules(const ServePlan& plan, const ListenerPlan& listener)
    : on_loopback_(is_on_loopback(listener)), own_(plan.browsers, on_loopback_) {
  for (const NetworkPlan& network : plan.networks) {
    networks_.emplace_back(with_origins(plan.browsers, network.origins), on_loopback_);
  }
}

GatewaySite::GatewaySite(const ServePlan& plan, Surface surface, ListenerRules rules, const Routes& routes,
                         const ProcessAnswers& answers, Metrics& metrics,
                         std::shared_ptr<LoopServices> services)
    : surface_(surface),
      rules_(std::move(rules)),
      routes_(routes),
      answers_(answers),
      metrics_(metrics),
      services_(std::move(services)),
      unique_ids_(plan.websocket.unique_subscription_ids),
      upgrades_(upgrade_policy(plan.websocket.compression)) {}

void GatewaySite::on_request(session::ServerSession& session, const http::Request& request) {
  const Route route = routes_.decide(
      surface_, {.method = request.method, .target = request.target, .asks_for_websocket = false});
  std::vector<ws::OwnedHeader> cors = cors_headers(rules_.of(route), request.headers);
  const http::AcceptedCoding coding = http::accepted_coding(request.headers);
  auto foreign = refuse_foreign(route, request);
  const bool is_foreign = foreign.has_value();
  if (!is_foreign && route.action == Action::rpc) {
    return services_->networks[route.network]->handle_http(
        session, as_text(request.body),
        {.developer = is_developer(route, request.headers), .headers = std::move(cors), .coding = coding});
  }
  session::HttpResponse response = is_foreign ? *std::move(foreign) : answer_page(route, request);
  if (route.action != Action::preflight || is_foreign) add_headers(response, std::move(cors));
  services_->compressor.respond(session, std::move(response), coding);
}

session::HttpResponse GatewaySite::answer_page(const Route& route, const http::Request& request) const {
  switch (route.action) {
    case Action::preflight:
      return {.status = 204,
              .content_type = "",
              .body = "",
              .headers = preflight_headers(rules_.of(route), request.headers)};
    case Action::healthz:
      return {.body = "ok\n", .headers = {}};
    case Action::readyz:
      return answers_.ready(request.query);
    case Action::metrics:
      return {.content_type = std::string(kMetricsContentType), .body = answers_.metrics(), .headers = {}};
    case Action::rpc:
    case Action::websocket:  // only with asks_for_websocket
    case Action::refuse:
      break;
  }
  return refusal(route);
}

std::optional<session::HttpResponse> GatewaySite::refuse_foreign(const Route& route,
                                                                 const http::Request& request) {
  const BrowserRules& rules = rules_.of(route);
  if (!rules.serves_host(request.target, request.headers)) {
    count_foreign(route, RefuseReason::host, RpcRefusal::host);
    return session::HttpResponse{.status = 403, .body = std::string(kForeignHost), .headers = {}};
  }
  if (rules.caller_of(request.headers) == Caller::foreign_page) {
    count_foreign(route, RefuseReason::origin, RpcRefusal::origin);
    return session::HttpResponse{.status = 403, .body = std::string(kForeignPage), .headers = {}};
  }
  return std::nullopt;
}

void GatewaySite::count_foreign(const Route& route, RefuseReason of_upgrade, RpcRefusal of_request) {
  if (!route.of_network) return;
  NetworkMetrics& network = services_->networks[route.network]->metrics();
  if (route.action == Action::websocket) network.connections_refused[of_upgrade].add();
  if (route.action == Action::rpc) network.requests_refused[of_request].add();
}

bool GatewaySite::is_developer(const Route& route, http::Headers headers) const {
  return rules_.on_loopback() && rules_.of(route).caller_of(headers) != Caller::unknown_page;
}

void GatewaySite::on_refusal(http::Headers headers, session::HttpResponse& response) {
  // Which network it would have been for is not known; what differs is only which pages may read this.
  add_headers(response, cors_headers(rules_.of({}), headers));
}

session::UpgradeDecision GatewaySite::on_upgrade(session::ServerSession&, const http::Request& request) {
  const Route route = routes_.decide(
      surface_, {.method = request.method, .target = request.target, .asks_for_websocket = true});
  if (auto foreign = refuse_foreign(route, request)) return *std::move(foreign);
  if (route.action != Action::websocket) return refusal(route);
  const auto ids = ids_for(request.query);
  if (!ids) return session::HttpResponse{.status = 400, .body = std::string(kUnknownIds), .headers = {}};
  RpcService& service = *services_->networks[route.network];
  if (!service.network().reserve_connection()) {
    service.metrics().connections_refused[RefuseReason::connection_limit].add();
    return session::HttpResponse{.status = 503,
                                 .body = "this network has all the connections it may have\n",
                                 .headers = {{.name = "Retry-After", .value = "5"}}};
  }
  return session::Acceptance{
      .endpoint = &service,
      .policy = &upgrades_,
      .data = std::make_unique<RpcConnection>(service, ConnectionPlace(service.network()),
                                              is_developer(route, request.headers), *ids)};
}

std::optional<eth::IdScope> GatewaySite::ids_for(std::string_view query) const {
  bool unique = unique_ids_;
  for (const http::Parameter& parameter : http::query_parameters(query)) {
    if (parameter.name != "subscriptionIds") continue;
    unique = parameter.value == "unique";
    if (!unique && parameter.value != "shared") return std::nullopt;
  }
  return unique ? eth::IdScope::own : eth::IdScope::shared;
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
