#include "pubsub/loop_hub.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/guard.h"
#include "pubsub/relayed_presence.h"

namespace fanfare::pubsub {
namespace {

// Subscribers of the topic are being called: whatever they do, it stays.
class Busy {
 public:
  explicit Busy(LoopTopic& topic) : topic_(topic) { ++topic_.busy; }
  ~Busy() { --topic_.busy; }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;

 private:
  LoopTopic& topic_;
};

}  // namespace

LoopTopic::LoopTopic(std::shared_ptr<Topic> its_topic, std::size_t loops)
    : topic(std::move(its_topic)), log({.epoch = topic->first_epoch, .offset = 0}, topic->setup.history) {
  if (topic->stored == nullptr) return;
  const auto newest = topic->stored->take_newest(loops);
  Position first = topic->stored->last;
  if (!newest->empty()) first.offset = newest->front().position.offset - 1;
  log.begin_at(first);
  for (const StoredEvent& event : *newest) log.append(event.position, event.frame, event.at);
  log.settle();
}

LoopHub::~LoopHub() {
  *self_ = nullptr;
  FANFARE_CHECK(table_.subscriptions() == 0);
}

LoopTopic* LoopHub::find(const Topic& topic) {
  const auto found = topics_.find(&topic);
  return found == topics_.end() ? nullptr : found->second.get();
}

// Every loop gets every event of a topic, so one that is made late has missed nothing.
LoopTopic& LoopHub::loop_topic(const std::shared_ptr<Topic>& topic) {
  if (LoopTopic* const there = find(*topic)) return *there;
  auto made = std::make_unique<LoopTopic>(topic, hub_.loops()->count());
  made->is_current = !hub_.reads_on_demand(*topic);
  if (topic->stored != nullptr && hub_.home_of(*topic) == index_) {
    made->keeper = std::make_unique<Keeper>(*this, *topic);
  }
  LoopTopic& here = *topics_.emplace(topic.get(), std::move(made)).first->second;
  if (topic->stored != nullptr) {
    note_history(here);
    if (here.log.oldest_due() != Instant::max()) has_aging_ = true;
    plan_sweep();
  }
  return here;
}

std::expected<Joined, JoinError> LoopHub::join(const std::shared_ptr<Topic>& topic, HubSubscriber& subscriber,
                                               WaitingList& list, const JoinOptions& options) {
  FANFARE_CHECK(subscriber.here_ == nullptr);
  LoopTopic* const known = find(*topic);
  if (topic->is_removed() || (known != nullptr && known->has_ended))
    return std::unexpected(JoinError::removed);
  if (topic->setup.presence) {
    if (options.member.empty() || options.member.size() > Hub::kMemberBytesMax) {
      return std::unexpected(JoinError::bad_member);
    }
    auto& connections = topic->presence_connections;
    if (connections.fetch_add(1, std::memory_order_relaxed) >= topic->setup.limits.presence_connections_max) {
      connections.fetch_sub(1, std::memory_order_relaxed);
      return std::unexpected(JoinError::presence_full);
    }
    subscriber.member_ = std::make_unique<const std::string>(options.member);
  }
  LoopTopic& here = loop_topic(topic);
  here.log.trim(port_.now());
  subscriber.hub_ = this;
  subscriber.here_ = &here;
  subscriber.ticket_ = table_.subscribe(here.key(), subscriber);
  ++here.subscribers;
  if (topic->subscribers.fetch_add(1, std::memory_order_relaxed) == 0) relayed_.watch_changed(topic);
  if (subscriber.member_ != nullptr) {
    hub_.loops()->post(hub_.home_of(*topic), [topic, member = *subscriber.member_](LoopHub& home) {
      home.count_member(topic, member, true);
    });
  }
  subscriber.set_policy(options.policy.value_or(topic->setup.policy), list, here.log);
  Joined joined = place(here, subscriber, list, options.since);
  joined.is_degraded = topic->setup.relayed && hub_.is_relay_down();
  return joined;
}

Joined LoopHub::place(LoopTopic& here, HubSubscriber& subscriber, WaitingList& list,
                      std::optional<Position> since) {
  EventLog& log = here.log;
  const Position last = log.last();
  if (!here.is_current) return relayed_.place_later(subscriber, list, log, since);
  if (!since) return {.recovered = true, .missing = {}, .position = last};
  // The relay has not said yet where the topic begins. When it does, the subscriber is told if events before that are missing.
  if (last.epoch == 0 && since->epoch != 0) return relayed_.place_ahead(subscriber, list, log, *since);
  if (since->epoch != last.epoch || !here.topic->was_assigned(*since)) {
    return {.recovered = false, .missing = Missed{.after = *since, .until = last}, .position = last};
  }
  // At the end, or ahead: it comes from a loop that has seen more, or from another instance.
  if (since->offset >= last.offset) return relayed_.place_ahead(subscriber, list, log, *since);
  const EventRef first = log.find_behind(since->offset);
  if (here.topic->stored != nullptr) {
    if (auto joined = place_on_disk(here, subscriber, list, *since, first)) return *std::move(joined);
  }
  if (relayed_.may_be_at_broker(here, *since, first))
    return relayed_.place_at_broker(subscriber, list, log, *since);
  if (!first)
    return {.recovered = false, .missing = Missed{.after = *since, .until = last}, .position = last};
  const Position before{.epoch = last.epoch, .offset = first->position.offset - 1};
  Joined joined{.recovered = before == *since && log.last_mark_offset() <= since->offset,
                .missing = {},
                .position = before};
  if (before != *since) joined.missing = Missed{.after = *since, .until = before};
  subscriber.begin(first, before, list, log);
  return joined;
}

const EventLog& LoopHub::log_of(const std::shared_ptr<Topic>& topic) {
  LoopTopic& here = loop_topic(topic);
  here.log.trim(port_.now());
  return here.log;
}

void LoopHub::leave(HubSubscriber& subscriber) {
  if (subscriber.here_ == nullptr) return;
  LoopTopic& here = *std::exchange(subscriber.here_, nullptr);
  replays_.forget(subscriber);
  relayed_.forget(subscriber);
  table_.unsubscribe(subscriber.ticket_);
  --here.subscribers;
  if (here.topic->subscribers.fetch_sub(1, std::memory_order_relaxed) == 1)
    relayed_.watch_changed(here.topic);
  if (subscriber.member_ != nullptr) {
    here.topic->presence_connections.fetch_sub(1, std::memory_order_relaxed);
    hub_.loops()->post(hub_.home_of(*here.topic),
                       [topic = here.topic, member = *subscriber.member_](LoopHub& home) {
                         home.count_member(topic, member, false);
                       });
    subscriber.member_.reset();
  }
  retire_if_ended(here);
}

void LoopHub::sequence(const std::shared_ptr<Flight>& flight) {
  Topic& topic = *flight->topic;
  if (topic.has_ended) return flight->tell(std::nullopt);
  if (topic.stored != nullptr) return loop_topic(flight->topic).keeper->take(flight);
  const Position position{.epoch = topic.assigned_epoch.load(std::memory_order_relaxed),
                          .offset = topic.assigned_offset.load(std::memory_order_relaxed) + 1};
  if (!flight->encode(position)) return;
  flight->position = position;
  distribute(flight);
}

// The offset is used up, whatever happens: a loop that does not get the event finds the hole at the next one.
void LoopHub::distribute(const std::shared_ptr<Flight>& flight) {
  Topic& topic = *flight->topic;
  topic.assigned_offset.store(flight->position.offset, std::memory_order_release);
  topic.assigned_epoch.store(flight->position.epoch, std::memory_order_release);
  if (!flight->frame.empty()) topic.published.fetch_add(1, std::memory_order_relaxed);
  flight->payload = SharedBytes();
  flight->at = port_.now();
  HubLoops& loops = *hub_.loops();
  for (std::size_t i = 0; i < loops.count(); ++i) {
    if (i == index_) continue;
    run_guarded("an event to a loop",
                [&] { loops.post(i, [flight](LoopHub& other) { other.apply(*flight); }); });
  }
  apply(*flight);
  flight->tell_position();
}

void LoopHub::apply(const Flight& flight) {
  run_guarded("an event on a loop", [&] {
    LoopTopic& here = loop_topic(flight.topic);
    {
      const Busy busy(here);
      if (flight.frame.empty()) {
        mark(here, flight.position, flight.at);
      } else {
        deliver(here, flight);
      }
    }
    note_history(here);
    if (here.log.oldest_due() != Instant::max()) has_aging_ = true;
    retire_if_ended(here);
  });
  plan_sweep();
}

void LoopHub::deliver(LoopTopic& here, const Flight& flight) {
  const Position last = here.log.last();
  const Position position = flight.position;
  const bool follows = position.epoch == last.epoch && position.offset == last.offset + 1;
  if (!follows) mark(here, {.epoch = position.epoch, .offset = position.offset - 1}, flight.at);
  here.log.append(position, flight.frame, flight.at);
  const std::size_t taken = table_.publish(here.key(), flight.frame);
  here.topic->delivered.fetch_add(taken, std::memory_order_relaxed);
  here.log.settle();
}

// What lies between the log's last event and `until` does not come.
void LoopHub::mark(LoopTopic& here, Position until, Instant at) {
  const Missed missed{.after = here.log.last(), .until = until};
  here.log.append(until, SharedBytes(), at);
  table_.visit(here.key(), [&](Subscriber& each) { static_cast<HubSubscriber&>(each).meet_mark(missed); });
  here.log.settle();
}

// What was accepted before is still delivered when the store has it.
void LoopHub::end_topic(const std::shared_ptr<Topic>& topic) {
  topic->has_ended = true;
  if (hub_.reads_on_demand(*topic)) hub_.close_at_relay(*topic);
  const LoopTopic* const here = find(*topic);
  RelayedPresence* const presence = hub_.presence_of(*topic);
  if (presence != nullptr && here != nullptr && here->presence_watched)
    presence->unwatch(topic->name, topic->id);
  if (here == nullptr || here->keeper == nullptr || here->keeper->is_idle()) end_everywhere(topic);
}

void LoopHub::end_everywhere(const std::shared_ptr<Topic>& topic) {
  HubLoops& loops = *hub_.loops();
  for (std::size_t i = 0; i < loops.count(); ++i) {
    if (i != index_) loops.post(i, [topic](LoopHub& other) { other.end(topic); });
  }
  end(topic);
}

void LoopHub::end(const std::shared_ptr<Topic>& topic) {
  LoopTopic& here = loop_topic(topic);
  here.has_ended = true;
  tell(here, TopicNotice::removed);
}

void LoopHub::tell(LoopTopic& here, TopicNotice notice) {
  {
    const Busy busy(here);
    table_.visit(here.key(), [&](Subscriber& each) { static_cast<HubSubscriber&>(each).on_notice(notice); });
  }
  retire_if_ended(here);
}

void LoopHub::retire_if_ended(LoopTopic& here) {
  if (!here.has_ended || here.busy > 0 || here.subscribers > 0) return;
  if (here.presence != nullptr && here.presence->member_count() > 0) return;
  topics_.erase(here.topic.get());
}

}  // namespace fanfare::pubsub
