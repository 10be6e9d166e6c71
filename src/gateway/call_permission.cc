#include "gateway/call_permission.h"

#include <algorithm>

#include "gateway/named_contracts.h"
#include "gateway/session_token.h"
#include "http/headers.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

using access::Action;
using access::Principal;

rpc::Refusal not_granted(std::string_view kind, std::string_view given) {
  constexpr std::size_t kNameShown = 64;
  std::string name(given.substr(0, kNameShown));
  std::ranges::replace_if(name, [](char c) { return c <= ' ' || c >= '\x7f'; }, '?');
  return {.code = jsonrpc::ErrorCode::method_not_found,
          .message = std::string(kind) + " " + name + " is not granted to these credentials"};
}

// Says which part of the action no role grants; the last one, if each is granted by some role but all by none.
rpc::Refusal not_granted(const Principal& principal, const Action& action) {
  if (!principal.may({.method = action.method})) return not_granted("the method", action.method);
  if (!action.topic.empty() && !principal.may({.method = action.method, .topic = action.topic})) {
    return not_granted("the subscription", action.topic);
  }
  if (!principal.may({.method = action.method, .project = action.project})) {
    return not_granted("in this project the method", action.method);
  }
  return not_granted("on this network the method", action.method);
}

// Asked for with one method, executed as another one, whose price and permission apply as well.
std::string_view executed_as(std::string_view method) {
  return method == "eth_getFilterLogs" ? "eth_getLogs" : method;
}

// A role must name the method or its namespace, "debug_*": "*" is not enough. Everyone is granted "eth_*", so there a role
// must name more: "eth_sendTransaction".
bool names(const Principal& principal, const Action& action) {
  const std::size_t space = action.method.find('_') + 1;
  const bool is_common = http::equals_ignoring_case(action.method.substr(0, space), "eth_");
  return principal.names(action, is_common ? space + 1 : space);
}

// Of the caller's own connection: nothing that a rule or a role would grant.
bool asks_for_session(const jsonrpc::Request& request, const rpc::Caller& caller) {
  return request.method == kSessionMethod && caller.transport == rpc::Transport::websocket;
}

}  // namespace

CallPermission::CallPermission(const NetworkPlan& plan, AccessGate* gate)
    : gate_(gate),
      rules_(plan.methods),
      local_nodes_(is_on_loopback(plan.backend)),
      project_(plan.project),
      network_(plan.chain_id ? std::to_string(*plan.chain_id) : "") {}

std::optional<rpc::Refusal> CallPermission::refusal(const jsonrpc::Request& request,
                                                    const rpc::Caller& caller) const {
  if (gate_ == nullptr || caller.principal == nullptr) {
    if (asks_for_session(request, caller)) return std::nullopt;
    if (rules_.allows(request.method, caller.is_local && local_nodes_)) return std::nullopt;
    return rpc::Refusal{.code = jsonrpc::ErrorCode::method_not_found,
                        .message = MethodRules::refusal(request.method)};
  }
  RoleCells& cells = gate_->cells(*caller.principal);
  cells.calls.add();
  if (auto refused = refuse_caller(request, caller)) {
    cells.refused[refused->retry_after > Duration::zero() ? AccessRefusal::limit : AccessRefusal::expired]
        .add();
    return refused;
  }
  auto refused = refuse_method(request, caller);
  if (refused) cells.refused[AccessRefusal::permission].add();
  return refused;
}

// Fresh credentials do not compete with calls, as long as there are not too many.
bool CallPermission::is_renewal(const jsonrpc::Request& request, const rpc::Caller& caller) const {
  return request.method == kAuthenticateMethod && caller.transport == rpc::Transport::websocket &&
         caller.payer->take_renewal(gate_->clock().now());
}

std::optional<rpc::Refusal> CallPermission::refuse_caller(const jsonrpc::Request& request,
                                                          const rpc::Caller& caller) const {
  if (caller.payer != nullptr && !is_renewal(request, caller)) {
    const access::Costs& costs = gate_->costs();
    const std::uint32_t cost = std::max(costs.of(request.method), costs.of(executed_as(request.method)));
    const auto exhausted = caller.payer->take_call(cost, gate_->clock().now());
    if (exhausted) return rpc::limit_reached(access::name_of(exhausted->limit), exhausted->retry_after);
  }
  // Only a token has an end: asking for the time costs others nothing.
  if (!caller.principal->expires_at || request.method == kAuthenticateMethod) return std::nullopt;
  if (!caller.principal->is_expired(gate_->clock().wall_now())) return std::nullopt;
  return rpc::Refusal{.code = rpc::kNotPermitted,
                      .message = std::string(access::text_of(access::Denial::expired))};
}

std::optional<rpc::Refusal> CallPermission::refuse_method(const jsonrpc::Request& request,
                                                          const rpc::Caller& caller) const {
  if (request.method == kAuthenticateMethod) return std::nullopt;
  const Principal& principal = *caller.principal;
  if (principal.name == kUnauthenticated) {
    return rpc::Refusal{.code = rpc::kNotPermitted,
                        .message = std::string(access::text_of(access::Denial::missing))};
  }
  if (asks_for_session(request, caller)) return std::nullopt;
  Action action{.method = request.method, .project = project_, .network = network_};
  std::string topic;
  if (request.method == "eth_subscribe") {
    const auto first = jsonrpc::element(request.params, 0);
    topic = first ? jsonrpc::string_copy(*first).value_or("") : "";
    action.topic = topic;
  }
  if (!principal.may(action)) return not_granted(principal, action);
  if (const std::string_view other = executed_as(request.method); other != request.method) {
    Action executed = action;
    executed.method = other;
    if (!principal.may(executed)) return not_granted(principal, executed);
    if (auto refused = refuse_by_rules(principal, executed)) return refused;
  }
  if (auto refused = refuse_by_rules(principal, action)) return refused;
  if (!principal.restricts_contracts()) return std::nullopt;
  const NamedContracts contracts = named_contracts(request.method, request.params);
  action.contracts = contracts.addresses;
  action.every_contract = contracts.every;
  if (!principal.may(action)) {
    return rpc::Refusal{.code = rpc::kNotPermitted,
                        .message = contracts.every
                                       ? "this call may concern every contract; these credentials grant some"
                                       : "a contract of this call is not granted to these credentials"};
  }
  // The role that names the method must also grant the contracts.
  return refuse_by_rules(principal, action);
}

std::optional<rpc::Refusal> CallPermission::refuse_by_rules(const Principal& principal,
                                                            const Action& action) const {
  const bool named = names(principal, action);
  if (MethodRules::needs_a_name(action.method) && !named) return not_granted("the method", action.method);
  // A client behind a proxy on this machine looks local: developers' methods need a name, too.
  auto why = rules_.refusal_of_role(action.method, named);
  if (!why) return std::nullopt;
  return rpc::Refusal{.code = jsonrpc::ErrorCode::method_not_found, .message = *std::move(why)};
}

}  // namespace fanfare::gateway
