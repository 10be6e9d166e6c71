#include "api/site.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/connection.h"
#include "api/request_parts.h"
#include "api/route_endpoint.h"
#include "api/settings.h"
#include "session/server_session.h"

namespace fanfare::api {
namespace {

ws::UpgradePolicy policy_of(const WebSocketRoute& route, const Deflate& deflate) {
  return {.subprotocols = route.subprotocols,
          .subprotocol_required = route.subprotocol_required,
          .origins = route.origins,
          .deflate = to_engine(deflate)};
}

session::HttpResponse plain(int status, std::string body) {
  return {.status = status, .body = std::move(body), .headers = {}};
}

// To a plain request where there is only a WebSocket.
session::HttpResponse websocket_only(std::string_view method) {
  const bool could_upgrade = method == "GET" || method == "HEAD";
  ws::UpgradeRefusal refusal = ws::refuse_upgrade(could_upgrade ? ws::Rule::handshake_upgrade_missing
                                                                : ws::Rule::handshake_method_not_get);
  return session::response_of(std::move(refusal));
}

// RFC9110§9.3.7: OPTIONS * asks what the server can do at all.
session::HttpResponse server_options(const std::vector<RequestEntry>& requests, bool has_websockets) {
  std::string methods;
  std::set<std::string_view> listed;
  const auto add = [&](std::string_view method) {
    if (!listed.insert(method).second) return;
    if (!methods.empty()) methods += ", ";
    methods += method;
  };
  for (const RequestEntry& entry : requests) {
    add(entry.method);
    if (entry.method == "GET") add("HEAD");
  }
  if (has_websockets) add("GET");
  return {.status = 204, .content_type = "", .body = "", .headers = {{.name = "Allow", .value = methods}}};
}

// RFC9110§9.3.2: HEAD is GET without the body, which the engine leaves out.
bool fits(const RequestEntry& entry, std::string_view method) {
  return entry.method == method || (method == "HEAD" && entry.method == "GET");
}

}  // namespace

session::HttpResponse to_engine(Response response) {
  session::HttpResponse answer{.status = response.status,
                               .content_type = std::move(response.content_type),
                               .body = std::move(response.body),
                               .headers = {}};
  for (Header& header : response.headers) {
    answer.headers.push_back({.name = std::move(header.name), .value = std::move(header.value)});
  }
  return answer;
}

// Hands the events of one route's sessions on this loop to its handlers.
class RouteEndpoint final : public RouteEndpointBase {
 public:
  RouteEndpoint(Core& core, const WebSocketRoute& route)
      : RouteEndpointBase(core.session_settings(), route),
        policy(policy_of(route, core.options().deflate)),
        core_(core) {}

  const ws::UpgradePolicy policy;

 private:
  static Session& handle(session::Session& engine) { return Connection::of(engine).handle(); }

  void on_open(session::Session& engine) override {
    core_.open_sessions.fetch_add(1, std::memory_order_relaxed);
    route().open(handle(engine));
  }
  void on_message(session::Session& engine, const session::Message& message) override {
    const auto kind = message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
    route().message(handle(engine), Message(kind, message.payload));
  }
  void on_drained(session::Session& engine) override {
    if (Connection::of(engine).send_waiting()) route().drain(handle(engine));
  }
  void on_pong(session::Session& engine, Bytes payload) override { route().pong(handle(engine), payload); }
  void on_close(session::Session& engine, const session::CloseInfo& info) override {
    Connection::of(engine).unsubscribe_all();
    core_.open_sessions.fetch_sub(1, std::memory_order_relaxed);
    route().close(handle(engine), to_public(info));
  }

  Core& core_;
};

ApiSite::ApiSite(Core& core, session::LoopServer& server, std::uint32_t index)
    : core_(core), connections_(sizeof(Connection)), lane_(core, server, index) {
  for (const UpgradeEntry& entry : core.upgrades()) {
    endpoints_.push_back(std::make_unique<RouteEndpoint>(core, *entry.route));
  }
}

ApiSite::~ApiSite() = default;

void ApiSite::on_request(session::ServerSession& session, const http::Request& request) {
  // RFC9112§3.2.4, §3.2.3: "*" and CONNECT's "host:port" are no paths, and fit no route.
  if (request.path == "*") return session.respond(server_options(core_.requests(), !endpoints_.empty()));
  if (!request.path.starts_with('/')) return session.respond(plain(501, "this is no proxy\n"));
  const auto segments = http::path_segments(request.path);
  if (!segments) return session.respond(plain(400, "the request's path is not well encoded\n"));
  std::string allowed;
  for (const RequestEntry& entry : core_.requests()) {
    const auto parameters = entry.path.match(*segments);
    if (!parameters) continue;
    if (fits(entry, request.method)) {
      const session::SessionId id = session.id();
      const RequestParts parts(session, request, *parameters);
      return entry.answer(
          parts.handle(),
          core_.responder_for({.loop = lane_.index(), .place = id.place, .generation = id.generation}));
    }
    if (!allowed.empty()) allowed += ", ";
    allowed += entry.method;
  }
  if (!allowed.empty()) {
    auto answer = plain(405, "the method is not allowed here\n");
    answer.headers.push_back({.name = "Allow", .value = allowed});
    return session.respond(answer);
  }
  for (const UpgradeEntry& entry : core_.upgrades()) {
    if (entry.path.match(*segments)) return session.respond(websocket_only(request.method));
  }
  session.respond(plain(404, "there is nothing here\n"));
}

session::UpgradeDecision ApiSite::on_upgrade(session::ServerSession& session, const http::Request& request) {
  const auto segments = http::path_segments(request.path);
  if (!segments) return plain(400, "the request's path is not well encoded\n");
  for (std::size_t i = 0; i < endpoints_.size(); ++i) {
    const UpgradeEntry& entry = core_.upgrades()[i];
    const auto parameters = entry.path.match(*segments);
    if (!parameters) continue;
    // Before the program is asked: what it does then is for those who may connect (RFC6455§10.2).
    auto agreed = session::check_upgrade(request, endpoints_[i]->policy);
    if (!agreed) return session::response_of(std::move(agreed.error()));
    const RequestParts parts(session, request, *parameters);
    auto accepted = entry.route->upgrade(parts.handle());
    if (!accepted) return to_engine(std::move(accepted.error()));
    std::unique_ptr<Connection> data(new (connections_) Connection(session, *std::move(accepted)));
    return session::Acceptance{.endpoint = endpoints_[i].get(),
                               .policy = &endpoints_[i]->policy,
                               .data = std::move(data),
                               .agreed = *std::move(agreed)};
  }
  return plain(404, "there is nothing here\n");
}

}  // namespace fanfare::api
