#include "gateway/rpc_service.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/guard.h"
#include "jsonrpc/response.h"
#include "ws/encode.h"

namespace fanfare::gateway {
namespace {

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

}  // namespace

eth::ConnectionKey key_of(const session::Session& session) {
  const session::SessionId id = session.id();
  return (std::uint64_t{id.slot} << 32U) | id.generation;
}

RpcConnection::RpcConnection(RpcService& service, ConnectionSlot slot, bool developer, eth::IdScope ids)
    : service_(service),
      slot_(std::move(slot)),
      developer_(developer),
      ids_(ids),
      share_(service.make_share()) {}

bool RpcConnection::deliver(const SharedBytes& frame) {
  if (is_congested() && ++notifications_behind_ > service_.limits().notifications_behind_max) {
    closed_because_ = CloseReason::slow_consumer;
    session_->start_closing(ws::close_code::try_again_later, "reading too slowly");
    return false;
  }
  const std::size_t before = session_->queued_bytes();
  const session::SendResult result = session_->send_frame(frame);
  if (result == session::SendResult::closed) return false;
  if (watched_) queued_ += session_->queued_bytes() - before;
  if (result == session::SendResult::congested)
    service_.fell_behind(*session_, !std::exchange(behind_, true));
  service_.metrics().messages_sent.add();
  service_.metrics().bytes_sent.add(frame.size());
  return true;
}

RpcService::RpcService(const session::SessionSettings& settings, RpcLimits limits, Context context)
    : Endpoint(settings),
      limits_(limits),
      context_(context),
      parser_({.batch_elements_max = limits.batch_items_max}),
      methods_(context.network.plan().methods),
      local_nodes_(is_on_loopback(context.network.plan().backend)),
      subscriptions_({.network = context.network.name(),
                      .salt = context.salt,
                      .loop = context.loop_index,
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
  waiting_.erase(key_of(session));
  unwatch(session);
  caught_up(session.data<RpcConnection>());
  subscriptions_changed();
  const RpcConnection& connection = session.data<RpcConnection>();
  const CloseReason reason = connection.closed_because_.value_or(reason_of(info));
  metrics().closed(reason);
  if (reason == CloseReason::slow_consumer) {
    network().log().warn("slow_consumer_closed",
                         {{"network", network().name()},
                          {"outbox_bytes_max", settings().outbox_bytes_max},
                          {"notifications_behind", connection.notifications_behind_}});
  }
}

void RpcService::on_message(session::Session& session, const session::Message& message) {
  metrics().messages_received.add();
  metrics().bytes_received.add(message.payload.size());
  // Text or binary: web3.py sends its requests in binary frames. Answers are always text.
  if (run_guarded("a message", [&] { handle_message(session, as_text(message.payload)); })) return;
  // It is not known here which of its calls were answered.
  session.data<RpcConnection>().closed_because_ = CloseReason::internal;
  session.start_closing(ws::close_code::try_again_later, "out of memory");
}

void RpcService::handle_message(session::Session& session, std::string_view text) {
  RpcConnection& connection = session.data<RpcConnection>();
  auto incoming = read(text, &session, connection.developer_, connection.share_);
  if (!incoming)
    return reply(session, {.text = incoming.error(), .subscribed = {}, .refused = {}, .hold = {}});
  set_caller(*incoming, static_cast<session::ServerSession&>(session));
  if (incoming->open == 0) {
    Answered answered{.text = join_answers(incoming->job),
                      .subscribed = std::move(incoming->subscribed),
                      .refused = {},
                      .hold = incoming->job.room.release()};
    return reply(session, std::move(answered));
  }
  const std::uint32_t open = incoming->open;
  auto asked = pending_request(*std::move(incoming), [this, id = session.id(), open](Answered answered) {
    session::Session* asker = context_.server.sessions().find(id);
    if (asker == nullptr) return;
    answered.open = open;
    reply(*asker, std::move(answered));
  });
  connection.in_flight_ += open;
  update_reading(session);
  send_to_node(std::move(asked));
}

std::expected<RpcService::Incoming, std::string> RpcService::read(std::string_view text,
                                                                  session::Session* session, bool developer,
                                                                  std::shared_ptr<ByteShare> share) {
  const auto message = parser_.parse(text);
  if (!message) {
    std::string answer;
    jsonrpc::append_error(answer, "null", message.error().code, message.error().message);
    return std::unexpected(std::move(answer));
  }
  Incoming incoming;
  incoming.job.batch = message->batch;
  incoming.job.head_min = shown_head_;
  incoming.job.room = AnswerRoom(std::move(share), message->batch ? limits_.batch_answer_bytes_max : 0);
  const bool has_room = incoming.job.room.take_request(text.size());
  incoming.job.items.reserve(message->requests.size());
  const auto transport = session == nullptr ? Transport::http : Transport::websocket;
  for (const jsonrpc::Request& request : message->requests) {
    metrics().requests[transport].add();
    ForwardItem item{.id = std::string(request.id), .method = {}, .params = {}, .answer = {}};
    bool forwards = false;
    if (!has_room) {
      metrics().requests_refused[RpcRefusal::memory].add();
      append_no_memory(item.answer, item.id);
    } else {
      forwards = !is_refused(request, developer, item.answer) &&
                 !answer_here(request, session, incoming, item.answer);
    }
    if (forwards) {
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

bool RpcService::is_refused(const jsonrpc::Request& request, bool developer, std::string& answer) {
  if (!request.fault.empty()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::invalid_request, request.fault);
    return true;
  }
  if (methods_.allows(request.method, developer && local_nodes_)) return false;
  metrics().requests_refused[RpcRefusal::method].add();
  if (!request.is_notification()) {
    jsonrpc::append_error(answer, request.id, jsonrpc::ErrorCode::method_not_found,
                          MethodRules::refusal(request.method));
  }
  return true;
}

bool RpcService::answer_here(const jsonrpc::Request& request, session::Session* session, Incoming& incoming,
                             std::string& answer) {
  const bool subscribes = request.method == "eth_subscribe";
  if (!subscribes && request.method != "eth_unsubscribe") return false;
  if (request.is_notification()) return true;  // without an id no client could learn the subscription's id
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
  RpcConnection& connection = session.data<RpcConnection>();
  auto made = subscriptions_.subscribe(key_of(session), connection, request.params, connection.ids_);
  if (!made) {
    return jsonrpc::append_error(answer, request.id, static_cast<jsonrpc::ErrorCode>(made.error().code),
                                 made.error().message);
  }
  jsonrpc::append_result(answer, request.id, "\"" + *made + "\"");
  const eth::SubscriptionType type = subscriptions_.type_of(key_of(session), *made).value();
  Subscribed one{.id = std::move(*made),
                 .item = incoming.job.items.size(),
                 .type = type,
                 .waits = !eth::feed_type(type).not_listening.empty(),
                 .needs_chain = !network().is_ready(),
                 .activates_later = eth::feed_type(type).activates_later};
  if (one.waits) incoming.waits.set(static_cast<std::size_t>(type));
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

void RpcService::activate(eth::ConnectionKey connection, const std::string& id) {
  if (auto missing = subscriptions_.activate(connection, id)) ask_history(std::move(*missing));
}

void RpcService::on_drained(session::Session& session) {
  session.data<RpcConnection>().unsent_.clear();
  unwatch(session);
  caught_up(session.data<RpcConnection>());
  session.data<RpcConnection>().notifications_behind_ = 0;
  send_waiting(session);
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

void RpcService::subscriptions_changed() {
  for (std::size_t i = 0; i < eth::kSubscriptionTypes; ++i) {
    const auto type = static_cast<eth::SubscriptionType>(i);
    const auto now = static_cast<std::int64_t>(subscriptions_.subscriptions(type));
    metrics().subscriptions[type].add(now - counted_subscriptions_[i]);
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
