#pragma once
// What a loop's part of the hub does for topics whose events come from a broker. Those of a relay that reads on demand are read only
// while somebody subscribes to them. One thread.
//
//   the first subscriber of all loops -> home loop: opens the topic at the relay -> its recent events -> current, on all loops
//   the last one leaves               -> home loop, some time later: no loop calls it current any more -> closes it

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "base/time.h"
#include "fanfare/topic.h"
#include "pubsub/event_log.h"
#include "pubsub/pace.h"
#include "pubsub/topic.h"

namespace fanfare::pubsub {

class HubSubscriber;
class LoopHub;
struct LoopTopic;

class RelayedTopics {
 public:
  explicit RelayedTopics(LoopHub& loop) : loop_(loop) {}

  // Tasks of the hub's. On the home loop:
  void take(const std::shared_ptr<Flight>& flight);
  void take_lost(const std::shared_ptr<Flight>& flight);
  void take_current(const std::shared_ptr<Topic>& topic, std::uint64_t opening);
  // On every loop:
  void tell(TopicNotice notice);

  // For LoopHub. The number of subscribers of all loops has become one, or zero.
  void watch_changed(const std::shared_ptr<Topic>& topic);
  // A join while the topic is not current.
  Joined place_later(HubSubscriber& subscriber, WaitingList& list, EventLog& log,
                     std::optional<Position> since);
  // A join whose position is not in the log, of which `first` is the first event behind it; and what to do then.
  bool may_be_at_broker(const LoopTopic& here, Position since, const EventRef& first) const;
  Joined place_at_broker(HubSubscriber& subscriber, WaitingList& list, EventLog& log, Position since);
  // Within HubSubscriber::on_current(): begins like LoopHub::join(), with this position.
  Joined place_waiting(HubSubscriber& subscriber, WaitingList& list, std::optional<Position> since);

  // A join at the end of the log, or ahead of it: the subscriber has events that have not come here yet. If the broker is connected for
  // kAheadWait and they have not come, they are lost: the subscriber is told so, and gets everything that the log has.
  Joined place_ahead(HubSubscriber& subscriber, WaitingList& list, EventLog& log, Position since);
  void forget(const HubSubscriber& subscriber) { ahead_.erase(&subscriber); }

  // An instance is never so far behind another one while the broker is there.
  static constexpr Duration kAheadWait = std::chrono::seconds(10);
  // After its last subscriber here has left, a topic is read for this long, so that one who returns finds its history in memory.
  static constexpr Duration kUnwatchedReadFor = std::chrono::seconds(30);

 private:
  void review_watch(const std::shared_ptr<Topic>& topic);
  void close_unwatched(const std::shared_ptr<Topic>& topic);
  void take_closing(const std::shared_ptr<Topic>& topic);
  void close(LoopTopic& here);
  void make_current(const std::shared_ptr<Topic>& topic);
  void set_current(const std::shared_ptr<Topic>& topic, bool is_current);

  struct Ahead {
    HubSubscriber* subscriber;
    std::uint64_t id;
    Instant joined;
    Instant since;  // as Claim::since, or earlier
  };
  // The lowest position ahead of the log that a subscriber of the topic had. A client that connects again and again waits kAheadWait in
  // all, not with each connection.
  struct Claim {
    std::shared_ptr<Topic> topic;
    Position at;
    Instant since;  // it could have come since then: the broker is there, and the topic is current
    Instant last_joined;
  };
  Instant claim(const std::shared_ptr<Topic>& topic, Position at);
  bool is_settled(const LoopTopic& here) const;
  void review_claims(Instant now);
  void plan_look_ahead();
  void look_ahead();
  void end_ahead(HubSubscriber& subscriber);

  static constexpr Duration kLookAhead = std::chrono::seconds(1);
  // A claim is forgotten when nobody came with it for so long.
  static constexpr Duration kClaimKept = std::chrono::minutes(1);

  LoopHub& loop_;
  std::unordered_map<const HubSubscriber*, Ahead> ahead_;
  std::unordered_map<const Topic*, Claim> claims_;
  std::uint64_t last_ahead_ = 0;
  bool is_look_planned_ = false;
};

}  // namespace fanfare::pubsub
