#include "api/rpc_mount.h"

#include <algorithm>
#include <string>
#include <utility>

#include "access/credentials.h"
#include "api/border.h"
#include "api/connection.h"
#include "api/handler_thread.h"
#include "api/mounts.h"
#include "api/request_parts.h"
#include "api/rpc_events.h"
#include "api/rpc_refusal.h"
#include "api/rpc_session.h"
#include "rpc/registered_methods.h"
#include "rpc/service.h"
#include "server/browser_rules.h"
#include "server/content_coding.h"
#include "server/listener.h"

namespace fanfare::api {
namespace {

Session& handle_of(session::Session& engine) {
  return Connection::of(engine).handle();
}
rpc::Connection& connection_of(Session& session) {
  return RpcSession::of(session).connection;
}
rpc::Connection& connection_of(session::Session& engine) {
  return connection_of(handle_of(engine));
}

// On a loop or on a worker.
bool guard(std::string_view method, const std::function<void()>& handler) {
  const HandlerThread marked;
  return call_handler(method, handler);
}

rpc::Limits limits_of(const RpcOptions& options) {
  return {.requests_in_flight_max = options.requests_in_flight_max,
          .batch_items_max = options.batch_items_max,
          .batch_answer_bytes_max = options.batch_answer_bytes_max,
          .held_bytes_per_connection_max = options.held_bytes_per_client_max,
          .version_1 = options.version_1};
}

// Who sent a request. An exception of the program's function is a 500.
Expected<rpc::Caller, Response> identify(rpc::Registry& registry, const Request& request,
                                         rpc::Transport transport, Instant now) {
  const RpcOptions& options = registry.options();
  std::shared_ptr<const RpcIdentity> identity;
  if (options.authenticate != nullptr) {
    Expected<RpcIdentity, Response> decided =
        Unexpected(Response{.status = 500, .body = std::string(kNoAnswer)});
    call_handler("authenticate", [&] { decided = options.authenticate(request); });
    if (!decided) return Unexpected(std::move(decided.error()));
    identity = std::make_shared<const RpcIdentity>(*std::move(decided));
  }
  return registry.callers().make(transport, std::move(identity), request.peer(), now);
}

// The handlers of the service's sessions.
class RpcRoute final : public WebSocketRoute {
 public:
  explicit RpcRoute(const RpcSession::Context& context) : context_(context) {
    subprotocols = options().subprotocols;
    // Browsers offer it beside their token.
    if (options().authenticate != nullptr) subprotocols.emplace_back(access::kSubprotocol);
    deflate = options().deflate;
    has_message_handler = true;
    counts_events = true;
  }

  Expected<std::unique_ptr<Session>, Response> upgrade(const Request& request) const override {
    const Instant now = context_.server.loop().now();
    auto caller = identify(context_.registry, request, rpc::Transport::websocket, now);
    if (!caller) return Unexpected(std::move(caller.error()));
    if (const auto refusal = rpc::Callers::take_connection(*caller, now)) {
      return Unexpected(response_to(429, *refusal));
    }
    return std::make_unique<RpcSession>(context_, *std::move(caller));
  }
  bool decides_later() const override { return false; }
  void decide(const Request&, UpgradeTicket) const override {}
  void open(Session& session) const override { RpcSession::of(session).open(); }
  void message(Session& session, const Message& message) const override {
    if (message.is_binary() && options().binary) {
      if (RpcSession::of(session).admit_binary(message.bytes().size())) {
        options().binary(session, message.bytes());
      }
      return;
    }
    context_.service.on_message(connection_of(session), message.text());
  }
  void chunk(Session&, const MessageChunk&) const override {}
  void drain(Session& session) const override { context_.service.on_drained(connection_of(session)); }
  void pong(Session&, Bytes) const override {}
  void lagged(Session&, std::string_view, std::uint64_t) const override {}
  void missed(Session& session, std::string_view topic, const Missed& missed) const override {
    if (const std::string text = missed_notification(topic, missed); !text.empty()) session.send(text);
  }
  void notice(Session&, std::string_view, TopicNotice) const override {}
  void close(Session& session, const Close&) const override { RpcSession::of(session).close(); }
  void event_sent(Session& session, std::size_t bytes) const override {
    RpcSession::of(session).pay_for_event(bytes);
  }

 private:
  const RpcOptions& options() const { return context_.registry.options(); }

  const RpcSession::Context context_;
};

// Whether only this machine can reach a TCP listener.
template <typename Listening>
bool is_local(const Listening& listener) {
  return listener.inherited_socket.empty() &&
         server::is_on_loopback({.host = listener.host, .proxy_protocol = listener.proxy_protocol});
}

// Whether there are TCP listeners, all of them local: then pages of other origins have no business here.
bool is_on_loopback(const ServerOptions& options) {
  bool has_tcp = false;
  bool all_local = true;
  const auto look_at = [&](const auto& listener) {
    if (!listener.unix_path.empty()) return;
    has_tcp = true;
    all_local = all_local && is_local(listener);
  };
  look_at(options);
  for (const Listener& listener : options.more_listeners) look_at(listener);
  return has_tcp && all_local;
}

// Completed calls find their way back to the loop, if the server and the caller still exist.
std::shared_ptr<const rpc::OpenMessage::Post> post_to(LoopContext& loop_context) {
  return std::make_shared<const rpc::OpenMessage::Post>(
      [impl = loop_context.impl().weak_from_this(), loop = loop_context.index()](
          session::SessionId id, UniqueFunction<void()> task) {
        const auto self = impl.lock();
        if (self == nullptr) return;
        self->post_to_loop(loop, [id, task = std::move(task)](LoopContext& there) mutable {
          const session::SessionTable& sessions = there.server().sessions();
          if (sessions.find(id) != nullptr || sessions.find_http(id) != nullptr) task();
        });
      });
}

class RpcMount final : public server::Mount {
 public:
  RpcMount(LoopContext& loop_context, const RpcEntry& entry)
      : registry_(entry.registry),
        rules_({.hosts = options().allowed_hosts, .origins = options().allowed_origins},
               is_on_loopback(loop_context.impl().options())),
        methods_({.registry = *registry_,
                  .server = loop_context.server(),
                  .post = post_to(loop_context),
                  .handle_of = &handle_of,
                  .connection_of = &connection_of,
                  .guard = &guard}),
        service_(limits_of(options()), {.methods = methods_,
                                        .observer = observer_,
                                        .server = loop_context.server(),
                                        .budget = *registry_->budget(),
                                        .connection_of = &connection_of}),
        route_({.registry = *registry_, .service = service_, .server = loop_context.server()}),
        loop_(loop_context.server().loop()) {}

  const WebSocketRoute& route() const { return route_; }
  void serve_upgrades(std::shared_ptr<server::Mount> upgrades) { upgrades_ = std::move(upgrades); }

  server::Offer offer(const server::PathPattern::Match&) const override {
    return {.methods = "POST", .has_websocket = true, .browsers = &rules_};
  }
  void on_request(session::HttpConnection& session, const server::Target& target) override {
    if (const auto refusal = server::refuse_content_coding(target.request)) return session.respond(*refusal);
    const RequestParts parts(session, target.request, target.match.parameters);
    const auto caller = identify(*registry_, parts.handle(), rpc::Transport::http, loop_.now());
    if (!caller) return session.respond(to_engine(caller.error()));
    service_.handle_http(
        session, as_text(target.request.body), *caller,
        [](session::HttpConnection& asker, const session::HttpResponse& answer) { asker.respond(answer); });
  }
  session::UpgradeDecision on_upgrade(session::HttpConnection& session,
                                      const server::Target& target) override {
    return upgrades_->on_upgrade(session, target);
  }

 private:
  const RpcOptions& options() const { return registry_->options(); }

  const std::shared_ptr<rpc::Registry> registry_;
  const server::BrowserRules rules_;
  rpc::Observer observer_;
  rpc::RegisteredMethods methods_;
  rpc::Service service_;
  const RpcRoute route_;
  const net::Loop& loop_;
  std::shared_ptr<server::Mount> upgrades_;
};

}  // namespace

std::shared_ptr<server::Mount> make_rpc_mount(
    LoopContext& loop_context, const RpcEntry& entry,
    const std::function<std::shared_ptr<server::Mount>(const WebSocketRoute&)>& upgrades) {
  auto mount = std::make_shared<RpcMount>(loop_context, entry);
  mount->serve_upgrades(upgrades(mount->route()));
  return mount;
}

std::optional<std::string> find_wrong_rpc(const Routes& routes, const ServerOptions& server) {
  for (const RpcEntry& entry : routes.rpcs()) {
    if (!entry.registry->problem().empty()) return entry.registry->problem();
    const RpcOptions& options = entry.registry->options();
    for (const auto& [name, limits] : {std::pair("per_identity.", &options.per_identity),
                                       std::pair("per_address.", &options.per_address)}) {
      if (const std::string problem = rpc::problem_of(*limits); !problem.empty()) return name + problem;
    }
    const auto is_exposed = [&](const auto& listener) {
      if (!listener.unix_path.empty() || is_local(listener)) return false;
      return !listener.tls || options.authenticate == nullptr;
    };
    if (options.allow_insecure_public) continue;
    if (is_exposed(server) || std::ranges::any_of(server.more_listeners, is_exposed)) {
      return "JSON-RPC that other machines can reach needs TLS and RpcOptions::authenticate, or "
             "RpcOptions::allow_insecure_public";
    }
  }
  return std::nullopt;
}

}  // namespace fanfare::api
