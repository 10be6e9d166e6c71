#pragma once
// The subscribers of one loop that get events from disk, or from the broker of a relayed topic, because memory no longer has them.
// And those that wait until memory has what the broker has. One thread.
//
//   read a piece from disk -> send it at the subscriber's pace -> read on, or go on with the loop's log
//
// A subscriber holds at most one piece in memory, whatever the disk has. Live events are not kept for it: what it
// has not seen when a piece ends is in the log's history, or on disk.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "pubsub/event_store.h"
#include "pubsub/topic.h"

namespace fanfare::pubsub {

class HubSubscriber;
class LoopHub;
struct LoopTopic;

class Replays {
 public:
  explicit Replays(LoopHub& loop) : loop_(loop) {}

  // The subscriber has begun apart from the log (PacedSubscriber::begin_apart()).
  void start(HubSubscriber& subscriber);
  // It has taken the last event of a piece.
  void plan_next(HubSubscriber& subscriber);
  void forget(const HubSubscriber& subscriber) { under_way_.erase(&subscriber); }
  // The same, for one whose topic is not current. `since`: as of its join.
  void wait(HubSubscriber& subscriber, std::optional<Position> since);
  std::optional<Position> awaited(const HubSubscriber& subscriber) const;
  // The topic is current now: HubSubscriber::on_current() of each that waits for it.
  void release(const Topic& topic);
  std::size_t count() const { return under_way_.size(); }

  // What a piece holds: events of at most so many bytes, at least one.
  static constexpr std::size_t kPieceBytesMax = std::size_t{64} << 10;

 private:
  void read(HubSubscriber& subscriber);
  // Null: the subscriber has left meanwhile.
  HubSubscriber* find(const HubSubscriber* key, std::uint64_t id);
  void read_from_disk(const HubSubscriber& subscriber, std::uint64_t id);
  void read_from_broker(const HubSubscriber& subscriber, std::uint64_t id);
  void take_piece(HubSubscriber& subscriber, std::vector<StoredEvent> events);
  bool may_read_on(const HubSubscriber& subscriber) const;
  void go_on(HubSubscriber& subscriber);
  void go_on_with_log(HubSubscriber& subscriber);

  struct UnderWay {
    HubSubscriber* subscriber;
    std::uint64_t id;
    bool waits = false;
    std::optional<Position> since = {};
  };
  LoopHub& loop_;
  std::uint64_t next_id_ = 0;
  std::unordered_map<const HubSubscriber*, UnderWay> under_way_;
};

}  // namespace fanfare::pubsub
