#include "api/connection.h"

#include <utility>

#include "api/lane.h"
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

std::unique_ptr<Subscription>& Connection::Rare::place_of(std::string_view topic) {
  std::unique_ptr<Subscription>* place = &first;
  while (*place != nullptr && (*place)->topic() != topic) place = &(*place)->next;
  return *place;
}

void Connection::Rare::unsubscribe_all() {
  ++removals;
  while (first != nullptr) first = std::move(first->next);
}

void Connection::subscribe(std::string_view topic, TopicPolicy policy) {
  if (!engine().is_open()) return;
  std::unique_ptr<Subscription>& place = rare().place_of(topic);
  if (place != nullptr) return place->set_policy(policy);
  place = Subscription::make(lane(), engine(), topic, policy);
}

bool Connection::unsubscribe(std::string_view topic) {
  Rare* const rare = find_rare();
  if (rare == nullptr) return false;
  std::unique_ptr<Subscription>& place = rare->place_of(topic);
  if (place == nullptr) return false;
  ++rare->removals;
  place = std::move(place->next);
  return true;
}

void Connection::unsubscribe_all() {
  if (Rare* const rare = find_rare()) rare->unsubscribe_all();
}

bool Connection::send_waiting(const WebSocketRoute& route) {
  session::ServerSession& engine = this->engine();
  Rare* const rare = find_rare();
  if (rare == nullptr) return engine.is_open();
  for (Subscription* subscription = rare->first.get(); subscription != nullptr;) {
    if (!engine.is_open() || engine.is_congested()) return false;
    const auto next = subscription->take();
    if (!next) {
      subscription = subscription->next.get();
      continue;
    }
    const std::uint32_t removals = rare->removals;
    if (next->missed > 0) {
      // The handler may subscribe and unsubscribe as it likes, this topic, too.
      const std::string topic = subscription->topic();
      route.lagged(handle(), topic, next->missed);
    }
    engine.send_frame(next->frame);
    if (rare->removals != removals) subscription = rare->first.get();
  }
  return engine.is_open();
}

}  // namespace fanfare::api
