#include "gateway/mounts.h"

#include <map>
#include <utility>

#include "base/check.h"
#include "gateway/admin_runtime.h"
#include "gateway/admitted_caller.h"
#include "gateway/canvas_mounts.h"
#include "gateway/mount_plans.h"
#include "gateway/observe/loop_watch.h"
#include "gateway/session_token.h"
#include "gateway/stream_permit.h"
#include "gateway/web_page.h"
#include "http/accept_encoding.h"
#include "http/target.h"
#include "server/content_coding.h"
#include "server/listener.h"
#include "server/path_pattern.h"
#include "streamserver/mounts.h"

namespace fanfare::gateway {
namespace {

using server::Caller;
using server::Foreign;
using server::Offer;
using server::Target;
using Match = server::PathPattern::Match;

// Clients may offer any subprotocol or none; none is selected. Compression keeps no state of a connection
// between messages, so thousands of idle ones cost nothing.
// With access control, a browser offers its token as a subprotocol, and must get one of the others back.
ws::UpgradePolicy upgrade_policy(const MessageCompression& compression, bool has_access) {
  return {.subprotocols =
              has_access ? std::vector{std::string(access::kSubprotocol)} : std::vector<std::string>(),
          .deflate = {.enabled = compression.enabled,
                      .threshold_bytes = compression.bytes_min,
                      .ceiling_bytes = compression.bytes_max,
                      .server_no_context_takeover = true,
                      .client_no_context_takeover = true}};
}

// What a role must grant for /metrics on a port that everyone reaches.
constexpr std::string_view kMetricsPermission = "fanfare_metrics";
constexpr std::string_view kUnknownIds = "subscriptionIds can be shared or unique\n";

// Which origins may send requests, for each network: those of its project, or the listener's.
class NetworkRules {
 public:
  NetworkRules(const RouterContext& context, bool on_loopback) {
    for (std::size_t i = 0; i < context.plan.networks.size(); ++i) {
      const NetworkPlan& network = context.plan.networks[i];
      server::BrowserOptions options = context.plan.browsers;
      if (!network.origins.empty()) options.origins = network.origins;
      rules_.emplace(slot_of(context.slots, i), server::BrowserRules(options, on_loopback));
    }
  }
  const server::BrowserRules& of(std::size_t slot) const { return rules_.at(slot); }

 private:
  std::map<std::size_t, server::BrowserRules> rules_;  // by slot
};

// JSON-RPC of one network, or of the network that the path names.
class RpcMount final : public server::Mount {
 public:
  RpcMount(RpcFeature feature, const RouterContext& context, std::shared_ptr<const NetworkRules> rules)
      : network_(feature.network ? std::optional(slot_of(context.slots, *feature.network)) : std::nullopt),
        methods_(feature.http ? "POST" : ""),
        has_websocket_(feature.websocket && context.plan.websocket.enabled),
        is_off_(!feature.http && !has_websocket_),
        paths_(context.paths),
        services_(context.services),
        rules_(std::move(rules)),
        unique_ids_(context.plan.websocket.unique_subscription_ids),
        upgrades_(std::make_shared<const ws::UpgradePolicy>(
            upgrade_policy(context.plan.websocket.compression, context.gate != nullptr))) {}

  Offer offer(const Match& match) const override {
    if (is_off_) return {.methods = {}, .missing = "the WebSocket is turned off"};
    Offer offer{.methods = methods_, .has_websocket = has_websocket_};
    const NetworkPaths::Found found = find(match);
    if (found.network) {
      offer.browsers = &rules_->of(*found.network);
    } else {
      offer.missing = found.missing;
    }
    return offer;
  }

  void on_request(session::HttpConnection& session, const Target& target) override {
    if (const auto refusal = server::refuse_content_coding(target.request)) return session.respond(*refusal);
    const std::string_view body = as_text(target.request.body);
    if (const auto refusal = service(target.match).refuse_request(body)) return session.respond(*refusal);
    service(target.match)
        .handle_http(session, body, caller_of(session, target, rpc::Transport::http),
                     http::accepted_coding(target.request.headers));
  }

  session::UpgradeDecision on_upgrade(session::HttpConnection& connection, const Target& target) override {
    const auto ids = ids_for(target.request.query);
    if (!ids) return session::HttpResponse{.status = 400, .body = std::string(kUnknownIds), .headers = {}};
    const auto token = session_token_of(target.request);
    if (!token) return session::HttpResponse{.status = 400, .body = token.error(), .headers = {}};
    RpcService& service = this->service(target.match);
    if (auto refusal = service.refuse_upgrade()) return *std::move(refusal);
    if (!service.network().reserve_connection()) {
      service.metrics().connections_refused[RefuseReason::connection_limit].add();
      return session::HttpResponse{.status = 503,
                                   .body = "this network has reached its connection limit\n",
                                   .headers = {{.name = "Retry-After", .value = "5"}}};
    }
    auto data =
        std::make_unique<RpcConnection>(service, ConnectionSlot(service.network()),
                                        caller_of(connection, target, rpc::Transport::websocket), *ids);
    session::Acceptance accepted{.endpoint = &service, .policy = upgrades_.get(), .data = nullptr};
    if (token->has_value()) {
      if (service.opens_sessions_later() && has_identity(target)) {
        accepted.data = std::move(data);
        return continue_session_later(service, std::move(accepted), **token, connection, target);
      }
      auto state = continue_session(service, *data, **token, connection, target);
      if (!state) return std::move(state.error());
      if (!state->empty()) {
        accepted.headers.push_back({.name = std::string(kSessionHeader), .value = *std::move(state)});
      }
    }
    accepted.data = std::move(data);
    return accepted;
  }

  void on_foreign(const Match& match, Foreign why, bool is_upgrade) override {
    if (!find(match).network) return;
    NetworkMetrics& metrics = service(match).metrics();
    if (is_upgrade) {
      metrics.connections_refused[why == Foreign::host ? RefuseReason::host : RefuseReason::origin].add();
    } else {
      metrics.requests_refused[why == Foreign::host ? RpcRefusal::host : RpcRefusal::origin].add();
    }
  }

 private:
  static access::PrincipalPtr principal_of(const Target& target) {
    const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get());
    return admitted == nullptr ? nullptr : admitted->principal;
  }
  // Or there is no access control. False: it will authenticate by its first message.
  static bool has_identity(const Target& target) {
    const access::PrincipalPtr principal = principal_of(target);
    return principal == nullptr || principal->name != kUnauthenticated;
  }
  static session::HttpResponse session_refusal(const SharedSessions::Refused& refused) {
    session::HttpResponse answer{.status = 503, .body = std::string(words_of(refused)) + "\n", .headers = {}};
    const bool is_limit = refused.why == SharedSessions::Refusal::limit;
    if (is_limit && refused.limit == eth::ResumeRefusal::off) answer.status = 400;
    if (is_limit && refused.limit == eth::ResumeRefusal::per_owner) answer.status = 429;
    if (answer.status != 400) {
      answer.headers.push_back(
          {.name = "Retry-After", .value = refused.why == SharedSessions::Refusal::away ? "2" : "60"});
    }
    return answer;
  }

  // Another instance may have the session. `accepted` has the connection's data.
  session::UpgradeDecision continue_session_later(RpcService& service, session::Acceptance accepted,
                                                  const SessionDigest& token,
                                                  const session::HttpConnection& connection,
                                                  const Target& target) const {
    auto agreed = session::check_upgrade(target.request, *upgrades_);
    if (!agreed) return accepted;  // and the handshake is refused
    accepted.agreed = *std::move(agreed);
    // A reload may replace this mount meanwhile.
    auto decide = [&service, id = connection.id(), policy = upgrades_, accepted = std::move(accepted)](
                      std::expected<eth::ResumeLease, SharedSessions::Refused> lease) mutable {
      session::HttpConnection* const waiting = service.server().sessions().find_http(id);
      if (waiting == nullptr) return;
      if (!lease) return waiting->respond(session_refusal(lease.error()));
      accepted.headers.push_back(
          {.name = std::string(kSessionHeader), .value = lease->is_known() ? "resumed" : "new"});
      static_cast<RpcConnection&>(*accepted.data).continue_session(*std::move(lease));
      waiting->accept_upgrade(std::move(accepted));
    };
    service.open_session_later(token, principal_of(target), connection.peer(), std::move(decide));
    return session::DecideLater{};
  }

  // "new" or "resumed"; empty: it is known once the connection has authenticated.
  static std::expected<std::string, session::HttpResponse> continue_session(
      const RpcService& service, RpcConnection& data, const SessionDigest& token,
      const session::HttpConnection& connection, const Target& target) {
    if (!has_identity(target)) {
      data.continue_session_later(token);
      return std::string();
    }
    auto lease = service.open_session(token, principal_of(target), connection.peer());
    if (!lease) {
      return std::unexpected(
          session_refusal({.why = SharedSessions::Refusal::limit, .limit = lease.error()}));
    }
    std::string state = lease->is_known() ? "resumed" : "new";
    data.continue_session(*std::move(lease));
    return state;
  }

  rpc::Caller caller_of(const session::HttpConnection& session, const Target& target,
                        rpc::Transport transport) const {
    rpc::Caller caller{.transport = transport,
                       .is_local = target.on_loopback && target.caller != Caller::unknown_page};
    if (const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get())) {
      caller.principal = admitted->principal;
      caller.payer = admitted->payer;
    }
    if (session.note() != nullptr) {
      const std::string_view name =
          caller.principal == nullptr ? std::string_view() : std::string_view(caller.principal->name);
      caller.record = LoopWatch::request_of(session, service(target.match).network().name(), name);
    }
    return caller;
  }
  // The value of ?subscriptionIds=shared or =unique in the URL, else the configured one. Empty: an invalid
  // value.
  std::optional<eth::IdScope> ids_for(std::string_view query) const {
    bool unique = unique_ids_;
    for (const http::Parameter& parameter : http::query_parameters(query)) {
      if (parameter.name != "subscriptionIds") continue;
      unique = parameter.value == "unique";
      if (!unique && parameter.value != "shared") return std::nullopt;
    }
    return unique ? eth::IdScope::own : eth::IdScope::shared;
  }
  NetworkPaths::Found find(const Match& match) const {
    if (network_) return {.network = network_, .missing = {}};
    // A router asks for all possible methods without naming a path.
    if (match.parameters.size() < 2) return {.network = std::nullopt, .missing = "unknown project"};
    return paths_->find(match.parameters[0].value, match.parameters[1].value);
  }
  RpcService& service(const Match& match) const { return *services_->networks[*find(match).network]; }

  const std::optional<std::size_t> network_;
  const std::string_view methods_;
  const bool has_websocket_;
  const bool is_off_;
  const std::shared_ptr<const NetworkPaths> paths_;
  const std::shared_ptr<LoopServices> services_;
  const std::shared_ptr<const NetworkRules> rules_;
  const bool unique_ids_;
  const std::shared_ptr<const ws::UpgradePolicy> upgrades_;
};

class PageMount final : public server::Mount {
 public:
  using Answer = std::function<session::HttpResponse(std::string_view query)>;
  // `permission`: the method that a caller's role must grant; empty: the page is open to everyone.
  PageMount(Answer answer, std::string_view permission, std::shared_ptr<LoopServices> services)
      : answer_(std::move(answer)), permission_(permission), services_(std::move(services)) {}

  Offer offer(const Match&) const override {
    return {.methods = "GET", .is_open = permission_.empty(), .is_vital = true};
  }
  void on_request(session::HttpConnection& session, const Target& target) override {
    // It shows every project, so "*" does not grant it.
    constexpr std::size_t kNamespace = std::string_view("fanfare_").size();
    const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get());
    if (admitted != nullptr && !admitted->principal->names({.method = permission_}, kNamespace)) {
      return session.respond(
          {.status = 403, .body = "these credentials do not grant this page\n", .headers = {}});
    }
    services_->compressor.respond(session, answer_(target.request.query),
                                  http::accepted_coding(target.request.headers));
  }

 private:
  const Answer answer_;
  const std::string_view permission_;
  const std::shared_ptr<LoopServices> services_;
};

// One overload per feature: a new feature does not compile until it is mounted.
struct MakeMount {
  const RouterContext& context;
  std::shared_ptr<const NetworkRules> rules;

  std::shared_ptr<server::Mount> operator()(const RpcFeature& feature) const {
    return std::make_shared<RpcMount>(feature, context, rules);
  }
  std::shared_ptr<server::Mount> operator()(const HealthFeature&) const {
    return page([](std::string_view) { return session::HttpResponse{.body = "ok\n", .headers = {}}; });
  }
  std::shared_ptr<server::Mount> operator()(const ReadyFeature&) const { return page(context.answers.ready); }
  std::shared_ptr<server::Mount> operator()(const MetricsFeature& feature) const {
    return page(
        [&answers = context.answers](std::string_view) {
          return session::HttpResponse{
              .content_type = std::string(kMetricsContentType), .body = answers.metrics(), .headers = {}};
        },
        feature.is_open ? std::string_view() : kMetricsPermission);
  }
  std::shared_ptr<server::Mount> operator()(const WebFeature& feature) const {
    return make_web_page(feature.directory);
  }
  std::shared_ptr<server::Mount> operator()(const AboutFeature& feature) const {
    return page([text = about_text(context.plan, feature.version)](std::string_view) {
      return session::HttpResponse{.content_type = "application/json", .body = text, .headers = {}};
    });
  }
  std::shared_ptr<server::Mount> operator()(const StreamsFeature&) const {
    return std::make_shared<streamserver::WebSocketMount>(
        context.services->streams,
        upgrade_policy(context.plan.websocket.compression, context.gate != nullptr), stream_permits());
  }
  std::shared_ptr<server::Mount> operator()(const StreamEventsFeature&) const {
    return std::make_shared<streamserver::EventsMount>(context.services->streams, stream_permits());
  }
  std::shared_ptr<server::Mount> operator()(const CanvasFeature& feature) const {
    return make_canvas_mount(feature, context);
  }
  std::shared_ptr<server::Mount> operator()(const AdminFeature&) const {
    FANFARE_CHECK(context.admin != nullptr && context.gate != nullptr);
    return std::make_shared<admin::AdminMount>(*context.admin, context.server, admin_mount_options(true, 1));
  }

 private:
  std::shared_ptr<server::Mount> page(PageMount::Answer answer, std::string_view permission = {}) const {
    return std::make_shared<PageMount>(std::move(answer), permission, context.services);
  }
  streamserver::MakePermit stream_permits() const {
    if (context.gate == nullptr) return {};
    return [gate = context.gate, services = context.services](const session::HttpConnection& session,
                                                              const Target& target) {
      // The mount is guarded: without an admission nobody comes so far.
      const AdmittedCaller* const admitted = AdmittedCaller::of(target.admitted.get());
      FANFARE_CHECK(admitted != nullptr);
      return std::make_unique<StreamPermit>(
          *gate, std::shared_ptr<CredentialTerms>(services, &services->terms), *admitted, session.peer());
    };
  }
};

std::string not_found_line(const ServePlan& plan, const ListenerPlan& listener) {
  if (plan.networks.empty() && plan.streams && serves_http(listener))
    return "nothing here: streams are at /streams";
  if (plan.networks.empty() && plan.canvas && serves_http(listener))
    return "nothing here: the canvas is at /canvas/{room}";
  if (is_routed(listener)) return "nothing here: JSON-RPC is answered at /{project}/evm/{chainId}";
  if (serves_http(listener)) return "nothing here: JSON-RPC is answered at /";
  return "nothing here: this port has /healthz, /readyz and /metrics";
}

}  // namespace

std::unique_ptr<server::Router> make_router(const ListenerPlan& listener, const RouterContext& context) {
  const bool on_loopback = server::is_on_loopback(listener.at);
  auto router = std::make_unique<server::Router>(
      std::shared_ptr<server::LoopContext>(context.services, &context.services->loop),
      server::RouterOptions{.browsers = server::BrowserRules(context.plan.browsers, on_loopback),
                            .on_loopback = on_loopback,
                            .not_found = not_found_line(context.plan, listener),
                            .observer = &context.observer,
                            .admission = context.gate,
                            .is_draining = context.is_draining,
                            .guard = context.guard});
  const MakeMount make{.context = context, .rules = std::make_shared<NetworkRules>(context, on_loopback)};
  for (const MountPlan& mount : listener.mounts) {
    router->mount(*server::PathPattern::parse(mount.path), std::visit(make, mount.feature));
  }
  return router;
}

}  // namespace fanfare::gateway
