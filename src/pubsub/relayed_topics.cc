#include "pubsub/relayed_topics.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/guard.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {

void RelayedTopics::take(const std::shared_ptr<Flight>& flight) {
  Topic& topic = *flight->topic;
  const Position position = flight->position;
  const Position last{.epoch = topic.assigned_epoch.load(std::memory_order_relaxed),
                      .offset = topic.assigned_offset.load(std::memory_order_relaxed)};
  if (topic.has_ended) return;
  if (position.epoch == last.epoch && position.offset <= last.offset) return;  // a duplicate
  // One that cannot be encoded is lost here, and takes its place all the same.
  const bool encoded = run_guarded("an event of a relayed topic", [&] {
    flight->frame = topic.setup.encode ? topic.setup.encode(position, flight->payload) : flight->payload;
  });
  if (!encoded) flight->frame = SharedBytes();
  if (flight->frame.empty()) {
    topic.failed.fetch_add(1, std::memory_order_relaxed);
  } else if (topic.setup.observe) {
    run_guarded("an event of a relayed topic", [&] { topic.setup.observe(flight->frame); });
  }
  loop_.distribute(flight);
}

void RelayedTopics::take_lost(const std::shared_ptr<Flight>& flight) {
  const Topic& topic = *flight->topic;
  if (topic.has_ended) return;
  const bool is_known = flight->position.epoch == topic.assigned_epoch.load(std::memory_order_relaxed) &&
                        flight->position.offset <= topic.assigned_offset.load(std::memory_order_relaxed);
  if (!is_known) loop_.distribute(flight);
}

void RelayedTopics::tell(TopicNotice notice) {
  std::vector<std::shared_ptr<Topic>> relayed;
  for (const auto& [topic, here] : loop_.topics_) {
    if (topic->setup.relayed && !here->has_ended) relayed.push_back(here->topic);
  }
  // Not in the order of their addresses, which no run has twice.
  std::ranges::sort(relayed, {}, [](const auto& each) { return each->id; });
  for (const auto& topic : relayed) {
    if (LoopTopic* const here = loop_.find(*topic)) loop_.tell(*here, notice);
  }
}

void RelayedTopics::watch_changed(const std::shared_ptr<Topic>& topic) {
  Hub& hub = loop_.hub();
  if (!hub.reads_on_demand(*topic)) return;
  hub.loops()->post(hub.home_of(*topic), [topic](LoopHub& home) { home.relayed().review_watch(topic); });
}

// The home loop knows the last event for certain, and is where all openings and closings are made.
void RelayedTopics::review_watch(const std::shared_ptr<Topic>& topic) {
  if (topic->has_ended || topic->is_removed()) return;
  LoopTopic& here = loop_.loop_topic(topic);
  const bool is_watched = topic->subscribers.load(std::memory_order_relaxed) > 0;
  if (is_watched && !here.is_open) {
    here.is_open = true;
    loop_.hub().open_at_relay(*topic);
  }
  if (is_watched || !here.is_open || here.is_close_planned) return;
  here.is_close_planned = true;
  loop_.port().call_after(kUnwatchedReadFor, [self = loop_.self_, topic] {
    if (*self != nullptr) (*self)->relayed().close_unwatched(topic);
  });
}

// First no loop makes use of it any more: whoever joins from then on waits.
void RelayedTopics::close_unwatched(const std::shared_ptr<Topic>& topic) {
  LoopTopic* const here = loop_.find(*topic);
  if (here == nullptr || here->has_ended) return;
  here->is_close_planned = false;
  if (!here->is_open || topic->closing_loops > 0) return;
  if (topic->subscribers.load(std::memory_order_relaxed) > 0) return;
  // Then nobody makes use of it yet.
  if (!here->is_current) return close(*here);
  HubLoops& loops = *loop_.hub().loops();
  topic->closing_loops = loops.count();
  for (std::size_t i = 0; i < loops.count(); ++i) {
    loops.post(i, [topic](LoopHub& loop) {
      loop.relayed().set_current(topic, false);
      loop.hub().loops()->post(loop.hub().home_of(*topic),
                               [topic](LoopHub& home) { home.relayed().take_closing(topic); });
    });
  }
}

// Of one loop. Those that joined before are counted by now.
void RelayedTopics::take_closing(const std::shared_ptr<Topic>& topic) {
  if (--topic->closing_loops > 0) return;
  LoopTopic* const here = loop_.find(*topic);
  if (here == nullptr || here->has_ended) return;
  if (topic->subscribers.load(std::memory_order_relaxed) > 0) return make_current(topic);
  close(*here);
}

void RelayedTopics::close(LoopTopic& here) {
  here.is_open = false;
  loop_.hub().close_at_relay(*here.topic);
}

// Behind the events, which go the same way.
void RelayedTopics::take_current(const std::shared_ptr<Topic>& topic, std::uint64_t opening) {
  const LoopTopic* const here = loop_.find(*topic);
  if (here == nullptr || here->has_ended || !here->is_open || opening != topic->opening) return;
  if (topic->closing_loops == 0) make_current(topic);
}

void RelayedTopics::make_current(const std::shared_ptr<Topic>& topic) {
  HubLoops& loops = *loop_.hub().loops();
  for (std::size_t i = 0; i < loops.count(); ++i) {
    loops.post(i, [topic](LoopHub& loop) { loop.relayed().set_current(topic, true); });
  }
}

void RelayedTopics::set_current(const std::shared_ptr<Topic>& topic, bool is_current) {
  if (topic->is_removed()) return;
  LoopTopic& here = loop_.loop_topic(topic);
  here.is_current = is_current;
  if (loop_.hub().home_of(*topic) == loop_.index())
    topic->is_current.store(is_current, std::memory_order_release);
  if (!is_current) return;
  ++here.busy;  // whatever subscribers do, it stays
  loop_.replays().release(*topic);
  --here.busy;
  loop_.retire_if_ended(here);
}

Joined RelayedTopics::place_later(HubSubscriber& subscriber, WaitingList& list, EventLog& log,
                                  std::optional<Position> since) {
  const Position position = since.value_or(log.last());
  subscriber.begin_apart(position, list, log);
  loop_.replays().wait(subscriber, since);
  return {.recovered = true, .missing = {}, .position = position};
}

bool RelayedTopics::may_be_at_broker(const LoopTopic& here, Position since, const EventRef& first) const {
  const bool is_in_log =
      first && first->position.offset == since.offset + 1 && here.log.last_mark_offset() <= since.offset;
  return !is_in_log && loop_.hub().reads_on_demand(*here.topic);
}

Joined RelayedTopics::place_at_broker(HubSubscriber& subscriber, WaitingList& list, EventLog& log,
                                      Position since) {
  subscriber.begin_apart(since, list, log);
  loop_.replays().start(subscriber);
  return {.recovered = true, .missing = {}, .position = since};
}

Joined RelayedTopics::place_waiting(HubSubscriber& subscriber, WaitingList& list,
                                    std::optional<Position> since) {
  loop_.replays().forget(subscriber);
  subscriber.end_apart();
  return loop_.place(*subscriber.here_, subscriber, list, since);
}

Joined RelayedTopics::place_ahead(HubSubscriber& subscriber, WaitingList& list, EventLog& log,
                                  Position since) {
  subscriber.begin(EventRef(), since, list, log);
  if (subscriber.is_ahead()) {
    ahead_[&subscriber] = {.subscriber = &subscriber,
                           .id = ++last_ahead_,
                           .joined = loop_.port().now(),
                           .since = claim(subscriber.shared_topic(), since)};
    plan_look_ahead();
  }
  return {.recovered = true, .missing = {}, .position = since};
}

Instant RelayedTopics::claim(const std::shared_ptr<Topic>& topic, Position at) {
  const Instant now = loop_.port().now();
  const auto [found, is_new] =
      claims_.try_emplace(topic.get(), Claim{.topic = topic, .at = at, .since = now, .last_joined = now});
  Claim& claim = found->second;
  claim.last_joined = now;
  if (claim.at.epoch != at.epoch || at.offset < claim.at.offset) {
    claim.at = at;
    claim.since = now;
  }
  return claim.since;
}

// Otherwise an event that does not come may only be late.
bool RelayedTopics::is_settled(const LoopTopic& here) const {
  return !loop_.hub().is_relay_down() && here.is_current && here.log.last().epoch != 0;
}

void RelayedTopics::review_claims(Instant now) {
  std::erase_if(claims_, [&](const auto& each) {
    const Claim& claim = each.second;
    const LoopTopic* const here = loop_.find(*claim.topic);
    if (here == nullptr || here->has_ended || now - claim.last_joined > kClaimKept) return true;
    const Position last = here->log.last();
    return last.epoch != 0 && (last.epoch != claim.at.epoch || last.offset >= claim.at.offset);
  });
  for (auto& [key, claim] : claims_) {
    if (!is_settled(*loop_.find(*claim.topic))) claim.since = now;
  }
}

void RelayedTopics::plan_look_ahead() {
  if (is_look_planned_ || (ahead_.empty() && claims_.empty())) return;
  is_look_planned_ = true;
  loop_.port().call_after(kLookAhead, [self = loop_.self_] {
    if (*self != nullptr) (*self)->relayed().look_ahead();
  });
}

// Each of them may end the life of any.
void RelayedTopics::look_ahead() {
  is_look_planned_ = false;
  const Instant now = loop_.port().now();
  review_claims(now);
  std::erase_if(ahead_, [](const auto& each) { return !each.second.subscriber->is_ahead(); });
  std::vector<std::pair<std::uint64_t, const HubSubscriber*>> due;
  for (auto& [key, one] : ahead_) {
    if (!is_settled(*one.subscriber->here_)) one.since = now;
    // Another instance may have been a moment faster, whatever others claimed before.
    if (now - one.since >= kAheadWait && now - one.joined >= kLookAhead) due.emplace_back(one.id, key);
  }
  std::ranges::sort(due);
  for (const auto& [id, key] : due) {
    const auto found = ahead_.find(key);
    if (found == ahead_.end() || found->second.id != id) continue;
    HubSubscriber& subscriber = *found->second.subscriber;
    ahead_.erase(found);
    if (subscriber.is_ahead()) end_ahead(subscriber);
  }
  plan_look_ahead();
}

void RelayedTopics::end_ahead(HubSubscriber& subscriber) {
  LoopTopic& here = *subscriber.here_;
  ++here.busy;  // whatever subscribers do, it stays
  subscriber.on_missed(subscriber.end_ahead());
  --here.busy;
  loop_.retire_if_ended(here);
}

// The position of join(), whose answer could not say what is missing.
void HubSubscriber::on_current() {
  const std::optional<Position> since = hub_->replays().awaited(*this);
  const Joined joined = hub_->relayed().place_waiting(*this, waiting_list(), since);
  if (joined.missing) on_missed(*joined.missing);
}

}  // namespace fanfare::pubsub
