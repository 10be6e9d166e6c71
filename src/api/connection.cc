#include "api/connection.h"

#include <utility>

#include "api/border.h"
#include "api/core.h"
#include "api/lane.h"
#include "api/mounts.h"
#include "base/check.h"

namespace fanfare::api {

Connection::Connection(session::ServerSession& engine, std::unique_ptr<Session> with_data) {
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(&engine);
  if (with_data == nullptr) return;
  with_data->behind_ = reinterpret_cast<std::uintptr_t>(&rare()) | kRareBit;
  rare().with_data = std::move(with_data);
}

Connection::~Connection() {
  delete find_rare();
}

Lane& Connection::lane() {
  Lane* const here = Lane::current();
  FANFARE_CHECK(here != nullptr);
  return *here;
}

Connection::Rare& Connection::rare() {
  if (Rare* const there = find_rare()) return *there;
  auto made = std::make_unique<Rare>(engine());
  handle_.behind_ = reinterpret_cast<std::uintptr_t>(made.get()) | kRareBit;
  return *made.release();
}

void Connection::on_agreed(std::string_view subprotocol) {
  if (!subprotocol.empty()) rare().subprotocol = std::make_unique<const std::string>(subprotocol);
}

Connection::Crowd& Connection::Rare::more() {
  if (crowd == nullptr) crowd = std::make_unique<Crowd>();
  return *crowd;
}

Subscription* Connection::Rare::find(const Lane::NamedTopic* topic) const {
  if (crowd != nullptr) {
    const auto found = crowd->topics.find(topic);
    if (found != crowd->topics.end()) return found->second.get();
  }
  Subscription* listed = first.get();
  while (listed != nullptr && listed->key() != topic) listed = listed->next.get();
  return listed;
}

std::size_t Connection::Rare::topic_count() const {
  std::size_t count = crowd == nullptr ? 0 : crowd->topics.size();
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

bool Connection::Rare::remove(const Lane::NamedTopic* topic) {
  if (crowd != nullptr && crowd->topics.erase(topic) > 0) return true;
  std::unique_ptr<Subscription>* place = &first;
  while (*place != nullptr && (*place)->key() != topic) place = &(*place)->next;
  if (*place == nullptr) return false;
  *place = std::move((*place)->next);
  return true;
}

void Connection::Rare::unsubscribe_all() {
  while (first != nullptr) first = std::move(first->next);
  crowd.reset();
}

bool Connection::subscribe(std::string_view topic, TopicPolicy policy) {
  if (!engine().is_open()) return false;
  Rare& rare = this->rare();
  // In a lagged handler: what comes under the new subscription, or policy, comes after that.
  if (rare.crowd != nullptr && rare.crowd->waiting.in_hand && rare.crowd->waiting.in_hand->topic == topic) {
    rare.crowd->waiting.send_in_hand(engine());
  }
  const Lane::NamedTopic* const known = lane().find(topic);
  Subscription* subscription = known == nullptr ? nullptr : rare.find(known);
  if (subscription == nullptr) {
    if (rare.topic_count() >= lane().core().options().limits.topics_per_session_max) return false;
    auto made = Subscription::make(lane(), engine(), topic);
    subscription = made.get();
    rare.add(std::move(made));
  }
  if (policy.when_full == WhenFull::close) {
    subscription->send_whole();
  } else {
    subscription->set_policy(policy, rare.more().waiting);
  }
  return true;
}

bool Connection::unsubscribe(std::string_view topic) {
  Rare* const rare = find_rare();
  if (rare == nullptr) return false;
  const Lane::NamedTopic* const known = lane().find(topic);
  return known != nullptr && rare->remove(known);
}

void Connection::unsubscribe_all() {
  if (Rare* const rare = find_rare()) rare->unsubscribe_all();
}

// A busy topic may fill the outbox again each time it is empty, and so may the drain handler. Each goes first
// in every second turn, so that neither waits for the other to end.
void Connection::on_drained(const WebSocketRoute& route) {
  Rare* const rare = find_rare();
  if (rare == nullptr || rare->crowd == nullptr) return route.drain(handle());
  if (std::exchange(rare->crowd->waiting.drain_is_next, false)) {
    route.drain(handle());
    if (engine().is_open()) send_waiting(route);
    return;
  }
  // Topics wait for the end of a message in pieces, whose writer waits for this.
  if (send_waiting(route) || engine().is_sending_pieces()) return route.drain(handle());
  if (rare->crowd != nullptr) rare->crowd->waiting.drain_is_next = true;
}

bool Connection::send_waiting(const WebSocketRoute& route) {
  session::ServerSession& engine = this->engine();
  Rare* const rare = find_rare();
  while (rare != nullptr && rare->crowd != nullptr && !rare->crowd->waiting.order.empty()) {
    if (!engine.is_open() || engine.is_congested()) return false;
    WaitingSubscriptions& waiting = rare->crowd->waiting;
    Subscription& subscription = *waiting.order.front();
    const auto next = subscription.take();
    FANFARE_CHECK(next);
    if (next->missed == 0) {
      engine.send_frame(next->frame);
      continue;
    }
    // The handler may publish, subscribe and unsubscribe as it likes, this topic, too.
    const std::string topic = subscription.topic();
    waiting.in_hand = {.of = &subscription, .topic = topic, .frame = next->frame};
    if (!call_handler("lagged", [&] { route.lagged(handle(), topic, next->missed); })) {
      end_after_exception(engine);
    }
    if (waiting.in_hand) waiting.send_in_hand(engine);
  }
  return engine.is_open();
}

}  // namespace fanfare::api
