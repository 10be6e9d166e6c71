#pragma once
// The topics of one loop and their subscribers. One table per loop: no locks, one thread.
//
//   key -> topic: [ subscriber* | subscriber* | subscriber* | ... ]   publish walks this array
//                 [ slot        | slot        | slot        | ... ]   to be updated when an entry moves
//   ticket -> slot: topic, position                                    unsubscribe finds the entry directly
//
// The cost of subscribe and unsubscribe does not depend on the number of subscribers. subscribe, unsubscribe
// and publish may be called within deliver():
//   - a subscriber removed during a delivery gets nothing after the call that removed it;
//   - a subscriber added during a delivery starts with the next one;
//   - a subscriber that throws or refuses is counted, and the others get their frame.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "base/pages.h"
#include "base/shared_bytes.h"

namespace fanfare::pubsub {

// Identifies a topic. The owner of the topics must choose keys that cannot collide: 128 bits of a keyed hash,
// or a number that it assigns.
struct TopicKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const TopicKey&, const TopicKey&) = default;
};

struct TopicKeyHash {
  std::size_t operator()(const TopicKey& key) const noexcept {
    // The multiplication spreads keys that were assigned sequentially; for hashed keys it does no harm.
    return static_cast<std::size_t>((key.low ^ (key.high << 1U)) * 0x9E3779B97F4A7C15U);
  }
};

// One receiver of a fan-out. Its owner must unsubscribe it before destroying it.
class Subscriber {
 public:
  // Takes a share of the frame. False: the frame could not be accepted. The subscriber's owner decides what
  // to do then; the table only counts.
  virtual bool deliver(const SharedBytes& frame) = 0;
  // Whether much data is already waiting to be sent; publishers that can delay more should do so.
  virtual bool is_congested() const { return false; }

 protected:
  ~Subscriber() = default;
};

// Returned by subscribe() and passed to unsubscribe(). A ticket whose subscription has ended is recognised.
struct Ticket {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: never issued
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

class TopicTable {
 public:
  struct Counters {
    std::uint64_t published = 0;  // publish() calls that found a topic
    std::uint64_t delivered = 0;  // frames accepted by subscribers
    std::uint64_t refused = 0;    // deliver() returned false
    std::uint64_t failed = 0;     // deliver() threw
  };

  TopicTable() = default;
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  // The subscriber must outlive the ticket. One subscriber may hold several tickets, even for one topic.
  Ticket subscribe(TopicKey key, Subscriber& subscriber);

  // False: the ticket's subscription has already ended. This is harmless, so owners may call it in any order.
  bool unsubscribe(Ticket ticket);

  // Delivers the frame to all that were subscribed when the call began, except `except`. Returns how many
  // accepted it.
  std::size_t publish(TopicKey key, const SharedBytes& frame, const Subscriber* except = nullptr);

  // Calls `call` for everyone subscribed when it began, as publish() calls deliver().
  template <typename Call>
  void visit(TopicKey key, Call&& call) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return;
    const std::uint32_t index = found->second;
    Topic& topic = topics_[index];
    ++topic.delivering;
    const std::size_t count = topic.subscribers.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (topic.subscribers[i] != nullptr) call(*topic.subscribers[i]);
    }
    --topic.delivering;
    if (topic.delivering == 0 && topic.left > 0) sweep(index);
  }

  std::size_t subscribers(TopicKey key) const;
  std::size_t subscriptions() const { return live_; }
  std::size_t topics() const { return by_key_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  static constexpr std::uint32_t kNowhere = ~std::uint32_t{0};

  struct Topic {
    TopicKey key;
    PagesVector<Subscriber*> subscribers;  // nullptr: removed during a delivery, swept when it ends
    PagesVector<std::uint32_t> slots;      // same positions
    std::uint32_t delivering = 0;          // nested publish calls in progress
    std::uint32_t left = 0;                // number of nullptr entries
  };
  struct Slot {
    std::uint32_t topic = kNowhere;
    std::uint32_t position = 0;
    std::uint32_t generation = 1;
  };

  std::uint32_t topic_for(TopicKey key);
  void remove_at(Topic& topic, std::uint32_t position);
  void sweep(std::uint32_t index);
  void retire_if_empty(std::uint32_t index);

  std::deque<Topic> topics_;  // a deque: references remain valid when a delivery adds topics
  std::vector<std::uint32_t> free_topics_;
  std::unordered_map<TopicKey, std::uint32_t, TopicKeyHash> by_key_;
  PagesVector<Slot> slots_;
  PagesVector<std::uint32_t> free_slots_;
  std::size_t live_ = 0;
  Counters counters_;
};

}  // namespace fanfare::pubsub
