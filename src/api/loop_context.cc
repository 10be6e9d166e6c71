#include "api/loop_context.h"

#include "api/connection.h"
#include "api/server_impl.h"
#include "api/subscription.h"
#include "base/check.h"

namespace fanfare::api {
namespace {

thread_local LoopContext* current_loop_context = nullptr;

}  // namespace

LoopContext::LoopContext(ServerImpl& impl, session::LoopServer& server, std::uint32_t index)
    : impl_(impl),
      server_(server),
      index_(index),
      subscriptions_(sizeof(Subscription)),
      timers_(server.loop()),
      shared_(server.loop(), index) {
  FANFARE_CHECK(current_loop_context == nullptr);
  current_loop_context = this;
  if (impl.hub() != nullptr) hub_ = std::make_unique<pubsub::LoopHub>(*impl.hub(), index, *this);
}

LoopContext::~LoopContext() {
  impl_.timers().end_loop(index_);
  current_loop_context = nullptr;
}

LoopContext* LoopContext::current() {
  return current_loop_context;
}

LoopContext::NamedTopic* LoopContext::find(std::string_view topic) {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? nullptr : &*found;
}

LoopContext::NamedTopic& LoopContext::enter(std::string_view topic) {
  auto found = topics_.find(topic);
  if (found == topics_.end()) {
    found = topics_.emplace(std::string(topic), Topic{.key = {.high = 0, .low = next_key_++}}).first;
  }
  ++found->second.subscribers;
  return *found;
}

pubsub::Ticket LoopContext::subscribe_to(const NamedTopic& topic, pubsub::Subscriber& subscriber) {
  return table_.subscribe(topic.second.key, subscriber);
}

void LoopContext::leave(NamedTopic& topic, pubsub::Ticket ticket) {
  table_.unsubscribe(ticket);
  if (--topic.second.subscribers == 0) topics_.erase(topics_.find(topic.first));
}

Subscription* LoopContext::find_subscription(SessionId id, const NamedTopic& topic) const {
  if (id == SessionId{} || id.loop != index_) return nullptr;
  const session::Session* const engine =
      server_.sessions().find({.slot = id.slot, .generation = id.generation});
  if (engine == nullptr || !engine->is_open()) return nullptr;
  return Connection::of(*engine).find_subscription(topic);
}

void LoopContext::publish(std::string_view topic, const SharedBytes& frame, SessionId except) {
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

pubsub::EventLog& LoopContext::log_of(NamedTopic& topic) {
  if (topic.second.log == nullptr) topic.second.log = std::make_unique<pubsub::EventLog>();
  return *topic.second.log;
}

}  // namespace fanfare::api
