#include "api/lane.h"

#include "api/connection.h"
#include "api/core.h"
#include "api/subscription.h"
#include "base/check.h"

namespace fanfare::api {
namespace {

thread_local Lane* current_lane = nullptr;

}  // namespace

Lane::Lane(Core& core, session::LoopServer& server, std::uint32_t index)
    : core_(core),
      server_(server),
      index_(index),
      subscriptions_(sizeof(Subscription)),
      timers_(server.loop()) {
  FANFARE_CHECK(current_lane == nullptr);
  current_lane = this;
  if (core.hub() != nullptr) hub_ = std::make_unique<pubsub::LoopHub>(*core.hub(), index, *this);
}

Lane::~Lane() {
  current_lane = nullptr;
}

Lane* Lane::current() {
  return current_lane;
}

Lane::NamedTopic* Lane::find(std::string_view topic) {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &*found;
}

Lane::NamedTopic& Lane::enter(std::string_view topic) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(topic), Topic{.key = {.high = 0, .low = next_key_++}}).first;
  }
  ++found->second.subscribers;
  return *found;
}

pubsub::Ticket Lane::subscribe_to(const NamedTopic& topic, pubsub::Subscriber& subscriber) {
  return table_.subscribe(topic.second.key, subscriber);
}

void Lane::leave(NamedTopic& topic, pubsub::Ticket ticket) {
  table_.unsubscribe(ticket);
  if (--topic.second.subscribers == 0) topics_.erase(topics_.find(topic.first));
}

Subscription* Lane::find_subscription(SessionId id, const NamedTopic& topic) const {
  if (id == SessionId{} || id.loop != index_) return nullptr;
  const session::Session* const engine =
      server_.sessions().find({.place = id.place, .generation = id.generation});
  if (engine == nullptr || !engine->is_open()) return nullptr;
  return Connection::of(*engine).find_subscription(topic);
}

void Lane::publish(std::string_view topic, const SharedBytes& frame, SessionId except) {
  const auto found = topics_.find(topic);
  if (found == topics_.end()) return;
  const Topic& there = found->second;
  Subscription* const excepted = find_subscription(except, *found);
  if (there.log == nullptr) {
    table_.publish(there.key, frame, excepted);
    return;
  }
  there.log->append(frame);
  table_.publish(there.key, frame, excepted);
  if (excepted != nullptr) excepted->skip_newest();
  there.log->settle();
}

pubsub::EventLog& Lane::log_of(NamedTopic& topic) {
  if (topic.second.log == nullptr) topic.second.log = std::make_unique<pubsub::EventLog>();
  return *topic.second.log;
}

}  // namespace fanfare::api
