#include "pubsub/replays.h"

#include <utility>

#include "base/check.h"
#include "pubsub/event_log.h"
#include "pubsub/hub.h"
#include "pubsub/loop_hub.h"

namespace fanfare::pubsub {
namespace {

// Entries that only the caller refers to. They do not count for policies: their index is that of no log.
EventRef chain_of(std::vector<StoredEvent> events) {
  EventRef first;
  EventRef newest;
  for (StoredEvent& each : events) {
    const EventRef event(
        new Event{.position = each.position, .frame = std::move(each.frame), .at = each.at, .index = 0});
    if (newest) {
      ++event->users;  // the chain's
      newest->next = &*event;
    } else {
      first = event;
    }
    newest = event;
  }
  return first;
}

}  // namespace

void Replays::start(HubSubscriber& subscriber) {
  under_way_[&subscriber] = {.subscriber = &subscriber, .id = ++next_id_};
  read(subscriber);
}

HubSubscriber* Replays::find(const HubSubscriber* key, std::uint64_t id) {
  const auto found = under_way_.find(key);
  return found == under_way_.end() || found->second.id != id ? nullptr : found->second.subscriber;
}

void Replays::read(HubSubscriber& subscriber) {
  const std::uint64_t id = under_way_.at(&subscriber).id;
  const HubSubscriber* const key = &subscriber;
  subscriber.shared_topic()->stored->store->read(
      subscriber.sent(), kPieceBytesMax,
      [gate = loop_.hub().gate(), index = loop_.index(), key, id](std::vector<StoredEvent> events) {
        gate->post(index, [key, id, events = std::move(events)](LoopHub& loop) mutable {
          HubSubscriber* const there = loop.replays().find(key, id);
          if (there != nullptr) loop.replays().take_piece(*there, std::move(events));
        });
      });
}

void Replays::take_piece(HubSubscriber& subscriber, std::vector<StoredEvent> events) {
  if (events.empty()) return go_on_with_log(subscriber);
  subscriber.feed(chain_of(std::move(events)));
}

void Replays::plan_next(HubSubscriber& subscriber) {
  loop_.hub().gate()->post(loop_.index(),
                           [key = &subscriber, id = under_way_.at(&subscriber).id](LoopHub& loop) {
                             HubSubscriber* const there = loop.replays().find(key, id);
                             if (there != nullptr) loop.replays().go_on(*there);
                           });
}

void Replays::go_on(HubSubscriber& subscriber) {
  const EventLog& log = subscriber.log();
  const Position sent = subscriber.sent();
  const StoredRange stored = subscriber.shared_topic()->stored->store->range();
  const bool is_on_disk = stored.epoch == sent.epoch && stored.last_offset > sent.offset;
  if (!is_on_disk || log.last().epoch != sent.epoch || log.last().offset <= sent.offset) {
    return go_on_with_log(subscriber);
  }
  const EventRef first = log.find_behind(sent.offset);
  if (first && first->position.offset == sent.offset + 1) return go_on_with_log(subscriber);
  read(subscriber);
}

// What the log does not have is missed: the disk failed, or the topic has a new epoch.
void Replays::go_on_with_log(HubSubscriber& subscriber) {
  const EventLog& log = subscriber.log();
  const Position sent = subscriber.sent();
  const Position last = log.last();
  under_way_.erase(&subscriber);
  const EventRef first = log.find_behind(last.epoch == sent.epoch ? sent.offset : 0);
  const bool is_behind = last.epoch != sent.epoch || last.offset > sent.offset;
  if (first || !is_behind) return subscriber.join_log(first, sent);
  subscriber.join_log(EventRef(), last);
  subscriber.on_missed({.after = sent, .until = last});
}

}  // namespace fanfare::pubsub
