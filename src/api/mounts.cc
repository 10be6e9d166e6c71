#include "api/mounts.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "api/border.h"
#include "api/connection.h"
#include "api/pending_upgrade.h"
#include "api/request_body_channel.h"
#include "api/request_parts.h"
#include "api/route_endpoint.h"
#include "api/rpc_mount.h"
#include "api/server_canvas.h"
#include "api/server_streams.h"
#include "api/settings.h"
#include "base/block_pool.h"
#include "base/guard.h"
#include "server/mount.h"
#include "server/router.h"
#include "session/http_connection.h"
#include "streamserver/mounts.h"
#include "ws/close_code.h"

namespace fanfare::api {
namespace {

ws::UpgradePolicy policy_of(const WebSocketRoute& route, const Deflate& deflate) {
  return {.subprotocols = route.subprotocols,
          .subprotocol_required = route.subprotocol_required,
          .origins = route.origins,
          .deflate = to_engine(deflate)};
}

session::HttpResponse no_answer() {
  return {.status = 500, .body = std::string(kNoAnswer), .headers = {}};
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
class RouteEndpoint : public RouteEndpointBase {
 public:
  RouteEndpoint(ServerImpl& impl, const WebSocketRoute& route)
      : RouteEndpoint(impl, route, impl.session_settings()) {}

  const ws::UpgradePolicy policy;

 protected:
  RouteEndpoint(ServerImpl& impl, const WebSocketRoute& route, const session::SessionSettings& settings)
      : RouteEndpointBase(settings, route),
        policy(policy_of(route, route.deflate.value_or(impl.options().deflate))),
        impl_(impl) {}

  static Session& handle(session::Session& engine) { return Connection::of(engine).handle(); }
  // RFC6455§7.4.1: 1011 reports an unexpected condition. The exception is not revealed to the peer.
  template <typename Call>
  [[gnu::always_inline]] static void guard(std::string_view handler, session::Session& engine, Call&& call) {
    if (!call_handler(handler, std::forward<Call>(call))) end_after_exception(engine);
  }

  static Message::Kind kind_of(const session::Message& message) {
    return message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
  }

 private:
  void on_open(session::Session& engine) override {
    impl_.open_sessions.fetch_add(1, std::memory_order_relaxed);
    impl_.opened_sessions.fetch_add(1, std::memory_order_relaxed);
    guard("open", engine, [&] { route().open(handle(engine)); });
  }
  void on_message(session::Session& engine, const session::Message& message) override {
    guard("message", engine,
          [&] { route().message(handle(engine), Message(kind_of(message), message.payload)); });
  }
  void on_drained(session::Session& engine) override {
    guard("drain", engine, [&] { Connection::of(engine).on_drained(route()); });
  }
  void on_pong(session::Session& engine, Bytes payload) override {
    guard("pong", engine, [&] { route().pong(handle(engine), payload); });
  }
  void on_close(session::Session& engine, const session::CloseInfo& info) override {
    Connection::of(engine).unsubscribe_all();
    Connection::loop_context().timers().forget(engine);
    impl_.open_sessions.fetch_sub(1, std::memory_order_relaxed);
    call_handler("close", [&] { route().close(handle(engine), to_public(info)); });
  }

  ServerImpl& impl_;
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

// The settings of a route with a chunk handler, whose messages arrive in pieces.
struct ChunkSettings {
  ChunkSettings(session::SessionSettings of_all, const WebSocketRoute& route)
      : with_pieces(std::move(of_all)) {
    with_pieces.pieces = piece_limits(route.chunked_bytes_max);
  }
  session::SessionSettings with_pieces;
};

class ChunkEndpoint final : private ChunkSettings, public RouteEndpoint {
 public:
  ChunkEndpoint(ServerImpl& impl, const WebSocketRoute& its_route)
      : ChunkSettings(impl.session_settings(), its_route), RouteEndpoint(impl, its_route, with_pieces) {}

 private:
  void on_message(session::Session& engine, const session::Message& message) override {
    guard("chunk", engine, [&] {
      route().chunk(handle(engine),
                    MessageChunk(kind_of(message), message.payload, message.first, message.last));
    });
  }
};

std::unique_ptr<RouteEndpoint> make_endpoint(ServerImpl& impl, const WebSocketRoute& route) {
  if (route.has_chunk_handler) return std::make_unique<ChunkEndpoint>(impl, route);
  return std::make_unique<RouteEndpoint>(impl, route);
}

// Server::admit().
class ProgramAdmission final : public server::Admission {
 public:
  explicit ProgramAdmission(const std::function<std::optional<Response>(const Request&)>& decide)
      : decide_(decide) {}

  std::expected<std::shared_ptr<server::Admitted>, session::HttpResponse> admit(
      const session::HttpConnection& session, const http::Request& request,
      const server::PathPattern::Match& match, bool /*is_upgrade*/) override {
    const RequestParts parts(session, request, match.parameters);
    std::optional<Response> refused;
    if (!call_handler("admit", [&] { refused = decide_(parts.handle()); })) {
      return std::unexpected(no_answer());
    }
    if (refused) return std::unexpected(to_engine(*std::move(refused)));
    return nullptr;  // the program's routes need to know nothing of it
  }

 private:
  const std::function<std::optional<Response>(const Request&)>& decide_;
};

// The objects shared by all routes of one loop.
struct LoopRoutes {
  LoopRoutes(ServerImpl& impl, session::LoopServer& server, std::uint32_t index)
      : connections(sizeof(Connection)), loop_context(impl, server, index) {
    if (impl.routes().decide()) admission = std::make_unique<ProgramAdmission>(impl.routes().decide());
    ServerStreams* const of_server = impl.streams();
    if (of_server == nullptr) return;
    streams = std::make_unique<streamserver::LoopStreams>(of_server->catalog, *loop_context.hub(), server,
                                                          of_server->settings);
  }

  BlockPool connections;  // their memory
  LoopContext loop_context;
  std::unique_ptr<ProgramAdmission> admission;         // null: every request is admitted
  std::unique_ptr<streamserver::LoopStreams> streams;  // null: the server has none
};

class RequestMount final : public server::Mount {
 public:
  RequestMount(std::shared_ptr<LoopRoutes> loop, const RequestEntry& entry)
      : loop_(std::move(loop)), entry_(entry) {}

  server::Offer offer(const server::PathPattern::Match&) const override {
    server::Offer offer{.methods = entry_.method};
    offer.body.in_pieces = static_cast<bool>(entry_.answer_in_pieces);
    if (entry_.body.bytes_max > 0) offer.body.bytes_max = entry_.body.bytes_max;
    return offer;
  }
  bool plans_bodies() const override { return static_cast<bool>(entry_.answer_in_pieces); }
  void on_request(session::HttpConnection& session, const server::Target& target) override {
    const session::SessionId id = session.id();
    const RequestParts parts(session, target.request, target.match.parameters);
    const SessionId request{
        .loop = loop_->loop_context.index(), .slot = id.slot, .generation = id.generation};
    ServerImpl& impl = loop_->loop_context.impl();
    std::shared_ptr<RequestBodyChannel> channel;
    if (entry_.answer_in_pieces) {
      channel = std::make_shared<RequestBodyChannel>(impl.weak_from_this(), request);
      session.receive_body(std::make_unique<ChannelReader>(channel));
    }
    const bool ended = call_handler("http", [&] {
      if (channel == nullptr) {
        entry_.answer(parts.handle(), impl.responder_for(request));
      } else {
        entry_.answer_in_pieces(parts.handle(), impl.responder_for(request), channel->reader());
      }
    });
    // An exception destroys the responder, which answers 500; but not if it was moved elsewhere, nor in a program
    // without exceptions, whose functions are left without destroying their objects.
    if (!ended) session.respond_last(no_answer());
  }

 private:
  const std::shared_ptr<LoopRoutes> loop_;
  const RequestEntry& entry_;
};

class WebSocketMount final : public server::Mount {
 public:
  WebSocketMount(std::shared_ptr<LoopRoutes> loop, const WebSocketRoute& route)
      : loop_(std::move(loop)), route_(route), endpoint_(make_endpoint(loop_->loop_context.impl(), route)) {}

  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = {}, .has_websocket = true};
  }
  void on_request(session::HttpConnection&, const server::Target&) override {}
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const server::Target& target) override {
    // Checked first: the program's handler runs only for clients that may connect (RFC6455§10.2).
    auto agreed = session::check_upgrade(target.request, endpoint_->policy);
    if (!agreed) return session::response_of(std::move(agreed.error()));
    const RequestParts parts(session, target.request, target.match.parameters);
    if (route_.decides_later()) return decide(session, target.request, parts, *std::move(agreed));
    Expected<std::unique_ptr<Session>, Response> accepted = nullptr;
    if (!call_handler("upgrade", [&] { accepted = route_.upgrade(parts.handle()); })) {
      return no_answer();
    }
    if (!accepted) return to_engine(std::move(accepted.error()));
    return acceptance(*std::move(accepted), *std::move(agreed));
  }

 private:
  session::Acceptance acceptance(std::unique_ptr<Session> with_data, ws::UpgradeAccept agreed) {
    std::unique_ptr<Connection> data(new (loop_->connections) Connection(std::move(with_data)));
    return {.endpoint = endpoint_.get(),
            .policy = &endpoint_->policy,
            .data = std::move(data),
            .agreed = std::move(agreed)};
  }

  session::UpgradeDecision decide(session::HttpConnection& session, const http::Request& request,
                                  const RequestParts& parts, ws::UpgradeAccept agreed) {
    const session::SessionId id = session.id();
    // This mount outlives the loop's sessions.
    const auto open = [this](session::HttpConnection& waiting, std::unique_ptr<Session> with_data,
                             ws::UpgradeAccept chosen, std::vector<ws::OwnedHeader> headers) {
      session::Acceptance accepted = acceptance(std::move(with_data), std::move(chosen));
      accepted.headers = std::move(headers);
      waiting.accept_upgrade(std::move(accepted));
    };
    LoopContext& loop_context = loop_->loop_context;
    const auto pending = std::make_shared<PendingUpgrade>(
        loop_context.impl().weak_from_this(),
        SessionId{.loop = loop_context.index(), .slot = id.slot, .generation = id.generation},
        std::move(agreed), offered_subprotocols(request.headers), open);
    UpgradeTicket ticket(pending);
    // As after a request's handler: an exception may leave the ticket somewhere.
    if (!call_handler("decide", [&] { route_.decide(parts.handle(), std::move(ticket)); })) {
      pending->refuse({.status = 500, .body = std::string(kNoAnswer)});
    }
    return session::DecideLater{};
  }

  const std::shared_ptr<LoopRoutes> loop_;
  const WebSocketRoute& route_;
  const std::unique_ptr<RouteEndpoint> endpoint_;
};

}  // namespace

session::Server::HttpServices make_http_services(ServerImpl& impl, session::LoopServer& server,
                                                 std::uint32_t loop_index, std::size_t listener_count) {
  const auto loop = std::make_shared<LoopRoutes>(impl, server, loop_index);
  std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> mounts;
  for (const RequestEntry& entry : impl.routes().requests()) {
    mounts.emplace_back(entry.path, std::make_shared<RequestMount>(loop, entry));
  }
  for (const UpgradeEntry& entry : impl.routes().upgrades()) {
    mounts.emplace_back(entry.path, std::make_shared<WebSocketMount>(loop, *entry.route));
  }
  for (const RpcEntry& entry : impl.routes().rpcs()) {
    mounts.emplace_back(entry.path,
                        make_rpc_mount(loop->loop_context, entry, [&](const WebSocketRoute& route) {
                          return std::make_shared<WebSocketMount>(loop, route);
                        }));
  }
  if (const ServerStreams* const streams = impl.streams()) {
    const std::shared_ptr<streamserver::LoopStreams> part(loop, loop->streams.get());
    mounts.emplace_back(*server::PathPattern::parse(streams->path),
                        std::make_shared<streamserver::WebSocketMount>(part, streams->policy));
    mounts.emplace_back(*server::PathPattern::parse(streams->path + "/sse"),
                        std::make_shared<streamserver::EventsMount>(part));
  }
  if (impl.canvas() != nullptr) {
    for (auto& mount : impl.canvas()->make_mounts(server.loop())) mounts.push_back(std::move(mount));
  }
  for (const FilesEntry& entry : impl.routes().files()) mounts.emplace_back(entry.path, entry.mount);
  session::Server::HttpServices services;
  for (std::size_t i = 0; i < listener_count; ++i) {
    auto router = std::make_unique<server::Router>(
        std::shared_ptr<server::LoopContext>(loop, &loop->loop_context.shared()),
        server::RouterOptions{.admission = loop->admission.get()});
    for (const auto& [path, mount] : mounts) router->mount(path, mount);
    services.push_back(std::move(router));
  }
  return services;
}

}  // namespace fanfare::api
