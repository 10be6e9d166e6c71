// What a loop's part of the hub does beside events: presence on a topic's home loop, and histories that grow
// old.

#include <utility>

#include "base/guard.h"
#include "pubsub/loop_hub.h"
#include "pubsub/relayed_presence.h"

namespace fanfare::pubsub {

HubSubscriber::~HubSubscriber() {
  if (here_ != nullptr) hub_->leave(*this);
}

void HubSubscriber::on_missed(const Missed& missed) {
  if (here_ != nullptr) here_->topic->missed.fetch_add(missed.count(), std::memory_order_relaxed);
  tell_missed(missed);
}

void LoopHub::count_member(const std::shared_ptr<Topic>& topic, const std::string& member, bool joins) {
  if (topic->has_ended && find(*topic) == nullptr) return;
  LoopTopic& here = loop_topic(topic);
  if (here.presence == nullptr) here.presence = std::make_unique<Presence>();
  if (joins) {
    here.presence->join(member);
  } else {
    here.presence->leave(member);
  }
  topic->members_now.store(here.presence->member_count(), std::memory_order_relaxed);
  // The other half is the relay's, which collects the changes of all instances.
  const Duration interval =
      topic->setup.relayed ? topic->setup.presence_interval / 2 : topic->setup.presence_interval;
  if (here.has_ended) return retire_if_ended(here);
  if (here.presence_planned || !here.presence->has_changes()) return;
  here.presence_planned = true;
  port_.call_after(interval, [self = self_, topic] {
    if (*self != nullptr) (*self)->publish_presence(topic);
  });
}

void LoopHub::publish_presence(const std::shared_ptr<Topic>& topic) {
  LoopTopic* const here = find(*topic);
  if (here == nullptr || here->has_ended) return;
  here->presence_planned = false;
  const PresenceChange change = here->presence->take();
  if (change.joined.empty() && change.left.empty()) return;
  if (topic->setup.relayed) return relay_presence(*here, change);
  topic->set_members(std::make_shared<const std::vector<std::string>>(here->presence->members()));
  if (!topic->setup.describe_presence) return;
  SharedBytes payload = topic->setup.describe_presence(change);
  if (payload.empty()) return;
  // At most one an interval: it needs no room.
  sequence(std::make_shared<Flight>(topic, nullptr, std::move(payload), Receipt()));
}

// What is told, and when, is the relay's business: the event comes back as any other of the topic.
void LoopHub::relay_presence(LoopTopic& here, PresenceChange change) {
  RelayedPresence* const presence = hub_.presence_of(*here.topic);
  if (presence == nullptr) return;  // it has stopped
  const TopicSetup& setup = here.topic->setup;
  if (!here.presence_watched) {
    here.presence_watched = true;
    presence->watch(here.topic->name, here.topic->id,
                    {.interval = setup.presence_interval,
                     .members_max = setup.limits.presence_members_max,
                     .describe = setup.describe_presence,
                     .report = [topic = here.topic](const PresenceReport& report) { topic->take(report); }});
  }
  presence->change(here.topic->name, here.topic->id, std::move(change));
}

// All loops hold the same; the home loop counts it.
void LoopHub::note_history(const LoopTopic& here) {
  if (hub_.home_of(*here.topic) != index_) return;
  here.topic->history_messages.store(here.log.history_messages(), std::memory_order_relaxed);
  here.topic->history_bytes.store(here.log.history_bytes(), std::memory_order_relaxed);
}

void LoopHub::plan_sweep() {
  if (sweep_planned_ || !has_aging_) return;
  sweep_planned_ = true;
  port_.call_after(kSweepInterval, [self = self_] {
    if (*self != nullptr) (*self)->sweep();
  });
}

void LoopHub::sweep() {
  sweep_planned_ = false;
  has_aging_ = false;
  for (const auto& [topic, here] : topics_) {
    if (topic->setup.history.age_max == std::chrono::milliseconds::zero()) continue;
    here->log.trim(port_.now());
    if (here->busy == 0) here->log.settle();
    note_history(*here);
    if (here->log.oldest_due() != Instant::max()) has_aging_ = true;
  }
  plan_sweep();
}

}  // namespace fanfare::pubsub
