#pragma once
// What all threads know of a hub topic. Its events are elsewhere: each loop has a LoopTopic (loop_hub.h).

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"
#include "pubsub/event_store.h"

namespace fanfare::pubsub {

struct PresenceReport;

struct TopicSetup {
  HistoryLimits history = {};
  TopicPolicy policy = {};
  TopicLimits limits = {};
  bool presence = false;
  Duration presence_interval = std::chrono::seconds(1);
  bool relayed = false;
  WhenRelayDown when_relay_down = WhenRelayDown::refuse;
  HistoryLimits stored = {};  // on disk; messages_max or bytes_max of zero: not at all
  // The frame of an event, made once a process, on the topic's home loop. Not empty. Left out: the payload. Those that are read from
  // the broker again are made again, on the loop of the subscriber.
  std::function<SharedBytes(Position, const SharedBytes& payload)> encode = {};
  // Each frame of a relayed topic in order, once, on its home loop.
  std::function<void(const SharedBytes& frame)> observe = {};
  // So many of the latest are observed when the topic is opened at its relay, even if the history is shorter.
  std::size_t observed_max = 0;
  // The payload of the event that says who came and who went; left out or empty: no event.
  std::function<SharedBytes(const PresenceChange&)> describe_presence = {};
};

// Events that are accepted and not yet with every loop, against two limits. Any thread.
class PendingRoom {
 public:
  PendingRoom(std::size_t messages_max, std::size_t bytes_max)
      : messages_max_(messages_max), bytes_max_(bytes_max) {}

  enum class Taken : std::uint8_t { yes, messages_full, bytes_full };
  Taken take(std::size_t bytes);
  void give_back(std::size_t bytes);
  std::size_t messages() const { return messages_.load(std::memory_order_relaxed); }
  std::size_t bytes() const { return bytes_.load(std::memory_order_relaxed); }

 private:
  const std::size_t messages_max_;
  const std::size_t bytes_max_;
  std::atomic<std::size_t> messages_ = 0;
  std::atomic<std::size_t> bytes_ = 0;
};

// Where the event stands; empty: it was accepted and never got a position (the server stopped, the topic was
// removed, the relay failed, memory ran out). Called once for each accepted event: on the topic's home loop,
// on a relay's thread, or where an event is destroyed that a stopping server did not come to. Not within
// publish().
using Receipt = UniqueFunction<void(std::optional<Position>)>;

class Topic {
 public:
  // `id` is unique in its hub.
  Topic(std::string its_name, TopicSetup its_setup, std::uint64_t its_id, std::uint64_t epoch)
      : Topic(std::move(its_name), std::move(its_setup), its_id, Position{.epoch = epoch}, nullptr) {}
  // Goes on with what is stored.
  Topic(std::string its_name, TopicSetup its_setup, std::uint64_t its_id, Position last,
        std::unique_ptr<StoredPart> its_stored)
      : name(std::move(its_name)),
        setup(std::move(its_setup)),
        id(its_id),
        first_epoch(setup.relayed ? 0 : last.epoch),
        stored(std::move(its_stored)),
        room(setup.limits.pending_messages_max, setup.limits.pending_bytes_max),
        assigned_epoch(first_epoch),
        assigned_offset(last.offset) {}

  TopicMetrics metrics() const;
  std::uint64_t refused(PublishResult reason) const {
    return refusals[static_cast<std::size_t>(reason)].load(std::memory_order_relaxed);
  }
  bool is_removed() const { return removed.load(std::memory_order_acquire); }
  // Another instance is at most so many events ahead: a position further ahead was never assigned.
  static constexpr std::uint64_t kRelayedAheadMax = 10'000;
  // Whether a subscriber can have seen this position.
  bool was_assigned(Position position) const;
  // The members present, as of the latest event about them. Sorted, never null.
  std::shared_ptr<const std::vector<std::string>> members() const;
  void set_members(std::shared_ptr<const std::vector<std::string>> members);
  // Of a relayed topic.
  void take(const PresenceReport& report);

  const std::string name;
  const TopicSetup setup;
  const std::uint64_t id;
  const std::uint64_t first_epoch;           // zero: its relay has not said it yet
  const std::unique_ptr<StoredPart> stored;  // null: its events are not stored
  PendingRoom room;
  std::atomic<bool> removed = false;
  // The last position that was assigned; written on the home loop.
  std::atomic<std::uint64_t> assigned_epoch;
  std::atomic<std::uint64_t> assigned_offset;
  bool has_ended = false;         // the home loop's: nothing is sequenced any more
  std::uint64_t opening = 0;      // the home loop's: the last one at the relay; zero: none
  std::size_t closing_loops = 0;  // the same: have not said yet that they make no more use of it
  // Whether the home loop has what the broker has (LoopTopic::is_current).
  std::atomic<bool> is_current = true;

  std::atomic<std::uint64_t> published = 0;
  std::atomic<std::uint64_t> delivered = 0;
  std::atomic<std::uint64_t> missed = 0;
  std::atomic<std::uint64_t> failed = 0;
  std::array<std::atomic<std::uint64_t>, kPublishResultCount> refusals = {};
  std::atomic<std::size_t> history_messages = 0;
  std::atomic<std::size_t> history_bytes = 0;
  std::atomic<std::size_t> subscribers = 0;
  std::atomic<std::size_t> presence_connections = 0;
  std::atomic<std::size_t> members_now = 0;

 private:
  // Over all instances.
  struct RelayedMembers {
    std::set<std::string, std::less<>> names;
    std::size_t instances = 0;
    std::uint64_t instances_gone = 0;
  };

  mutable std::mutex mutex_;  // guards what follows
  // Null: the next one who asks makes it of relayed_.
  mutable std::shared_ptr<const std::vector<std::string>> members_ =
      std::make_shared<const std::vector<std::string>>();
  std::unique_ptr<RelayedMembers> relayed_;  // null: nothing was reported
};

static_assert(sizeof(Topic) <= 640, "what a topic costs once a process, beside its name");

// One event on its way to the loops. It takes room when it is made and gives it back when the last loop is
// done with it.
class Flight {
 public:
  Flight(std::shared_ptr<Topic> its_topic, std::shared_ptr<PendingRoom> hub_room, SharedBytes its_payload,
         Receipt receipt)
      : topic(std::move(its_topic)),
        payload(std::move(its_payload)),
        size_(payload.size()),
        hub_room_(std::move(hub_room)),
        receipt_(std::move(receipt)) {}
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  ~Flight();

  // Of both rooms, or of none. Before it is given to anyone.
  PublishResult take_room();
  // Rejected after all: nobody is notified.
  void forget_receipt() { receipt_ = nullptr; }
  // Makes the frame for this position. False: memory ran out, or the encoder has none, and the receipt knows.
  bool encode(Position where);
  // Once.
  void tell(std::optional<Position> where);
  // If somebody waits for it.
  void tell_position() {
    if (receipt_) tell(position);
  }

  const std::shared_ptr<Topic> topic;
  SharedBytes payload;
  // From the home loop on, for the others:
  SharedBytes frame;  // empty: a mark
  Position position;
  Instant at;

 private:
  std::size_t size_;
  bool has_room_ = false;
  std::shared_ptr<PendingRoom> hub_room_;
  Receipt receipt_;
};

}  // namespace fanfare::pubsub
