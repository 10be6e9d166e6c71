#include "pubsub/replays.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/guard.h"
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

SharedBytes encoded(const Topic& topic, Position position, const SharedBytes& payload) {
  SharedBytes frame;
  run_guarded("an event of a relayed topic",
              [&] { frame = topic.setup.encode ? topic.setup.encode(position, payload) : payload; });
  return frame;
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

void Replays::wait(HubSubscriber& subscriber, std::optional<Position> since) {
  under_way_[&subscriber] = {.subscriber = &subscriber, .id = ++next_id_, .waits = true, .since = since};
}

std::optional<Position> Replays::awaited(const HubSubscriber& subscriber) const {
  const auto found = under_way_.find(&subscriber);
  return found == under_way_.end() ? std::nullopt : found->second.since;
}

// Each of them may end the life of any.
void Replays::release(const Topic& topic) {
  std::vector<std::pair<const HubSubscriber*, std::uint64_t>> waiting;
  for (const auto& [key, one] : under_way_) {
    if (one.waits && one.subscriber->topic() == &topic) waiting.emplace_back(key, one.id);
  }
  std::ranges::sort(waiting, {}, &std::pair<const HubSubscriber*, std::uint64_t>::second);
  for (const auto& [key, id] : waiting) {
    if (HubSubscriber* const there = find(key, id)) there->on_current();
  }
}

void Replays::read(HubSubscriber& subscriber) {
  const std::uint64_t id = under_way_.at(&subscriber).id;
  if (subscriber.topic()->stored != nullptr) return read_from_disk(subscriber, id);
  read_from_broker(subscriber, id);
}

void Replays::read_from_broker(const HubSubscriber& subscriber, std::uint64_t id) {
  const HubSubscriber* const key = &subscriber;
  loop_.hub().read_at_relay(
      *subscriber.topic(), subscriber.sent(), kPieceBytesMax,
      [gate = loop_.hub().gate(), index = loop_.index(), key, id](std::vector<RelayedEvent> events) {
        gate->post(index, [key, id, events = std::move(events)](LoopHub& loop) mutable {
          HubSubscriber* const there = loop.replays().find(key, id);
          if (there == nullptr) return;
          std::vector<StoredEvent> piece;
          for (RelayedEvent& event : events) {
            // One that cannot be encoded is missed.
            SharedBytes frame = encoded(*there->topic(), event.position, event.payload);
            if (!frame.empty())
              piece.push_back({.position = event.position, .frame = std::move(frame), .at = {}});
          }
          loop.replays().take_piece(*there, std::move(piece));
        });
      });
}

void Replays::read_from_disk(const HubSubscriber& subscriber, std::uint64_t id) {
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

bool Replays::may_read_on(const HubSubscriber& subscriber) const {
  const Topic& topic = *subscriber.topic();
  if (topic.stored == nullptr) return true;
  const Position sent = subscriber.sent();
  const StoredRange stored = topic.stored->store->range();
  return stored.epoch == sent.epoch && stored.last_offset > sent.offset;
}

void Replays::go_on(HubSubscriber& subscriber) {
  const EventLog& log = subscriber.log();
  const Position sent = subscriber.sent();
  if (!may_read_on(subscriber) || log.last().epoch != sent.epoch || log.last().offset <= sent.offset) {
    return go_on_with_log(subscriber);
  }
  const EventRef first = log.find_behind(sent.offset);
  // A broker may have what a mark of the log stands for.
  const bool is_whole = subscriber.topic()->stored != nullptr || log.last_mark_offset() <= sent.offset;
  if (first && first->position.offset == sent.offset + 1 && is_whole) return go_on_with_log(subscriber);
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
