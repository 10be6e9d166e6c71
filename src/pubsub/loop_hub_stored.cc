// What a loop's part of the hub does for topics whose events are stored on disk.

#include <algorithm>
#include <utility>

#include "base/guard.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {

void HubSubscriber::on_piece_end() {
  hub_->replays().plan_next(*this);
}

void LoopHub::prepare(const std::shared_ptr<Topic>& topic) {
  if (topic->is_removed()) return;
  run_guarded("the history of a topic", [&] { loop_topic(topic); });
}

// Empty: the disk has nothing that this loop's log does not have.
std::optional<Joined> LoopHub::place_on_disk(LoopTopic& here, HubSubscriber& subscriber, WaitingList& list,
                                             Position since, const EventRef& first) {
  const StoredRange stored = here.topic->stored->store->range();
  const std::uint64_t in_memory = first ? first->position.offset : here.log.last().offset + 1;
  const std::uint64_t on_disk = std::max(since.offset + 1, stored.first_offset);
  if (stored.epoch != since.epoch || on_disk >= in_memory || stored.last_offset < on_disk)
    return std::nullopt;
  const Position before{.epoch = since.epoch, .offset = on_disk - 1};
  Joined joined{.recovered = before == since, .missing = {}, .position = before};
  if (before != since) joined.missing = Missed{.after = since, .until = before};
  subscriber.begin_apart(before, list, here.log);
  replays_.start(subscriber);
  return joined;
}

void LoopHub::take_report(const std::shared_ptr<Topic>& topic, const StoreReport& report) {
  LoopTopic* const here = find(*topic);
  if (here == nullptr || here->keeper == nullptr) return;
  ++here->busy;  // whatever subscribers do, it stays
  here->keeper->take_report(report);
  --here->busy;
  end_if_done(topic);
}

void LoopHub::end_if_done(const std::shared_ptr<Topic>& topic) {
  const LoopTopic* const here = find(*topic);
  if (here == nullptr || !topic->has_ended || here->has_ended || !here->keeper->is_idle()) return;
  end_everywhere(topic);
}

void LoopHub::call_for_topic(const Topic& topic, Duration delay, void (*task)(Keeper&)) {
  port_.call_after(delay, [self = self_, key = &topic, id = topic.id, task] {
    if (*self == nullptr) return;
    LoopTopic* const here = (*self)->find(*key);
    if (here == nullptr || here->topic->id != id || here->keeper == nullptr) return;
    const std::shared_ptr<Topic> held = here->topic;
    ++here->busy;
    task(*here->keeper);
    --here->busy;
    (*self)->end_if_done(held);
  });
}

}  // namespace fanfare::pubsub
