#include "api/rpc_session.h"

#include <algorithm>
#include <utility>

#include "access/quota.h"
#include "api/border.h"
#include "api/connection.h"
#include "api/rpc_events.h"
#include "jsonrpc/response.h"
#include "rpc/registered_methods.h"
#include "rpc/service.h"
#include "ws/close_code.h"

namespace fanfare::api {
namespace {

// The clock of the day may be set: it is looked at again after so long.
constexpr Duration kLookAgain = std::chrono::minutes(1);
// Credentials that may be withdrawn at any time.
constexpr Duration kLookOften = std::chrono::seconds(1);

}  // namespace

RpcSession::RpcSession(const Context& context, rpc::Caller caller)
    : connection(context.service, std::move(caller)), context_(context) {}

RpcSession::~RpcSession() {
  stop_watching();
}

void RpcSession::open() {
  rpc::Service::on_open(connection, Connection::engine_of(*this));
  watch_credentials();
  join_broadcasts(nullptr);
}

void RpcSession::close() {
  stop_watching();
  context_.service.on_close(connection);
}

void RpcSession::stop_watching() {
  const net::TimerId timer = std::exchange(end_of_credentials_, {});
  if (timer != net::TimerId{}) context_.server.loop().cancel(timer);
}

void RpcSession::watch_credentials() {
  stop_watching();
  const RpcIdentity* const identity = connection.caller().identity.get();
  if (identity == nullptr || (!identity->expires_at && identity->withdrawn == nullptr)) return;
  Duration wait = identity->withdrawn == nullptr ? kLookAgain : kLookOften;
  if (identity->expires_at) {
    wait = std::min<Duration>(wait,
                              saturating_duration(*identity->expires_at - std::chrono::system_clock::now()));
  }
  if (wait <= Duration::zero() || rpc::is_withdrawn(*identity)) {
    return Session::close(ws::close_code::policy_violation, rpc::end_of(*identity));
  }
  end_of_credentials_ = context_.server.loop().call_after(wait, [this] {
    end_of_credentials_ = {};
    watch_credentials();
  });
}

bool RpcSession::may_have(const RpcIdentity* identity, std::string_view name,
                          const rpc::EventEntry& event) const {
  if (identity != nullptr && identity->awaits_credentials) return false;
  const rpc::Registry& registry = context_.registry;
  return registry.may_call(identity, "subscribe") && registry.may_subscribe(identity, name) &&
         registry.permits(identity, event.about.permission);
}

void RpcSession::join_broadcasts(const RpcIdentity* before) {
  const rpc::Registry& registry = context_.registry;
  const RpcIdentity* const identity = connection.caller().identity.get();
  for (const auto& [name, event] : registry.events()) {
    if (!event.about.broadcast || !may_have(identity, name, event)) continue;
    if (before != nullptr && may_have(before, name, event)) continue;
    // limits.topics_per_session_max: without this the client would lack events, and not know.
    if (!subscribe_to_event(*this, registry, name, std::nullopt))
      return Session::close(1011, "too many events");
  }
}

RpcError RpcSession::refuse(const rpc::Refusal& refusal) const {
  return {.code = static_cast<int>(refusal.code), .message = refusal.message, .data_json = refusal.data_json};
}

RpcResult<bool> RpcSession::authenticate(std::string_view token) {
  const std::string peer = this->peer();
  Expected<RpcIdentity, RpcDenial> identity = Unexpected(RpcDenial{});
  call_handler("authenticate_message",
               [&] { identity = context_.registry.options().authenticate_message(token, peer); });
  if (!identity) {
    rpc::Refusal refusal{.code = rpc::kNotPermitted, .message = {}};
    if (const auto wait = identity.error().retry_after; wait > wait.zero()) {
      refusal = rpc::limit_reached("failed attempts", saturating_duration(wait));
    }
    refusal.message = identity.error().message;
    return Unexpected(refuse(refusal));
  }
  rpc::Caller caller = connection.caller();
  const std::shared_ptr<const RpcIdentity> before = caller.identity;
  auto next = std::make_shared<const RpcIdentity>(*std::move(identity));
  if (const auto refusal = context_.registry.callers().authenticate(caller, std::move(next), peer, now())) {
    return Unexpected(refuse(*refusal));
  }
  connection.set_caller(std::move(caller));
  watch_credentials();
  if (before != nullptr && (before->awaits_credentials || before->is_anonymous))
    join_broadcasts(before.get());
  return true;
}

RpcResult<Json> RpcSession::subscribe(const std::string& event, std::optional<Position> since) {
  access::Payer* const payer = connection.caller().payer.get();
  const auto paid = std::ranges::find(paid_events_, event);
  const bool again = paid != paid_events_.end();
  if (payer != nullptr) {
    const auto exhausted = again ? payer->take_subscription_again(now()) : payer->take_subscription(now());
    if (exhausted) {
      rpc::RoleCounters::add(connection.caller().counters->refused_limit);
      return Unexpected(
          refuse(rpc::limit_reached(access::name_of(exhausted->limit), exhausted->retry_after)));
    }
  }
  auto joined = subscribe_to_event(*this, context_.registry, event, since);
  if (joined && !again) paid_events_.push_back(event);
  if (joined) return joined;
  // A subscription that it had has ended, too.
  if (again) paid_events_.erase(paid);
  if (payer != nullptr) payer->give_back_subscriptions(1);
  return joined;
}

bool RpcSession::unsubscribe(std::string_view event) {
  if (const auto paid = std::ranges::find(paid_events_, event); paid != paid_events_.end()) {
    paid_events_.erase(paid);
    if (access::Payer* const payer = connection.caller().payer.get()) payer->give_back_subscriptions(1);
  }
  return unsubscribe_from_event(*this, context_.registry, event);
}

void RpcSession::pay_for_event(std::size_t bytes) {
  if (access::Payer* const payer = connection.caller().payer.get()) payer->charge_bytes(bytes, now());
}

bool RpcSession::admit_binary(std::size_t bytes) {
  const rpc::Caller& caller = connection.caller();
  std::optional<rpc::Refusal> refusal;
  if (caller.payer != nullptr) {
    const auto exhausted = caller.payer->take_call(1, now());
    caller.payer->charge_bytes(bytes, now());
    if (exhausted) refusal = rpc::limit_reached(access::name_of(exhausted->limit), exhausted->retry_after);
    if (exhausted) rpc::RoleCounters::add(caller.counters->refused_limit);
  }
  if (!refusal && caller.identity != nullptr && caller.identity->awaits_credentials) {
    refusal = rpc::Refusal{.code = rpc::kNotPermitted, .message = std::string(rpc::end_of(*caller.identity))};
  }
  if (!refusal) return true;
  std::string answer;
  jsonrpc::append_error(answer, "null", refusal->code, refusal->message, refusal->data_json);
  send(answer);
  return false;
}

}  // namespace fanfare::api
