#include "gateway/rpc_service.h"

#include <algorithm>
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

session::SessionId id_of(eth::ConnectionKey key) {
  return {.place = static_cast<std::uint32_t>(key >> 32U), .generation = static_cast<std::uint32_t>(key)};
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

constexpr std::string_view kJson = "application/json";
// Blocks that come closer together than this come as fast as we publish them: it is a jump.
constexpr Duration kBurst = std::chrono::milliseconds(250);

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
  if (!incoming) return reply(session, incoming.error(), {});
  if (incoming->open == 0) return reply(session, join_answers(incoming->job), incoming->subscribed);

  RpcConnection& connection = session.data<RpcConnection>();
  connection.in_flight_ += incoming->open;
  if (connection.in_flight_ >= limits_.requests_in_flight_max) session.pause();
  send_to_node(std::move(incoming->job),
               [this, id = session.id(), open = incoming->open,
                subscribed = std::move(incoming->subscribed)](const std::string& text) {
                 session::Session* asker = context_.server.sessions().find(id);
                 if (asker == nullptr) return;
                 RpcConnection& its = asker->data<RpcConnection>();
                 its.in_flight_ -= open;
                 reply(*asker, text, subscribed);
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
  if (incoming->open == 0) return respond(session, join_answers(incoming->job));
  send_to_node(std::move(incoming->job), [this, respond, id = session.id()](std::string text) {
    // Only HTTP sessions ask here, and none becomes a WebSocket while it waits for its answer.
    auto* asker = static_cast<session::ServerSession*>(context_.server.sessions().find(id));
    if (asker != nullptr) respond(*asker, std::move(text));
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
  auto id = subscriptions_.subscribe(key_of(session), session.data<RpcConnection>(), request.params);
  if (!id) {
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(id.error().code),
                                 id.error().message);
  }
  jsonrpc::append_result(answer, request.id, "\"" + *id + "\"");
  incoming.subscribed.push_back(std::move(*id));
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

void RpcService::send_to_node(ForwardJob job, std::move_only_function<void(std::string)> done_on_loop) {
  // The loop outlives the worker, and the service is only touched on its own loop while that still runs.
  net::Loop& loop = context_.server.loop();
  Network& network = context_.network;
  context_.worker.post([&network, &loop, job = std::move(job), done = std::move(done_on_loop)]() mutable {
    forward(
        network.backend(), &network.reads(), std::move(job),
        [&loop, done = std::move(done)](std::string text) mutable {
          loop.post([done = std::move(done), text = std::move(text)]() mutable { done(std::move(text)); });
        });
  });
}

void RpcService::reply(session::Session& session, const std::string& text,
                       const std::vector<std::string>& subscribed) {
  if (!text.empty() && session.send_text(text) != session::SendResult::closed) {
    metrics().messages_sent.add();
    metrics().bytes_sent.add(text.size());
  }
  // Only now: a client drops what arrives for an id it has not been told.
  for (const std::string& id : subscribed) {
    if (auto missing = subscriptions_.activate(key_of(session), id)) ask_history(std::move(*missing));
  }
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

namespace {

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

}  // namespace

void RpcService::publish(Network::Events events, Instant told) {
  enqueue(Told{.events = std::move(events), .at = told});
}

void RpcService::enqueue(std::variant<Told, HistoryAnswer> next) {
  to_publish_.push_back(std::move(next));
  // With more than one waiting, the next turn is on its way already.
  if (to_publish_.size() == 1) publish_next();
}

void RpcService::publish_next() {
  for (std::size_t i = 0; i < limits_.events_per_turn_max && !to_publish_.empty(); ++i) {
    if (!std::exchange(pause_is_over_, false) && should_pause()) return pause();
    publish_one();
    last_published_ = context_.server.loop().now();
  }
  if (behind_ == 0) pauses_ = 0;
  if (!to_publish_.empty()) context_.server.loop().post([this] { publish_next(); });
  count_changes();
}

void RpcService::count_changes() {
  const eth::SubscriptionManager::Counters& now = subscriptions_.counters();
  metrics().resumes[ResumeOutcome::complete].add(now.resumed - counted_.resumed);
  metrics().resumes[ResumeOutcome::notice].add(now.resumed_with_notice - counted_.resumed_with_notice);
  metrics().replayed.add(now.replayed - counted_.replayed);
  metrics().slow_drops[SlowPolicy::latest].add(now.heads_dropped - counted_.heads_dropped);
  counted_ = now;
}

// Who reads but is behind gets a moment. One who does not read has had his after pauses_max of them.
void RpcService::pause() {
  paused_ = true;
  ++pauses_;
  pause_timer_ = context_.server.loop().call_after(limits_.pause, [this] {
    paused_ = false;
    pause_is_over_ = true;
    publish_next();
  });
}

void RpcService::publish_one() {
  if (auto* answer = std::get_if<HistoryAnswer>(&to_publish_.front())) {
    auto missing = subscriptions_.replay(answer->connection, answer->id, std::move(answer->batch));
    if (missing) ask_history(std::move(*missing));
    to_publish_.pop_front();
    return;
  }
  const Told& told = std::get<Told>(to_publish_.front());
  publish((*told.events)[published_of_first_]);
  if (++published_of_first_ == told.events->size()) {
    metrics().fan_out.observe(system_clock().now() - told.at);
    to_publish_.pop_front();
    published_of_first_ = 0;
  }
}

bool RpcService::should_pause() const {
  if (behind_ == 0 || pauses_ >= limits_.pauses_max) return false;
  if (context_.server.loop().now() - last_published_ > kBurst) return false;
  // Pending transactions come by the thousand all the time: no jump, and no reason to wait for anyone.
  const auto* told = std::get_if<Told>(&to_publish_.front());
  return told != nullptr && std::holds_alternative<eth::BlockAdded>((*told->events)[published_of_first_]);
}

void RpcService::caught_up(RpcConnection& connection) {
  if (!std::exchange(connection.behind_, false) || --behind_ > 0 || !paused_) return;
  context_.server.loop().cancel(pause_timer_);
  paused_ = false;
  context_.server.loop().post([this] { publish_next(); });
}

void RpcService::publish(const eth::SourceEvent& event) {
  const auto count = [this](SubscriptionKind kind, std::size_t taken) {
    metrics().notifications[kind].add(taken);
  };
  if (const auto* baseline = std::get_if<eth::Baseline>(&event)) {
    shown_head_ = baseline->header->number;
    rewind();
    subscriptions_.note_head(*baseline->header);
  } else if (const auto* added = std::get_if<eth::BlockAdded>(&event)) {
    publish_block(*added);
  } else if (const auto* late = std::get_if<eth::BlockLogsLate>(&event)) {
    count(SubscriptionKind::logs, subscriptions_.publish_late_logs(*late->header, *late->logs));
  } else if (const auto* removed = std::get_if<eth::BlockRemoved>(&event)) {
    if (removed->logs) {
      count(SubscriptionKind::logs, subscriptions_.publish_logs(*removed->header, *removed->logs, true));
    } else {
      for (auto& missing : subscriptions_.rewind_logs()) ask_history(std::move(missing));
    }
    subscriptions_.note_removed(*removed->header);
  } else if (const auto* hash = std::get_if<eth::PendingHash>(&event)) {
    count(SubscriptionKind::new_pending_transactions, subscriptions_.publish_pending_hash(hash->hash));
  } else if (const auto* body = std::get_if<eth::PendingBody>(&event)) {
    count(SubscriptionKind::new_pending_transactions,
          subscriptions_.publish_pending_body(body->transaction_json));
  } else if (const auto* syncing = std::get_if<eth::SyncingChanged>(&event)) {
    count(SubscriptionKind::syncing, subscriptions_.publish_syncing(syncing->result_json));
  } else if (const auto* gap = std::get_if<eth::Gap>(&event)) {
    const std::string words =
        "blocks " + std::to_string(gap->first) + " to " + std::to_string(gap->last) + " were missed";
    close_subscribers(eth::SubscriptionType::new_heads, words);
    close_subscribers(eth::SubscriptionType::logs, words);
    close_subscribers(eth::SubscriptionType::transaction_receipts, words);
  } else if (const auto* missing = std::get_if<eth::LogsMissing>(&event)) {
    const std::uint64_t number = missing->header->number;
    subscriptions_.publish_missed(eth::SubscriptionType::logs, number, number,
                                  eth::MissedBecause::unavailable);
    close_subscribers(eth::SubscriptionType::logs,
                      "the logs of block " + std::to_string(number) + " were missed");
  } else if (const auto* receipts = std::get_if<eth::ReceiptsKnown>(&event)) {
    if (const auto missed = subscriptions_.receipts_missed_before(*receipts->header)) miss_receipts(*missed);
    count(SubscriptionKind::transaction_receipts,
          subscriptions_.publish_receipts(*receipts->header, *receipts->receipts));
  } else if (const auto* lost = std::get_if<eth::ReceiptsMissing>(&event)) {
    const std::uint64_t number = lost->header->number;
    if (subscriptions_.miss_receipts(*lost->header)) miss_receipts({.first = number, .last = number});
  } else if (const auto* reorg = std::get_if<eth::Reorg>(&event); reorg != nullptr && reorg->beyond_window) {
    close_subscribers(eth::SubscriptionType::logs, "a reorg went deeper than the window");
    close_subscribers(eth::SubscriptionType::transaction_receipts, "a reorg went deeper than the window");
  }
}

void RpcService::miss_receipts(const eth::SubscriptionManager::Range& blocks) {
  subscriptions_.publish_missed(eth::SubscriptionType::transaction_receipts, blocks.first, blocks.last,
                                eth::MissedBecause::unavailable);
  std::string words = "the receipts of block " + std::to_string(blocks.first);
  if (blocks.last > blocks.first) words.append(" to ").append(std::to_string(blocks.last));
  close_subscribers(eth::SubscriptionType::transaction_receipts, words + " were missed");
}

void RpcService::publish_block(const eth::BlockAdded& block) {
  const eth::Header& header = *block.header;
  shown_head_ = header.number;
  if (!subscriptions_.is_followed_by(header)) rewind();
  metrics().notifications[SubscriptionKind::new_heads].add(subscriptions_.publish_head(header));
  if (block.logs == nullptr) return;
  const Instant before = system_clock().now();
  metrics().notifications[SubscriptionKind::logs].add(
      subscriptions_.publish_logs(header, *block.logs, false));
  if (subscriptions_.subscriptions(eth::SubscriptionType::logs) > 0) {
    metrics().match.observe(system_clock().now() - before);
  }
  subscriptions_.note_told(header);
}

// The protocol has no word for "you missed something", and what looks like an unbroken stream must be one: so
// the stream ends, with the reason, and the client fetches what it missed when it comes back. Who asked for
// cursors knows our word for it, or is told what lies between.
void RpcService::close_subscribers(eth::SubscriptionType type, const std::string& what_was_missed) {
  for (const eth::ConnectionKey key : subscriptions_.connections_without_notices(type)) {
    session::Session* session = context_.server.sessions().find(id_of(key));
    if (session != nullptr) session->start_closing(ws::close_code::try_again_later, what_was_missed);
  }
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
