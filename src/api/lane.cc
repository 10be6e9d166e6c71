#include "api/lane.h"

#include "base/check.h"

namespace fanfare::api {
namespace {

thread_local Lane* current_lane = nullptr;

}  // namespace

Lane::Lane(Core& core, session::LoopServer& server, std::uint32_t index)
    : core_(core), server_(server), index_(index) {
  FANFARE_CHECK(current_lane == nullptr);
  current_lane = this;
}

Lane::~Lane() {
  current_lane = nullptr;
}

Lane* Lane::current() {
  return current_lane;
}

void Lane::subscribe_to(std::string_view topic, pubsub::Subscriber& subscriber, pubsub::Ticket& ticket) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(topic), Topic{.key = {.high = 0, .low = next_key_++}}).first;
  }
  ++found->second.subscribers;
  ticket = table_.subscribe(found->second.key, subscriber);
}

void Lane::unsubscribe_from(std::string_view topic, pubsub::Ticket ticket) {
  table_.unsubscribe(ticket);
  const auto found = topics_.find(topic);
  FANFARE_CHECK(found != topics_.end());
  if (--found->second.subscribers == 0) topics_.erase(found);
}

void Lane::publish(std::string_view topic, const SharedBytes& frame) {
  const auto found = topics_.find(topic);
  if (found != topics_.end()) table_.publish(found->second.key, frame);
}

}  // namespace fanfare::api
