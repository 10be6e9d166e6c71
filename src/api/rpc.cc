#include "fanfare/rpc.h"

#include <algorithm>
#include <utility>

#include "api/misuse.h"
#include "api/option_check.h"
#include "api/rpc_events.h"
#include "api/rpc_mount.h"
#include "api/rpc_session.h"
#include "api/server_impl.h"
#include "http/headers.h"
#include "rpc/describe.h"
#include "rpc/registry.h"
#include "server/browser_rules.h"

namespace fanfare {
namespace {

constexpr int kNoSuchMethod = -32601;
constexpr int kWrongParameter = -32602;
constexpr int kPermissionDenied = -32001;
constexpr std::string_view kNeedsWebSocket = "subscriptions need a WebSocket connection";

// `subscribe` and `unsubscribe` have one parameter.
RpcParam<std::string> event_parameter() {
  return {"event", "The name of an event, as rpc.discover lists them."};
}

std::string find_problem(const RpcOptions& options) {
  if (options.retry_after < options.retry_after.zero()) return "retry_after: not below zero";
  if (options.workers == 0) return "workers: at least 1";
  if (options.requests_in_flight_max == 0) return "requests_in_flight_max: at least 1";
  if (options.batch_items_max == 0) return "batch_items_max: at least 1";
  if (options.batch_answer_bytes_max == 0) return "batch_answer_bytes_max: at least 1";
  if (options.held_bytes_per_client_max == 0) return "held_bytes_per_client_max: at least 1";
  if (options.held_bytes_max == 0) return "held_bytes_max: at least 1";
  if (options.accounts_max == 0) return "accounts_max: at least 1";
  const auto host = std::ranges::find_if_not(options.allowed_hosts, server::is_host_pattern);
  if (host != options.allowed_hosts.end()) {
    return "allowed_hosts: \"" + *host + "\" is not " + std::string(server::kHostPatternExpected);
  }
  const auto origin = std::ranges::find_if_not(options.allowed_origins, server::is_origin_pattern);
  if (origin != options.allowed_origins.end()) {
    return "allowed_origins: \"" + *origin + "\" is not " + std::string(server::kOriginPatternExpected);
  }
  const auto subprotocol = std::ranges::find_if_not(options.subprotocols, http::is_token);
  if (subprotocol != options.subprotocols.end()) return "subprotocol '" + *subprotocol + "': one token";
  if (!options.deflate) return {};
  return api::find_wrong_option(*options.deflate).value_or("");
}

}  // namespace

Rpc::Rpc(RpcOptions options) : registry_(std::make_shared<rpc::Registry>(std::move(options))) {
  rpc::Registry* const registry = registry_.get();
  rpc::MethodEntry discover{.name = "rpc.discover",
                            .about = {.description = "This service as an OpenRPC document."},
                            .parameters = {},
                            .result_schema = R"({"type":"object"})",
                            .bind = [registry](rpc::Arguments) {
                              return rpc::BoundCall([registry](const RpcCall&, RpcAnswer answer) {
                                std::move(answer).send(rpc::open_rpc_document(*registry));
                              });
                            }};
  static_cast<void>(registry_->add(std::move(discover), true));
  if (registry_->options().authenticate_message != nullptr) add_authenticate_method();
  if (!registry_->options().help) return;
  static_cast<void>(method(
      "help", {.description = "Lists the methods, or describes one."},
      [registry](const RpcCall&, const std::string& name) -> RpcResult<std::string> {
        if (auto text = rpc::help_text(*registry, name)) return *std::move(text);
        return rpc_error(kWrongParameter, "the parameter method must be the name of a method");
      },
      RpcParam<std::string>{"method", "The name of a method.", ""}));
}

Rpc::~Rpc() {
  if (registry_->workers().is_here()) {
    api::end_for_misuse("Rpc destroyed in one of its handlers on a worker",
                        "it would wait for that handler; destroy it on another thread");
  }
  registry_->workers().stop();
}

Expected<void, Error> Rpc::add(rpc::MethodEntry entry) {
  return registry_->add(std::move(entry));
}

Expected<void, Error> Rpc::add_event_methods() {
  rpc::Registry* const registry = registry_.get();
  rpc::MethodEntry subscribe = entry_of<Json>(
      "subscribe",
      {.description = "Subscribes this WebSocket to an event, again from a position on if it is given."},
      false,
      [registry](const RpcCall& call, RpcAnswer answer, const std::string& event,
                 std::optional<Position> since) {
        const auto subscribed = [&]() -> RpcResult<Json> {
          const rpc::EventEntry* const found = registry->find_event(event);
          if (found == nullptr)
            return rpc_error(kWrongParameter, "the parameter event must be the name of an event");
          if (!registry->may_subscribe(call.identity(), event)) {
            return rpc_error(kPermissionDenied, "the event " + event + " is not allowed");
          }
          if (!registry->permits(call.identity(), found->about.permission)) {
            return rpc_error(kPermissionDenied,
                             "the event " + event + " needs the permission " + found->about.permission);
          }
          if (call.session() == nullptr) return rpc_error(kNoSuchMethod, std::string(kNeedsWebSocket));
          return api::RpcSession::of(*call.session()).subscribe(event, since);
        };
        rpc::answer_with(std::move(answer), subscribed());
      },
      event_parameter(),
      RpcParam<std::optional<Position>>{"since", "The position of the last event that the client got."});
  rpc::MethodEntry unsubscribe = entry_of<bool>(
      "unsubscribe", {.description = "Ends a subscription. Returns whether there was one."}, false,
      [](const RpcCall& call, RpcAnswer answer, const std::string& event) {
        if (call.session() == nullptr) {
          return std::move(answer).fail({.code = kNoSuchMethod, .message = std::string(kNeedsWebSocket)});
        }
        rpc::answer_with(std::move(answer), api::RpcSession::of(*call.session()).unsubscribe(event));
      },
      event_parameter());
  subscribe.result_schema = api::subscription_schema();
  for (rpc::MethodEntry* const entry : {&subscribe, &unsubscribe}) {
    entry->at_reply = true;
    if (auto added = registry->add(std::move(*entry)); !added) return added;
  }
  return {};
}

void Rpc::add_authenticate_method() {
  rpc::MethodEntry entry = entry_of<bool>(
      "fanfare_authenticate",
      {.description = "Authenticates this WebSocket, or renews its credentials before they expire."}, false,
      [](const RpcCall& call, RpcAnswer answer, const std::string& token) {
        if (call.session() == nullptr) {
          return std::move(answer).fail(
              {.code = kNoSuchMethod, .message = "fanfare_authenticate needs a WebSocket connection"});
        }
        rpc::answer_with(std::move(answer), api::RpcSession::of(*call.session()).authenticate(token));
      },
      RpcParam<std::string>{"token", "An API key or a token."});
  entry.for_everyone = true;
  static_cast<void>(registry_->add(std::move(entry)));
}

Expected<void, Error> Rpc::add_event(std::string_view name, RpcEvent about, std::string schema) {
  auto added = registry_->add_event(name, {.about = std::move(about), .schema = std::move(schema)});
  if (!added || registry_->events().size() > 1) return added;
  return add_event_methods();
}

PublishResult Rpc::publish_json(Server& server, std::string_view event, const std::string& json) {
  return api::publish_event(*server.impl_, *registry_, event, json);
}

namespace {

std::expected<api::RpcEntry, std::string> make_entry(api::ServerImpl& server, std::string_view path,
                                                     std::shared_ptr<rpc::Registry> registry) {
  auto pattern = server::PathPattern::parse(path);
  if (!pattern) return std::unexpected(pattern.error());
  const auto& entries = server.routes().rpcs();
  if (std::ranges::find(entries, path, &api::RpcEntry::text) != entries.end()) {
    return std::unexpected("two services have the path '" + std::string(path) + "'");
  }
  if (const std::string problem = find_problem(registry->options()); !problem.empty()) {
    return std::unexpected("JSON-RPC at '" + std::string(path) + "': " + problem);
  }
  if (std::string problem = api::add_event_topics(server, path, *registry); !problem.empty()) {
    return std::unexpected(std::move(problem));
  }
  return api::RpcEntry{
      .text = std::string(path), .path = *std::move(pattern), .registry = std::move(registry)};
}

}  // namespace

void Rpc::serve(Server& server, std::string_view path) {
  registry_->freeze();
  server.impl_->add_rpc(make_entry(*server.impl_, path, registry_));
}

std::vector<RpcRoleMetrics> Rpc::metrics() const {
  return registry_->callers().metrics();
}

std::string Rpc::discover() const {
  return rpc::open_rpc_document(*registry_);
}

}  // namespace fanfare
