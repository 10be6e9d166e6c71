#include "gateway/rpc_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/log.h"
#include "gateway/routes.h"
#include "jsonrpc/response.h"
#include "ws/encode.h"

namespace fanfare::gateway {
namespace {

eth::ConnectionKey key_of(const session::Session& session) {
  const session::SessionId id = session.id();
  return (std::uint64_t{id.place} << 32U) | id.generation;
}

CloseReason reason_of(const session::CloseInfo& info) {
  switch (info.cause) {
    case session::Cause::peer_closed:
      return CloseReason::client;
    case session::Cause::we_closed:
      return CloseReason::policy;
    case session::Cause::rule_broken:
      if (info.broken_rule == ws::Rule::too_many_fragments) return CloseReason::too_many_fragments;
      return info.code == ws::close_code::message_too_big ? CloseReason::too_big
                                                          : CloseReason::protocol_error;
    case session::Cause::slow_consumer:
      return CloseReason::slow_consumer;
    case session::Cause::pong_timeout:
      return CloseReason::ping_timeout;
    case session::Cause::idle_timeout:
      return CloseReason::idle_timeout;
    case session::Cause::connection_lost:
      return CloseReason::lost;
    case session::Cause::shut_down:
      return CloseReason::shutdown;
  }
  return CloseReason::internal;
}

// The enumerations agree in order but for what the metrics know besides.
SubscriptionKind kind_of(eth::SubscriptionType type) {
  switch (type) {
    case eth::SubscriptionType::new_heads:
      return SubscriptionKind::new_heads;
    case eth::SubscriptionType::logs:
      return SubscriptionKind::logs;
    case eth::SubscriptionType::new_pending_transactions:
      return SubscriptionKind::new_pending_transactions;
    case eth::SubscriptionType::syncing:
      return SubscriptionKind::syncing;
    case eth::SubscriptionType::transaction_receipts:
      return SubscriptionKind::transaction_receipts;
  }
  return SubscriptionKind::new_heads;
}

void refuse(ForwardItem& item, std::string_view why) {
  item.answer.clear();
  jsonrpc::append_error(item.answer, item.id, jsonrpc::ErrorCode::internal, why);
}

// Between the answer to eth_subscribe for syncing and the state.
constexpr Duration kFirstSyncingDelay = std::chrono::milliseconds(100);

constexpr std::string_view kJson = "application/json";

}  // namespace

bool RpcConnection::deliver(const SharedBytes& frame) {
  if (is_congested() && ++notifications_behind_ > service_.limits().notifications_behind_max) {
    is_too_slow_ = true;
    session_->start_closing(ws::close_code::try_again_later, "reading too slowly");
    return false;
  }
  const session::SendResult result = session_->send_frame(frame);
  if (result == session::SendResult::closed) return false;
  if (result == session::SendResult::congested && !std::exchange(behind_, true)) service_.fell_behind();
  service_.metrics().messages_sent.add();
  service_.metrics().bytes_sent.add(frame.size());
  return true;
}

RpcService::RpcService(const session::SessionSettings& settings, RpcLimits limits, Context context)
    : Endpoint(settings),
      limits_(limits),
      context_(context),
      subscriptions_({.network = context.network.name(),
                      .salt = context.salt,
                      .subscriptions_per_connection_max = limits.subscriptions_per_connection_max,
                      .budget = &context.network.filter_budget(),
                      .types = eth::kAllSubscriptionTypes},
                     topics_, [](std::string_view json) {
                       return ws::encode_message(ws::Opcode::text, as_bytes(json));
                     }) {}

void RpcService::on_open(session::Session& session) {
  session.data<RpcConnection>().session_ = &session;
  metrics().opened();
}

void RpcService::on_turn_share_spent(session::Session&) {
  metrics().turn_shares_spent.add();
}

void RpcService::on_upgrade_refused(int status) {
  metrics().connections_refused[status == 403 ? RefuseReason::origin : RefuseReason::bad_handshake].add();
}

void RpcService::on_close(session::Session& session, const session::CloseInfo& info) {
  subscriptions_.drop(key_of(session));
  caught_up(session.data<RpcConnection>());
  subscriptions_changed();
  const RpcConnection& connection = session.data<RpcConnection>();
  metrics().closed(connection.is_too_slow_ ? CloseReason::slow_consumer : reason_of(info));
  if (info.cause == session::Cause::slow_consumer || connection.is_too_slow_) {
    log::warn("slow_consumer_closed", {{"network", network().name()},
                                       {"outbox_bytes_max", settings().outbox_bytes_max},
                                       {"notifications_behind", connection.notifications_behind_}});
  }
}

void RpcService::on_message(session::Session& session, const session::Message& message) {
  metrics().messages_received.add();
  metrics().bytes_received.add(message.payload.size());
  // Text or binary: web3.py sends its requests in binary frames. Answers are always text.
  auto incoming = read(as_text(message.payload), &session);
  if (!incoming) return reply(session, {.text = incoming.error(), .subscribed = {}, .refused = {}});
  if (incoming->has_filters) {
    incoming->client = FilterCalls::client_of(static_cast<session::ServerSession&>(session).peer());
  }
  if (incoming->open == 0) {
    return reply(
        session,
        {.text = join_answers(incoming->job), .subscribed = std::move(incoming->subscribed), .refused = {}});
  }

  RpcConnection& connection = session.data<RpcConnection>();
  connection.in_flight_ += incoming->open;
  if (connection.in_flight_ >= limits_.requests_in_flight_max) session.pause();
  const std::uint32_t open = incoming->open;
  send_to_node(*std::move(incoming), [this, id = session.id(), open](const Answered& answered) {
    session::Session* asker = context_.server.sessions().find(id);
    if (asker == nullptr) return;
    RpcConnection& its = asker->data<RpcConnection>();
    its.in_flight_ -= open;
    reply(*asker, answered);
    if (its.in_flight_ < limits_.requests_in_flight_max) asker->resume();
  });
}

void RpcService::handle_http(session::ServerSession& session, std::string_view body) {
  const auto respond = [](session::ServerSession& to, std::string text) {
    session::HttpResponse response{
        .content_type = std::string(kJson), .body = std::move(text), .headers = {}};
    for (const HeaderField& field : cors_headers()) {
      response.headers.push_back({.name = std::string(field.name), .value = std::string(field.value)});
    }
    // Nothing but notifications: there is nothing to say (JSON-RPC 2.0 §4.1).
    if (response.body.empty()) {
      response.status = 204;
      response.content_type.clear();
    }
    to.respond(response);
  };
  auto incoming = read(body, nullptr);
  if (!incoming) return respond(session, incoming.error());
  if (incoming->has_filters) incoming->client = FilterCalls::client_of(session.peer());
  if (incoming->open == 0) return respond(session, join_answers(incoming->job));
  send_to_node(*std::move(incoming), [this, respond, id = session.id()](Answered answered) {
    // Only HTTP sessions ask here, and none becomes a WebSocket while it waits for its answer.
    auto* asker = static_cast<session::ServerSession*>(context_.server.sessions().find(id));
    if (asker != nullptr) respond(*asker, std::move(answered.text));
  });
}

std::expected<RpcService::Incoming, std::string> RpcService::read(std::string_view text,
                                                                  session::Session* session) {
  const auto message = parser_.parse(text);
  if (!message) {
    std::string answer;
    jsonrpc::append_error(answer, "null", message.error().code, message.error().message);
    return std::unexpected(std::move(answer));
  }
  Incoming incoming;
  incoming.job.batch = message->batch;
  incoming.job.head_min = shown_head_;
  incoming.job.items.reserve(message->requests.size());
  const auto transport = session == nullptr ? Transport::http : Transport::websocket;
  for (const jsonrpc::Request& request : message->requests) {
    metrics().requests[transport].add();
    ForwardItem item{.id = std::string(request.id), .method = {}, .params = {}, .answer = {}};
    if (!answer_here(request, session, incoming, item.answer)) {
      item.method = request.method;
      item.params = request.params;
      incoming.has_filters = incoming.has_filters || FilterCalls::handles(request.method);
      ++incoming.open;
    } else if (request.is_notification()) {
      continue;
    }
    incoming.job.items.push_back(std::move(item));
  }
  return incoming;
}

bool RpcService::answer_here(const jsonrpc::Request& request, session::Session* session, Incoming& incoming,
                             std::string& answer) {
  if (!request.fault.empty()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::invalid_request, request.fault);
    return true;
  }
  const bool subscribes = request.method == "eth_subscribe";
  if (!subscribes && request.method != "eth_unsubscribe") return false;
  if (request.is_notification()) return true;  // without an id nobody could learn the subscription's
  if (session == nullptr) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::method_not_found,
                          "subscriptions need a WebSocket connection");
  } else if (subscribes) {
    subscribe(request, *session, incoming, answer);
  } else {
    unsubscribe(request, *session, answer);
  }
  return true;
}

void RpcService::subscribe(const jsonrpc::Request& request, session::Session& session, Incoming& incoming,
                           std::string& answer) {
  constexpr auto kPending = eth::SubscriptionType::new_pending_transactions;
  constexpr auto kSyncing = eth::SubscriptionType::syncing;
  const std::size_t pending_before = subscriptions_.subscriptions(kPending);
  const std::size_t syncing_before = subscriptions_.subscriptions(kSyncing);
  auto id = subscriptions_.subscribe(key_of(session), session.data<RpcConnection>(), request.params);
  if (!id) {
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(id.error().code),
                                 id.error().message);
  }
  jsonrpc::append_result(answer, request.id, "\"" + *id + "\"");
  Subscribed one{.id = std::move(*id),
                 .item = incoming.job.items.size(),
                 .waits = subscriptions_.subscriptions(kPending) > pending_before,
                 .needs_chain = !network().is_ready(),
                 .activates_later = subscriptions_.subscriptions(kSyncing) > syncing_before};
  incoming.waits = incoming.waits || one.waits;
  incoming.needs_chain = incoming.needs_chain || one.needs_chain;
  if (one.waits || one.needs_chain) ++incoming.open;
  incoming.subscribed.push_back(std::move(one));
  subscriptions_changed();
}

void RpcService::unsubscribe(const jsonrpc::Request& request, session::Session& session,
                             std::string& answer) {
  const auto done = subscriptions_.unsubscribe(key_of(session), request.params);
  if (!done) {
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(done.error().code),
                                 done.error().message);
  }
  jsonrpc::append_result(answer, request.id, *done ? "true" : "false");
  subscriptions_changed();
}

// A message on the worker's thread: what needs the node goes there, and whoever subscribes to pending
// transactions waits until they are told.
struct RpcService::Question : std::enable_shared_from_this<Question> {
  Question(Network& its_network, net::Loop& its_loop, Incoming its_incoming,
           UniqueFunction<void(Answered)> its_done)
      : network(its_network), loop(its_loop), incoming(std::move(its_incoming)), done(std::move(its_done)) {}

  // What else the message asks for comes after, as if it had come in a message of its own.
  void ask() {
    follow([self = shared_from_this()] { self->listen([self] { self->ask_filters(); }); });
  }
  void ask_filters() {
    if (!incoming.has_filters) return ask_node();
    network.filters().answer(std::move(incoming.job), incoming.client,
                             [self = shared_from_this()](ForwardJob job) {
                               self->incoming.job = std::move(job);
                               self->ask_node();
                             });
  }
  void ask_node() {
    forward(network.backend(), &network.reads(), std::move(incoming.job),
            [self = shared_from_this()](ForwardJob job) {
              self->incoming.job = std::move(job);
              // Whoever listened then may have been lost meanwhile, when there was nobody to tell yet.
              self->listen([self] { self->answer(); });
            });
  }
  // A subscriber of a chain that cannot be followed would wait in silence.
  void follow(std::move_only_function<void()> then) {
    if (!incoming.needs_chain) return then();
    network.await_following([self = shared_from_this(), then = std::move(then)](bool ready) mutable {
      if (!ready) self->refuse_all(&Subscribed::needs_chain, kNotFollowed);
      then();
    });
  }
  void listen(UniqueFunction<void()> then) {
    if (!incoming.waits) return then();
    network.await_pending(
        [self = shared_from_this(), then = std::move(then)](const std::string& refusal) mutable {
          if (!refusal.empty()) {
            self->refuse_all(&Subscribed::waits,
                             "the upstream does not tell of pending transactions: " + refusal);
          }
          then();
        });
  }
  // All of whom that is true.
  void refuse_all(bool Subscribed::* is_refused, std::string_view why) {
    for (Subscribed& one : std::exchange(incoming.subscribed, {})) {
      if (one.*is_refused) refuse(incoming.job.items[one.item], why);
      (one.*is_refused ? answered.refused : incoming.subscribed).push_back(std::move(one));
    }
    incoming.waits = std::ranges::any_of(incoming.subscribed, &Subscribed::waits);
  }
  void answer() {
    answered.text = join_answers(incoming.job);
    answered.subscribed = std::move(incoming.subscribed);
    loop.post(
        [done = std::move(done), answered = std::move(answered)]() mutable { done(std::move(answered)); });
  }

  Network& network;
  net::Loop& loop;
  Incoming incoming;
  UniqueFunction<void(Answered)> done;  // on the loop
  Answered answered;
};

void RpcService::send_to_node(Incoming incoming, UniqueFunction<void(Answered)> done_on_loop) {
  // The loop outlives the worker, and the service is only touched on its own loop while that still runs.
  auto question = std::make_shared<Question>(context_.network, context_.server.loop(), std::move(incoming),
                                             std::move(done_on_loop));
  context_.worker.post([question = std::move(question)] { question->ask(); });
}

void RpcService::reply(session::Session& session, const Answered& answered) {
  if (!answered.text.empty() && session.send_text(answered.text) != session::SendResult::closed) {
    metrics().messages_sent.add();
    metrics().bytes_sent.add(answered.text.size());
  }
  // Only now: a client drops what arrives for an id it has not been told.
  for (const Subscribed& one : answered.subscribed) {
    if (!one.activates_later) {
      activate(key_of(session), one.id);
      continue;
    }
    context_.server.loop().call_after(kFirstSyncingDelay,
                                      [this, key = key_of(session), id = one.id] { activate(key, id); });
  }
  for (const Subscribed& one : answered.refused) {
    subscriptions_.withdraw(key_of(session), one.id);
  }
  if (!answered.refused.empty()) subscriptions_changed();
}

void RpcService::activate(eth::ConnectionKey connection, const std::string& id) {
  // In the middle of a block it would be told half of it.
  if (logs_pass_) return activate_later_.emplace_back(connection, id), void();
  if (auto missing = subscriptions_.activate(connection, id)) ask_history(std::move(*missing));
}

void RpcService::on_drained(session::Session& session) {
  caught_up(session.data<RpcConnection>());
  session.data<RpcConnection>().notifications_behind_ = 0;
  for (auto& missing : subscriptions_.drained(key_of(session))) ask_history(std::move(missing));
  count_changes();
}

void RpcService::ask_history(eth::SubscriptionManager::Missing missing) {
  net::Loop& loop = context_.server.loop();
  Network& network = context_.network;
  context_.worker.post([this, &network, &loop, missing = std::move(missing)]() mutable {
    auto done = [this, &loop, connection = missing.connection,
                 id = std::move(missing.id)](eth::HistoryBatchPtr batch) mutable {
      loop.post([this, connection, id = std::move(id), batch = std::move(batch)]() mutable {
        enqueue(HistoryAnswer{.connection = connection, .id = std::move(id), .batch = std::move(batch)});
      });
    };
    network.resume(missing.from, missing.needs, std::move(done));
  });
}

void RpcService::rewind() {
  for (auto& missing : subscriptions_.rewind()) ask_history(std::move(missing));
}

void RpcService::subscriptions_changed() {
  for (std::size_t i = 0; i < eth::kSubscriptionTypes; ++i) {
    const auto type = static_cast<eth::SubscriptionType>(i);
    const auto now = static_cast<std::int64_t>(subscriptions_.subscriptions(type));
    metrics().subscriptions[kind_of(type)].add(now - counted_subscriptions_[i]);
    counted_subscriptions_[i] = now;
  }
  if (const eth::Interest now = subscriptions_.interest(); now != interest_) {
    interest_ = now;
    context_.worker.post([&network = context_.network, index = context_.loop_index, now] {
      network.set_interest(index, now);
    });
  }
}

}  // namespace fanfare::gateway
