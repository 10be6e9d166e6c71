#include "api/site.h"

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "api/border.h"
#include "api/connection.h"
#include "api/request_parts.h"
#include "api/settings.h"
#include "base/guard.h"
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

// Hands the events of one route's sessions on this loop to its handlers.
class RouteEndpoint : public session::Endpoint {
 public:
  RouteEndpoint(Core& core, const WebSocketRoute& route)
      : RouteEndpoint(core, route, core.session_settings()) {}

  const ws::UpgradePolicy policy;

 protected:
  RouteEndpoint(Core& core, const WebSocketRoute& route, const session::SessionSettings& settings)
      : Endpoint(settings),
        policy(policy_of(route, route.deflate.value_or(core.options().deflate))),
        core_(core),
        route_(route) {}

  static Session& handle(session::Session& engine) { return Connection::of(engine).handle(); }
  // RFC6455§7.4.1: 1011 is for what the server did not expect. The peer does not learn what was thrown.
  template <typename Call>
  [[gnu::always_inline]] static void guard(std::string_view handler, session::Session& engine, Call&& call) {
    if (!call_handler(handler, std::forward<Call>(call))) end_after_exception(engine);
  }
  static Message::Kind kind_of(const session::Message& message) {
    return message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
  }
  const WebSocketRoute& route() const { return route_; }

 private:
  void on_open(session::Session& engine) override {
    core_.open_sessions.fetch_add(1, std::memory_order_relaxed);
    core_.opened_sessions.fetch_add(1, std::memory_order_relaxed);
    guard("open", engine, [&] { route_.open(handle(engine)); });
  }
  void on_message(session::Session& engine, const session::Message& message) override {
    guard("message", engine,
          [&] { route_.message(handle(engine), Message(kind_of(message), message.payload)); });
  }
  void on_drained(session::Session& engine) override {
    guard("drain", engine, [&] {
      // Topics wait for the end of a message in pieces, whose writer waits for this.
      if (Connection::of(engine).send_waiting(route_) || engine.is_sending_pieces()) {
        route_.drain(handle(engine));
      }
    });
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

// A route with a chunk handler: its messages come in pieces.
struct ChunkSettings {
  ChunkSettings(session::SessionSettings of_all, const WebSocketRoute& route)
      : with_pieces(std::move(of_all)) {
    with_pieces.pieces = piece_limits(route.chunked_bytes_max);
  }
  session::SessionSettings with_pieces;
};

class ChunkEndpoint final : private ChunkSettings, public RouteEndpoint {
 public:
  ChunkEndpoint(Core& core, const WebSocketRoute& its_route)
      : ChunkSettings(core.session_settings(), its_route), RouteEndpoint(core, its_route, with_pieces) {}

 private:
  void on_message(session::Session& engine, const session::Message& message) override {
    guard("chunk", engine, [&] {
      route().chunk(handle(engine),
                    MessageChunk(kind_of(message), message.payload, message.first, message.last));
    });
  }
};

}  // namespace

ApiSite::ApiSite(Core& core, session::LoopServer& server, std::uint32_t index)
    : core_(core), connections_(sizeof(Connection)), lane_(core, server, index) {
  for (const UpgradeEntry& entry : core.upgrades()) {
    if (entry.route->has_chunk_handler) {
      endpoints_.push_back(std::make_unique<ChunkEndpoint>(core, *entry.route));
    } else {
      endpoints_.push_back(std::make_unique<RouteEndpoint>(core, *entry.route));
    }
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
      // What is thrown destroys the responder, unless it is somewhere else by then, and that answers 500.
      call_handler("http", [&] {
        entry.answer(
            parts.handle(),
            core_.responder_for({.loop = lane_.index(), .place = id.place, .generation = id.generation}));
      });
      return;
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
    Expected<std::unique_ptr<Session>, Response> accepted = nullptr;
    if (!call_handler("upgrade", [&] { accepted = entry.route->upgrade(parts.handle()); })) {
      return plain(500, "the server has no answer to this\n");
    }
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
