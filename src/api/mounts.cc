#include "api/mounts.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "api/border.h"
#include "api/connection.h"
#include "api/pending_upgrade.h"
#include "api/request_parts.h"
#include "api/settings.h"
#include "base/block_pool.h"
#include "base/guard.h"
#include "server/mount.h"
#include "server/router.h"
#include "session/server_session.h"
#include "ws/close_code.h"

namespace fanfare::api {
namespace {

ws::UpgradePolicy policy_of(const WebSocketRoute& route, const Deflate& deflate) {
  return {.subprotocols = route.subprotocols,
          .subprotocol_required = route.subprotocol_required,
          .origins = route.origins,
          .deflate = to_engine(deflate)};
}

}  // namespace

void end_after_exception(session::Session& engine) {
  if (!run_guarded("a connection", [&] { engine.start_closing(ws::close_code::internal_error); })) {
    engine.close();
  }
}

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

// Passes the events of one route's sessions on this loop to its handlers.
class RouteEndpoint final : public session::Endpoint {
 public:
  RouteEndpoint(Core& core, const WebSocketRoute& route)
      : Endpoint(core.session_settings()),
        policy(policy_of(route, core.options().deflate)),
        core_(core),
        route_(route) {}

  const ws::UpgradePolicy policy;

 private:
  static Session& handle(session::Session& engine) { return Connection::of(engine).handle(); }
  // RFC6455§7.4.1: 1011 reports an unexpected condition. The exception is not revealed to the peer.
  template <typename Call>
  static void guard(std::string_view handler, session::Session& engine, Call&& call) {
    if (!call_handler(handler, std::forward<Call>(call))) end_after_exception(engine);
  }

  void on_open(session::Session& engine) override {
    core_.open_sessions.fetch_add(1, std::memory_order_relaxed);
    guard("open", engine, [&] { route_.open(handle(engine)); });
  }
  void on_message(session::Session& engine, const session::Message& message) override {
    const auto kind = message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
    guard("message", engine, [&] { route_.message(handle(engine), Message(kind, message.payload)); });
  }
  void on_drained(session::Session& engine) override {
    guard("drain", engine, [&] { Connection::of(engine).on_drained(route_); });
  }
  void on_pong(session::Session& engine, Bytes payload) override {
    guard("pong", engine, [&] { route_.pong(handle(engine), payload); });
  }
  void on_close(session::Session& engine, const session::CloseInfo& info) override {
    Connection::of(engine).unsubscribe_all();
    Connection::lane().timers().forget(engine);
    core_.open_sessions.fetch_sub(1, std::memory_order_relaxed);
    call_handler("close", [&] { route_.close(handle(engine), to_public(info)); });
  }

  Core& core_;
  const WebSocketRoute& route_;
};

namespace {

// RFC6455§11.3.4: a list, in one or several fields.
std::vector<std::string> offered_subprotocols(http::Headers headers) {
  std::vector<std::string> offered;
  for (const HeaderField& field : headers) {
    if (!http::equals_ignoring_case(field.name, "Sec-WebSocket-Protocol")) continue;
    std::string_view list = field.value;
    while (!list.empty()) {
      const std::size_t comma = list.find(',');
      offered.emplace_back(http::trim_space(list.substr(0, comma)));
      list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    }
  }
  return offered;
}

// The objects shared by all routes of one loop.
struct LoopRoutes {
  LoopRoutes(Core& core, session::LoopServer& server, std::uint32_t index)
      : connections(sizeof(Connection)), lane(core, server, index) {}

  BlockPool connections;  // their memory
  Lane lane;
};

class RequestMount final : public server::Mount {
 public:
  RequestMount(std::shared_ptr<LoopRoutes> loop, const RequestEntry& entry)
      : loop_(std::move(loop)), entry_(entry) {}

  server::Offer offer(const server::PathPattern::Match&) const override { return {.methods = entry_.method}; }
  void on_request(session::ServerSession& session, const server::Target& target) override {
    const session::SessionId id = session.id();
    const RequestParts parts(session, target.request, target.match.parameters);
    Lane& lane = loop_->lane;
    // An exception destroys the responder, unless it was moved elsewhere; that answers 500.
    call_handler("http", [&] {
      entry_.answer(parts.handle(), lane.core().responder_for({.loop = lane.index(),
                                                               .place = id.place,
                                                               .generation = id.generation}));
    });
  }

 private:
  const std::shared_ptr<LoopRoutes> loop_;
  const RequestEntry& entry_;
};

class WebSocketMount final : public server::Mount {
 public:
  WebSocketMount(std::shared_ptr<LoopRoutes> loop, const WebSocketRoute& route)
      : loop_(std::move(loop)), route_(route), endpoint_(loop_->lane.core(), route) {}

  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = {}, .has_websocket = true};
  }
  void on_request(session::ServerSession&, const server::Target&) override {}
  session::UpgradeDecision on_upgrade(session::ServerSession& session,
                                      const server::Target& target) override {
    // Checked first: the program's handler runs only for clients that may connect (RFC6455§10.2).
    auto agreed = session::check_upgrade(target.request, endpoint_.policy);
    if (!agreed) return session::response_of(std::move(agreed.error()));
    const RequestParts parts(session, target.request, target.match.parameters);
    if (route_.decides_later()) return decide(session, target.request, parts, *std::move(agreed));
    Expected<std::unique_ptr<Session>, Response> accepted = nullptr;
    if (!call_handler("upgrade", [&] { accepted = route_.upgrade(parts.handle()); })) {
      return session::HttpResponse{.status = 500, .body = "the server has no answer to this\n", .headers = {}};
    }
    if (!accepted) return to_engine(std::move(accepted.error()));
    return acceptance(session, *std::move(accepted), *std::move(agreed));
  }

 private:
  session::Acceptance acceptance(session::ServerSession& session, std::unique_ptr<Session> with_data,
                                 ws::UpgradeAccept agreed) {
    std::unique_ptr<Connection> data(new (loop_->connections) Connection(session, std::move(with_data)));
    return {.endpoint = &endpoint_,
            .policy = &endpoint_.policy,
            .data = std::move(data),
            .agreed = std::move(agreed)};
  }

  session::UpgradeDecision decide(session::ServerSession& session, const http::Request& request,
                                  const RequestParts& parts, ws::UpgradeAccept agreed) {
    const session::SessionId id = session.id();
    // This mount outlives the loop's sessions.
    const auto open = [this](session::ServerSession& waiting, std::unique_ptr<Session> with_data,
                             ws::UpgradeAccept chosen, std::vector<ws::OwnedHeader> headers) {
      session::Acceptance accepted = acceptance(waiting, std::move(with_data), std::move(chosen));
      accepted.headers = std::move(headers);
      waiting.accept_upgrade(std::move(accepted));
    };
    Lane& lane = loop_->lane;
    UpgradeTicket ticket(std::make_shared<PendingUpgrade>(
        lane.core().weak_from_this(),
        SessionId{.loop = lane.index(), .place = id.place, .generation = id.generation}, std::move(agreed),
        offered_subprotocols(request.headers), open));
    // If an exception destroys the ticket, the client gets a 500.
    call_handler("decide", [&] { route_.decide(parts.handle(), std::move(ticket)); });
    return session::DecideLater{};
  }

  const std::shared_ptr<LoopRoutes> loop_;
  const WebSocketRoute& route_;
  RouteEndpoint endpoint_;
};

}  // namespace

session::Server::Sites make_sites(Core& core, session::LoopServer& server, std::uint32_t loop_index,
                                  std::size_t listener_count) {
  const auto loop = std::make_shared<LoopRoutes>(core, server, loop_index);
  std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> mounts;
  for (const RequestEntry& entry : core.requests()) {
    mounts.emplace_back(entry.path, std::make_shared<RequestMount>(loop, entry));
  }
  for (const UpgradeEntry& entry : core.upgrades()) {
    mounts.emplace_back(entry.path, std::make_shared<WebSocketMount>(loop, *entry.route));
  }
  for (const FilesEntry& entry : core.files()) mounts.emplace_back(entry.path, entry.mount);
  session::Server::Sites sites;
  for (std::size_t i = 0; i < listener_count; ++i) {
    auto router = std::make_unique<server::Router>();
    for (const auto& [path, mount] : mounts) router->mount(path, mount);
    sites.push_back(std::move(router));
  }
  return sites;
}

}  // namespace fanfare::api
