#include "gateway/network_methods.h"

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "base/log_limiter.h"
#include "gateway/filter_calls.h"
#include "gateway/forward.h"
#include "gateway/session_token.h"
#include "jsonrpc/response.h"
#include "jsonrpc/value.h"

namespace fanfare::gateway {
namespace {

// Conditions of the answer to eth_subscribe (rpc::Subscribed::conditions): bits.
using Conditions = std::uint32_t;
constexpr Conditions kChainIsFollowed = 1;
// The type's source listens: earlier events could not be recovered.
constexpr Conditions listens(std::size_t type) {
  return Conditions{2} << type;
}
static_assert(eth::kSubscriptionTypes < 31);

// The delay between the answer to eth_subscribe and what clients would lose if it came with the answer.
constexpr Duration kLaterActivation = std::chrono::milliseconds(100);

void refuse(rpc::Call& call, std::string_view why) {
  call.answer.clear();
  jsonrpc::append_error(call.answer, call.id, jsonrpc::ErrorCode::internal, why);
}

// The node's own text is for the operator.
void log_refusal(const Network& network, eth::SubscriptionType type, const std::string& why) {
  static LogLimiter limiter(log::Level::warn, "subscription_refused");
  limiter.write(
      {{"network", network.name()}, {"type", eth::name_of(type)}, {"reason", log::excerpt(why, 256)}});
}

// A client's name in the queues of nodes and among the owners of filters: no address has a blank.
std::string identity_client(std::string_view name) {
  return "identity " + std::string(name);
}

bool has_condition(const rpc::Message& message, Conditions condition) {
  return std::ranges::any_of(message.subscribed,
                             [&](const rpc::Subscribed& one) { return (one.conditions & condition) != 0; });
}

}  // namespace

// A message on the worker's thread: calls for the node are sent there, and some subscriptions wait until
// their source listens.
class NetworkMethods::Pending : public std::enable_shared_from_this<Pending> {
 public:
  Pending(const Context& context, rpc::Message message, rpc::Done done)
      : network_(context.network),
        worker_(context.worker),
        loop_(context.server.loop()),
        message_(std::move(message)),
        head_min_(context.events.shown_head()),
        has_filters_(std::ranges::any_of(
            message_.calls, [](const rpc::Call& call) { return FilterCalls::handles(call.method); })),
        done_(std::move(done)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  // If memory ran out on the way, the callback for answer() may have been lost.
  ~Pending() {
    if (done_ == nullptr) return;
    run_guarded("the end of a message", [this] {
      for (rpc::Call& call : message_.calls) {
        if (call.answer.empty()) rpc::append_no_memory(call.answer, call.id);
      }
      answer();
    });
  }

  // Whose limits the message counts for, and its turn in the node's queue.
  void set_caller(const session::LoopServer& server, const session::Member& session,
                  const access::Principal* principal) {
    const session::SessionId id = session.id();
    const std::uint64_t number = std::uint64_t{id.slot} << 32U | id.generation;
    // Each loop numbers its own sessions.
    const auto loop = reinterpret_cast<std::uintptr_t>(&server);
    // An identity is one client, whatever its addresses and connections. Strangers share none.
    const bool has_identity =
        principal != nullptr && principal->name != kUnauthenticated && !principal->is_shared();
    caller_ = {
        .client = has_identity ? identity_client(principal->name) : FilterCalls::client_of(session.peer()),
        .connection = number ^ (std::uint64_t{loop} << 16U)};
  }

  // The other calls of the message come after, as if in a message of their own.
  void start() {
    follow([self = shared_from_this()] { self->listen([self] { self->ask_filters(); }); });
  }

 private:
  ForwardJob take_job() {
    return {.items = std::move(message_.calls),
            .batch = message_.batch,
            .head_min = head_min_,
            .caller = caller_,
            .room = std::move(message_.room)};
  }
  void put_back(ForwardJob job) {
    message_.calls = std::move(job.items);
    message_.room = std::move(job.room);
  }

  void ask_filters() {
    if (!has_filters_) return ask_node(take_job());
    const std::string& client = caller_.client;
    network_.filters().answer(
        take_job(), client, [self = shared_from_this()](ForwardJob job) { self->ask_node(std::move(job)); });
  }
  void ask_node(ForwardJob job) {
    forward(network_.backend(), &network_.reads(), std::move(job),
            [self = shared_from_this()](ForwardJob answered) {
              self->put_back(std::move(answered));
              if (self->worker_.stopping()) return self->answer();
              // The listening node may have been lost meanwhile, before there was a subscriber to notify.
              self->listen([self] { self->answer(); });
            });
  }
  // A subscriber to a chain that cannot be followed would wait without any notice.
  void follow(UniqueFunction<void()> then) {
    if (!has_condition(message_, kChainIsFollowed)) return then();
    network_.await_following([self = shared_from_this(), then = std::move(then)](bool ready) mutable {
      if (!ready) self->refuse_all(kChainIsFollowed, kNotFollowed);
      then();
    });
  }
  // Waits for the sources of all types, one after another, beginning with `first`.
  void listen(UniqueFunction<void()> then, std::size_t first = 0) {
    while (first < eth::kSubscriptionTypes && !has_condition(message_, listens(first))) ++first;
    if (first == eth::kSubscriptionTypes) return then();
    const auto type = static_cast<eth::SubscriptionType>(first);
    network_.await_listening(type, [self = shared_from_this(), then = std::move(then), type,
                                    first](const std::string& refusal) mutable {
      if (!refusal.empty()) {
        log_refusal(self->network_, type, refusal);
        self->refuse_all(listens(first), eth::feed_type(type).not_listening);
      }
      self->listen(std::move(then), first + 1);
    });
  }
  // Rejects all subscriptions with this condition.
  void refuse_all(Conditions unfulfilled, std::string_view why) {
    for (rpc::Subscribed& one : std::exchange(message_.subscribed, {})) {
      const bool is_refused = (one.conditions & unfulfilled) != 0;
      if (is_refused) refuse(message_.calls[one.call], why);
      (is_refused ? message_.withdrawn : message_.subscribed).push_back(std::move(one));
    }
  }
  void answer() {
    auto to_whom = std::exchange(done_, nullptr);
    // Once the worker stops, no client waits for answers any more, and the loops end soon.
    if (to_whom == nullptr || worker_.stopping()) return;
    loop_.post([to_whom = std::move(to_whom), reply = rpc::complete(std::move(message_))]() mutable {
      run_guarded("an answer", [&] { to_whom(std::move(reply)); });
    });
  }

  Network& network_;
  upstream::Worker& worker_;
  net::Loop& loop_;
  rpc::Message message_;
  upstream::Caller caller_;
  std::uint64_t head_min_;
  bool has_filters_;
  rpc::Done done_;  // on the loop; null: already called
};

NetworkMethods::NetworkMethods(const Context& context)
    : context_(context), permission_(std::in_place, context.network.plan(), context.gate) {}

std::optional<rpc::Refusal> NetworkMethods::refusal(const jsonrpc::Request& request,
                                                    const rpc::Caller& caller) {
  // Over HTTP the request was refused as a whole (LoopGuard::refuse_request).
  if (context_.guard != nullptr && caller.transport == rpc::Transport::websocket) {
    if (auto refused = context_.guard->refuse_call(request, context_.worker_index)) return refused;
  }
  return permission_->refusal(request, caller);
}

rpc::Begun NetworkMethods::begin(const jsonrpc::Request& request, const rpc::Origin& origin,
                                 rpc::Message& message, std::string& answer) {
  if (context_.gate != nullptr && request.method == kAuthenticateMethod) {
    authenticate(request, origin, answer);
    return rpc::Begun::answered;
  }
  if (origin.connection != nullptr && request.method == kSessionMethod) {
    tell_session(request, origin, answer);
    return rpc::Begun::answered;
  }
  const bool subscribes = request.method == "eth_subscribe";
  if (!subscribes && request.method != "eth_unsubscribe") return rpc::Begun::open;
  // Without an id no client could learn the subscription's id.
  if (request.is_notification()) return rpc::Begun::answered;
  if (origin.connection == nullptr) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::method_not_found,
                          "subscriptions need a WebSocket connection");
  } else if (subscribes) {
    subscribe(request, origin, message, answer);
  } else {
    unsubscribe(request, origin, answer);
  }
  return rpc::Begun::answered;
}

void NetworkMethods::subscribe(const jsonrpc::Request& request, const rpc::Origin& origin,
                               rpc::Message& message, std::string& answer) {
  if (subscriber_of(*origin.connection).awaits_session()) {
    return jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::server_error,
                                 "the session is being continued: subscribe in another message");
  }
  access::Payer* const payer = origin.caller.payer.get();
  if (payer != nullptr) {
    if (const auto refused = payer->take_subscription(context_.server.loop().now())) {
      const auto limit = rpc::limit_reached(access::name_of(refused->limit), refused->retry_after);
      return jsonrpc::append_error(answer, request.id, limit.code, limit.message, limit.data_json);
    }
  }
  auto accepted = context_.events.subscribe(subscriber_of(*origin.connection), request.params);
  if (!accepted) {
    if (payer != nullptr) payer->give_back_subscriptions(1);
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(accepted.error().code),
                                 accepted.error().message);
  }
  jsonrpc::append_result(answer, request.id, "\"" + accepted->id + "\"");
  rpc::Subscribed one{.id = std::move(accepted->id), .call = message.calls.size()};
  const eth::FeedType& type = eth::feed_type(accepted->type);
  if (!type.not_listening.empty()) one.conditions |= listens(static_cast<std::size_t>(accepted->type));
  if (!context_.network.is_ready()) one.conditions |= kChainIsFollowed;
  if (type.activates_later) one.active_after = kLaterActivation;
  if (one.conditions != 0) ++message.open;
  message.subscribed.push_back(std::move(one));
}

void NetworkMethods::unsubscribe(const jsonrpc::Request& request, const rpc::Origin& origin,
                                 std::string& answer) {
  const std::size_t before = context_.events.subscriptions_of(subscriber_of(*origin.connection));
  const auto done = context_.events.unsubscribe(subscriber_of(*origin.connection), request.params);
  if (!done) {
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(done.error().code),
                                 done.error().message);
  }
  // A subscription that only the resumed session has was not counted for this connection.
  const std::size_t ended = before - context_.events.subscriptions_of(subscriber_of(*origin.connection));
  if (origin.caller.payer != nullptr)
    origin.caller.payer->give_back_subscriptions(static_cast<std::uint32_t>(ended));
  jsonrpc::append_result(answer, request.id, *done ? "true" : "false");
}

void NetworkMethods::tell_session(const jsonrpc::Request& request, const rpc::Origin& origin,
                                  std::string& answer) const {
  if (request.is_notification()) return;
  const ClientSession* const found = subscriber_of(*origin.connection).client_session();
  jsonrpc::append_result(answer, request.id,
                         found == nullptr ? "null" : "\"" + std::string(found->state()) + "\"");
}

// The first message of a browser, or a fresh token on an open connection: ["TOKEN"].
void NetworkMethods::authenticate(const jsonrpc::Request& request, const rpc::Origin& origin,
                                  std::string& answer) {
  const auto fail = [&](const rpc::Refusal& refusal) {
    if (request.is_notification()) return;
    jsonrpc::append_error(answer, request.id, refusal.code, refusal.message, refusal.data_json);
  };
  if (origin.connection == nullptr || origin.caller.principal == nullptr) {
    return fail({.message = "only a WebSocket connection authenticates by a message"});
  }
  const auto first = jsonrpc::element(request.params, 0);
  const auto token = first ? jsonrpc::string_copy(*first) : std::nullopt;
  if (!token) {
    return fail({.code = jsonrpc::ErrorCode::invalid_params, .message = "expected [token], a text"});
  }
  const auto principal =
      context_.gate->renew(*token, origin.session.peer(), *origin.caller.principal, *origin.caller.payer);
  if (!principal) return fail(principal.error());
  context_.renewed(origin.connection->session(), *principal);
  if (!request.is_notification()) jsonrpc::append_result(answer, request.id, "true");
}

void NetworkMethods::run(rpc::Message message, const rpc::Origin& origin, rpc::Done done) {
  auto pending = std::make_shared<Pending>(context_, std::move(message), std::move(done));
  pending->set_caller(context_.server, origin.session, origin.caller.principal.get());
  // The loop outlives the worker; the reply is only used on its own loop while that still runs.
  context_.worker.post(
      [pending = std::move(pending)] { run_guarded("a message", [&] { pending->start(); }); });
}

void NetworkMethods::activate(rpc::Connection& connection, const std::string& id) {
  context_.events.activate(subscriber_of(connection), id);
}

void NetworkMethods::withdraw(rpc::Connection& connection, const std::string& id) {
  if (const auto& payer = connection.caller().payer) payer->give_back_subscriptions(1);
  context_.events.withdraw(subscriber_of(connection), id);
}

}  // namespace fanfare::gateway
