#pragma once
// The hub's part on one loop: the log of every topic, and who listens to it here. Made, used and destroyed on
// the loop's thread.
//
//   on the topic's home loop   sequence(), RelayedTopics::take(): position, frame, then to all loops
//   on every loop              apply(): append to the log, deliver

#include <cstddef>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "pubsub/event_log.h"
#include "pubsub/hub.h"
#include "pubsub/keeper.h"
#include "pubsub/pace.h"
#include "pubsub/presence.h"
#include "pubsub/relayed_topics.h"
#include "pubsub/replays.h"
#include "pubsub/topic_table.h"

namespace fanfare::pubsub {

class HubSubscriber;

// The clock and the timers of the loop. Its thread.
class LoopPort {
 public:
  virtual Instant now() = 0;
  // Once; not at all when the loop ends before.
  virtual void call_after(Duration delay, UniqueFunction<void()> task) = 0;

 protected:
  ~LoopPort() = default;
};

// A topic on one loop.
struct LoopTopic {
  // With the events that the topic has from disk, on this one of so many loops.
  LoopTopic(std::shared_ptr<Topic> its_topic, std::size_t loops);

  TopicKey key() const { return {.high = 0, .low = topic->id}; }

  const std::shared_ptr<Topic> topic;
  EventLog log;
  std::unique_ptr<Presence> presence;  // on the home loop
  std::unique_ptr<Keeper> keeper;      // on the home loop of a topic that is stored
  std::size_t subscribers = 0;
  std::uint32_t busy = 0;  // subscribers are being called: it stays
  bool presence_planned = false;
  bool presence_watched = false;  // on the home loop of a relayed topic: by its relay
  bool has_ended = false;
  bool is_current : 1 = true;  // false: its relay reads on demand, and has not passed on what the broker has
  bool is_open : 1 = false;    // on the home loop: at the relay
  bool is_close_planned : 1 = false;  // the same
};

static_assert(sizeof(LoopTopic) <= 112,
              "what a topic costs on each loop, without its history and subscribers");

class LoopHub {
 public:
  LoopHub(Hub& hub, std::size_t index, LoopPort& port) : hub_(hub), index_(index), port_(port) {}
  LoopHub(const LoopHub&) = delete;
  LoopHub& operator=(const LoopHub&) = delete;
  // Every subscriber has left.
  ~LoopHub();

  // One step: what follows is everything behind Joined::position, the history first. What is there already is
  // not sent within the call: the subscriber is behind and says so (PacedSubscriber::on_ready()). The list
  // outlives the subscriber.
  std::expected<Joined, JoinError> join(const std::shared_ptr<Topic>& topic, HubSubscriber& subscriber,
                                        WaitingList& list, const JoinOptions& options);

  // The events of a topic that was not removed, for a subscriber that picks its position. Valid until the next
  // task.
  const EventLog& log_of(const std::shared_ptr<Topic>& topic);
  // Whether they are all that there are: not while the broker of a relayed topic is being asked. A subscriber that joins meanwhile waits:
  // HubSubscriber::on_current() is called.
  bool is_current(const std::shared_ptr<Topic>& topic) { return loop_topic(topic).is_current; }

  // Tasks of the hub's. On the home loop:
  void sequence(const std::shared_ptr<Flight>& flight);
  void end_topic(const std::shared_ptr<Topic>& topic);
  void count_member(const std::shared_ptr<Topic>& topic, const std::string& member, bool joins);
  void take_report(const std::shared_ptr<Topic>& topic, const StoreReport& report);
  // On every loop:
  void apply(const Flight& flight);
  void end(const std::shared_ptr<Topic>& topic);
  void prepare(const std::shared_ptr<Topic>& topic);

  std::size_t topics() const { return topics_.size(); }
  const TopicTable& table() const { return table_; }

  // For Keeper and Replays.
  Hub& hub() { return hub_; }
  LoopPort& port() { return port_; }
  std::size_t index() const { return index_; }
  Replays& replays() { return replays_; }
  RelayedTopics& relayed() { return relayed_; }
  // To all loops; the receipt gets the position.
  void distribute(const std::shared_ptr<Flight>& flight);
  void call_for_topic(const Topic& topic, Duration delay, void (*task)(Keeper&));

 private:
  friend class HubSubscriber;
  friend class RelayedTopics;
  static constexpr Duration kSweepInterval = std::chrono::seconds(1);

  void leave(HubSubscriber& subscriber);
  LoopTopic* find(const Topic& topic);
  LoopTopic& loop_topic(const std::shared_ptr<Topic>& topic);
  Joined place(LoopTopic& here, HubSubscriber& subscriber, WaitingList& list, std::optional<Position> since);
  std::optional<Joined> place_on_disk(LoopTopic& here, HubSubscriber& subscriber, WaitingList& list,
                                      Position since, const EventRef& first);
  void end_everywhere(const std::shared_ptr<Topic>& topic);
  void end_if_done(const std::shared_ptr<Topic>& topic);
  void deliver(LoopTopic& here, const Flight& flight);
  void mark(LoopTopic& here, Position until, Instant at);
  void tell(LoopTopic& here, TopicNotice notice);
  void retire_if_ended(LoopTopic& here);
  void publish_presence(const std::shared_ptr<Topic>& topic);
  void relay_presence(LoopTopic& here, PresenceChange change);
  void note_history(const LoopTopic& here);
  void plan_sweep();
  void sweep();

  Hub& hub_;
  const std::size_t index_;
  LoopPort& port_;
  TopicTable table_;
  std::unordered_map<const Topic*, std::unique_ptr<LoopTopic>> topics_;
  Replays replays_{*this};
  RelayedTopics relayed_{*this};
  bool has_aging_ = false;  // a history has events that go by their age
  bool sweep_planned_ = false;
  std::shared_ptr<LoopHub*> self_ = std::make_shared<LoopHub*>(this);  // what timers reach this through
};

// A subscriber of one hub topic, owned by somebody else; leaves when it is destroyed.
class HubSubscriber : public PacedSubscriber {
 public:
  HubSubscriber(const HubSubscriber&) = delete;
  HubSubscriber& operator=(const HubSubscriber&) = delete;
  virtual ~HubSubscriber();
  // Null: it has not joined, or has left.
  const Topic* topic() const { return here_ == nullptr ? nullptr : here_->topic.get(); }
  const std::shared_ptr<Topic>& shared_topic() const { return here_->topic; }
  void on_missed(const Missed& missed) final;

 protected:
  HubSubscriber() = default;

  // Subscribers that are behind get it before what waits. May end the subscriber's life.
  virtual void on_notice(TopicNotice notice) = 0;
  // on_missed(), counted. May end the subscriber's life.
  virtual void tell_missed(const Missed& missed) = 0;
  // It joined while the topic was not current, and now it is: RelayedTopics::place_waiting(), once, with another position than the one that
  // join() was given, if it likes. May end the subscriber's life.
  virtual void on_current();
  LoopHub& hub() const { return *hub_; }
  void on_piece_end() final;

 private:
  friend class LoopHub;
  friend class RelayedTopics;
  friend class Replays;
  LoopHub* hub_ = nullptr;
  LoopTopic* here_ = nullptr;
  Ticket ticket_;
  std::unique_ptr<const std::string> member_;
};

static_assert(sizeof(HubSubscriber) <= 48, "what a subscriber costs here, without one that is behind");

}  // namespace fanfare::pubsub
