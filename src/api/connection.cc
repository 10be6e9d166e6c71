#include "api/connection.h"

#include <utility>
#include <vector>

#include "api/border.h"
#include "api/loop_context.h"
#include "api/mounts.h"
#include "api/route_endpoint.h"
#include "api/server_impl.h"
#include "base/check.h"

namespace fanfare::api {

Connection::Connection(std::unique_ptr<Session> with_data) {
  if (with_data == nullptr) return;
  auto made = std::make_unique<Rare>(nullptr);
  with_data->behind_ = reinterpret_cast<std::uintptr_t>(made.get()) | kRareBit;
  made->with_data = std::move(with_data);
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(made.release()) | kRareBit;
}

Connection::~Connection() {
  delete find_rare();
}

LoopContext& Connection::loop_context() {
  LoopContext* const here = LoopContext::current();
  FANFARE_CHECK(here != nullptr);
  return *here;
}

Connection::Rare& Connection::rare() {
  if (Rare* const there = find_rare()) return *there;
  auto made = std::make_unique<Rare>(&engine());
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(made.get()) | kRareBit;
  return *made.release();
}

void Connection::on_opening(session::Session& engine, std::string_view subprotocol) {
  if (Rare* const there = find_rare()) {
    there->engine = &engine;
  } else {
    handle_.behind_ = reinterpret_cast<std::uintptr_t>(&engine);
  }
  if (!subprotocol.empty()) rare().subprotocol = std::make_unique<const std::string>(subprotocol);
}

Connection::Crowd& Connection::Rare::more() {
  if (crowd == nullptr) crowd = std::make_unique<Crowd>();
  return *crowd;
}

Subscription* Connection::Rare::find(const LoopContext::NamedTopic* topic) const {
  if (crowd != nullptr) {
    const auto found = crowd->topics.find(topic);
    if (found != crowd->topics.end()) return found->second.get();
  }
  Subscription* listed = first.get();
  while (listed != nullptr && listed->key() != topic) listed = listed->next.get();
  return listed;
}

std::size_t Connection::Rare::topic_count() const {
  std::size_t count = crowd == nullptr ? 0 : crowd->topics.size() + crowd->hub_topics.size();
  for (const Subscription* listed = first.get(); listed != nullptr; listed = listed->next.get()) ++count;
  return count;
}

void Connection::Rare::add(std::unique_ptr<Subscription> subscription) {
  if (topic_count() < kFewTopics) {
    std::unique_ptr<Subscription>* last = &first;
    while (*last != nullptr) last = &(*last)->next;
    *last = std::move(subscription);
    return;
  }
  auto& topics = more().topics;
  while (first != nullptr) {
    auto rest = std::move(first->next);
    topics.emplace(first->key(), std::move(first));
    first = std::move(rest);
  }
  topics.emplace(subscription->key(), std::move(subscription));
}

bool Connection::Rare::remove(const LoopContext::NamedTopic* topic) {
  if (crowd != nullptr && crowd->topics.erase(topic) > 0) return true;
  std::unique_ptr<Subscription>* slot = &first;
  while (*slot != nullptr && (*slot)->key() != topic) slot = &(*slot)->next;
  if (*slot == nullptr) return false;
  *slot = std::move((*slot)->next);
  return true;
}

void Connection::Rare::unsubscribe_all() {
  while (first != nullptr) first = std::move(first->next);
  crowd.reset();
}

bool Connection::subscribe(std::string_view topic, TopicPolicy policy) {
  if (!engine().is_open()) return false;
  Rare& rare = this->rare();
  // In a lagged handler: messages under the new subscription or policy must follow the current one.
  if (rare.crowd != nullptr && rare.crowd->waiting.in_hand && rare.crowd->waiting.in_hand->topic == topic) {
    rare.crowd->waiting.send_in_hand(engine());
  }
  const LoopContext::NamedTopic* const known = loop_context().find(topic);
  Subscription* subscription = known == nullptr ? nullptr : rare.find(known);
  if (subscription == nullptr) {
    if (rare.topic_count() >= loop_context().impl().options().limits.topics_per_session_max) return false;
    auto made = Subscription::make(loop_context(), engine(), topic);
    subscription = made.get();
    rare.add(std::move(made));
  }
  if (policy.when_full == WhenFull::close) {
    subscription->set_close_policy();
  } else {
    subscription->pace(policy, rare.more().waiting);
  }
  return true;
}

bool Connection::unsubscribe(std::string_view topic) {
  Rare* const rare = find_rare();
  if (rare == nullptr) return false;
  const LoopContext::NamedTopic* const known = loop_context().find(topic);
  return known != nullptr && rare->remove(known);
}

void Connection::unsubscribe_all() {
  if (Rare* const rare = find_rare()) rare->unsubscribe_all();
}

// A busy topic may refill the outbox each time it is empty, and so may the drain handler. They alternate in
// going first, so that neither waits for the other to end.
void Connection::on_drained(const WebSocketRoute& route) {
  Rare* const rare = find_rare();
  if (rare == nullptr || rare->crowd == nullptr) return route.drain(handle());
  if (std::exchange(rare->crowd->waiting.drain_is_next, false)) {
    route.drain(handle());
    if (engine().is_open()) send_waiting();
    return;
  }
  // While a message is sent in pieces, topics wait for its end, and its writer waits for this call.
  if (send_waiting() || engine().is_sending_pieces()) return route.drain(handle());
  if (rare->crowd != nullptr) rare->crowd->waiting.drain_is_next = true;
}

Expected<Joined, JoinError> Connection::join(const std::shared_ptr<pubsub::Topic>& topic,
                                             const JoinOptions& options) {
  if (!engine().is_open()) return Unexpected(JoinError::closing);
  pubsub::LoopHub* const hub = loop_context().hub();
  if (topic == nullptr || hub == nullptr) return Unexpected(JoinError::removed);
  Rare& rare = this->rare();
  Crowd& crowd = rare.more();
  if (crowd.hub_topics.contains(topic.get())) return Unexpected(JoinError::already_joined);
  if (rare.topic_count() >= loop_context().impl().options().limits.topics_per_session_max) {
    return Unexpected(JoinError::topics_full);
  }
  const auto slot = crowd.hub_topics.emplace(topic.get(), std::make_unique<HubSubscription>(engine())).first;
  auto joined = hub->join(topic, *slot->second, crowd.waiting, options);
  if (joined) return *std::move(joined);
  crowd.hub_topics.erase(slot);
  return Unexpected(joined.error());
}

bool Connection::leave(const pubsub::Topic& topic) {
  Rare* const rare = find_rare();
  return rare != nullptr && rare->crowd != nullptr && rare->crowd->hub_topics.erase(&topic) > 0;
}

void Connection::end_topic(const pubsub::Topic& topic) {
  Rare* const rare = find_rare();
  FANFARE_CHECK(rare != nullptr && rare->crowd != nullptr);
  const auto found = rare->crowd->hub_topics.find(&topic);
  FANFARE_CHECK(found != rare->crowd->hub_topics.end());
  const std::shared_ptr<pubsub::Topic> held = found->second->shared_topic();
  rare->crowd->hub_topics.erase(found);
  tell(engine(), "notice", [&] { route_of(engine()).notice(handle(), held->name, TopicNotice::removed); });
}

void Connection::end_sent_topics(Crowd& crowd) {
  std::vector<const pubsub::Topic*> ended;
  for (const auto& [topic, subscription] : crowd.hub_topics) {
    if (subscription->has_ended()) ended.push_back(topic);
  }
  for (const pubsub::Topic* const topic : ended) {
    if (!crowd.hub_topics.contains(topic)) continue;  // a handler of this session unsubscribed meanwhile
    --crowd.ended_topics;
    end_topic(*topic);
  }
}

void Connection::send_waiting_later() {
  if (std::exchange(rare().more().sends_later, true)) return;
  session::LoopServer& server = loop_context().server();
  server.loop().post([&server, id = engine().id()] {
    session::Session* const there = server.sessions().find(id);
    if (there == nullptr || !there->is_open()) return;
    Connection& connection = of(*there);
    connection.rare().more().sends_later = false;
    connection.send_waiting();
  });
}

bool Connection::send_waiting() {
  session::Session& engine = this->engine();
  Rare* const rare = find_rare();
  while (rare != nullptr && rare->crowd != nullptr && !rare->crowd->waiting.order.empty()) {
    if (!engine.is_open() || engine.is_congested()) return false;
    WaitingSubscriptions& waiting = rare->crowd->waiting;
    pubsub::PacedSubscriber& subscriber = *waiting.order.front();
    const auto next = subscriber.take();
    FANFARE_CHECK(next);
    if (next->missed) {
      // The handler may publish, subscribe and unsubscribe, also for this topic.
      waiting.in_hand = {
          .of = &subscriber, .topic = std::string(subscriber.topic_name()), .frame = next->frame};
      subscriber.on_missed(*next->missed);
      if (waiting.in_hand) waiting.send_in_hand(engine);
    } else if (!next->frame.empty()) {
      send_event(engine, next->frame);
    }
    if (rare->crowd->ended_topics > 0) end_sent_topics(*rare->crowd);
  }
  return engine.is_open();
}

}  // namespace fanfare::api
