#include "gateway/loop_events.h"

#include <memory>
#include <utility>

#include "session/session_description.h"
#include "ws/encode.h"

namespace fanfare::gateway {
eth::ConnectionKey key_of(const session::Session& session) {
  const session::SessionId id = session.id();
  return (std::uint64_t{id.slot} << 32U) | id.generation;
}

bool EventSubscriber::deliver(const SharedBytes& frame) {
  const session::SendResult result = connection_.deliver(frame);
  if (result == session::SendResult::closed) return false;
  if (result == session::SendResult::congested && !std::exchange(behind_, true)) ++events_.behind_;
  return true;
}

LoopEvents::LoopEvents(const EventLimits& limits, const Context& context)
    : limits_(limits),
      context_(context),
      subscriptions_({.network = context.network.name(),
                      .salt = context.salt,
                      .loop = context.loop_index,
                      .subscriptions_per_connection_max = limits.subscriptions_per_connection_max,
                      .budget = &context.network.filter_budget(),
                      .types = eth::kAllSubscriptionTypes},
                     topics_, [](std::string_view json) {
                       return ws::encode_message(ws::Opcode::text, as_bytes(json));
                     }) {}

std::expected<LoopEvents::Accepted, eth::RpcError> LoopEvents::subscribe(EventSubscriber& subscriber,
                                                                         std::string_view params_json) {
  const eth::ConnectionKey key = key_of(subscriber.connection_.session());
  auto id =
      subscriptions_.subscribe(key, subscriber, params_json, subscriber.ids_, subscriber.client_session_);
  if (!id) return std::unexpected(std::move(id.error()));
  const eth::SubscriptionType type = subscriptions_.type_of(key, *id).value();
  subscriptions_changed();
  return Accepted{.id = *std::move(id), .type = type};
}

std::size_t LoopEvents::subscriptions_of(const EventSubscriber& subscriber) const {
  return subscriptions_.subscriptions_of(key_of(subscriber.connection_.session()));
}

std::expected<bool, eth::RpcError> LoopEvents::unsubscribe(EventSubscriber& subscriber,
                                                           std::string_view params_json) {
  auto done = subscriptions_.unsubscribe(key_of(subscriber.connection_.session()), params_json,
                                         subscriber.client_session_);
  if (done) subscriptions_changed();
  settle();
  return done;
}

void LoopEvents::activate(EventSubscriber& subscriber, const std::string& id) {
  const eth::ConnectionKey key = key_of(subscriber.connection_.session());
  if (subscriber.client_session_ != nullptr && subscriptions_.continues(key, id)) {
    return subscriber.client_session_->activate_later(id);
  }
  activate(key, id);
}

void LoopEvents::send_missed(EventSubscriber& subscriber, const std::string& id) {
  activate(key_of(subscriber.connection_.session()), id);
}

void LoopEvents::activate(eth::ConnectionKey connection, const std::string& id) {
  if (auto missing = subscriptions_.activate(connection, id)) ask_history(std::move(*missing));
  settle();
}

void LoopEvents::withdraw(EventSubscriber& subscriber, const std::string& id) {
  subscriptions_.withdraw(key_of(subscriber.connection_.session()), id);
  subscriptions_changed();
}

void LoopEvents::drained(EventSubscriber& subscriber) {
  for (auto& missing : subscriptions_.drained(key_of(subscriber.connection_.session()))) {
    ask_history(std::move(missing));
  }
  settle();
  count_changes();
}

void LoopEvents::describe(const EventSubscriber& subscriber, session::SessionDescription& out) const {
  const eth::ConnectionKey connection = key_of(subscriber.connection_.session());
  out.subscriptions = subscriptions_.subscriptions_of(connection);
  if (out.subscriptions > 0) out.topics = subscriptions_.topics_of(connection, out.topics_max);
}

void LoopEvents::drop(EventSubscriber& subscriber) {
  subscriptions_.drop(key_of(subscriber.connection_.session()));
  caught_up(subscriber);
  subscriptions_changed();
}

void LoopEvents::ask_history(eth::SubscriptionManager::Missing missing) {
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

void LoopEvents::subscriptions_changed() {
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
