#pragma once
// The topics of one loop and who listens to them. One table a loop: no locks, one thread.
//
//   key -> topic: [ subscriber* | subscriber* | subscriber* | ... ]   publish walks this array
//                 [ slot        | slot        | slot        | ... ]   who must be told when an entry moves
//   ticket -> slot: topic, position                                    unsubscribe goes straight there
//
// subscribe and unsubscribe cost the same whatever the number of subscribers. Both, and publish itself, may
// be called from within deliver():
//   - who leaves during a delivery gets nothing after the call that made it leave;
//   - who joins during a delivery starts with the next one;
//   - a subscriber that throws or refuses is counted, and the others get their frame.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <vector>

#include "base/pages.h"
#include "base/shared_bytes.h"

namespace fanfare::pubsub {

// Names a topic. The owner of the topics chooses keys that cannot collide: 128 bits of a keyed hash, or a
// number it hands out.
struct TopicKey {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend bool operator==(const TopicKey&, const TopicKey&) = default;
};

struct TopicKeyHash {
  std::size_t operator()(const TopicKey& key) const noexcept {
    // Multiplying spreads keys that were handed out one after the other; hashed keys lose nothing.
    return static_cast<std::size_t>((key.low ^ (key.high << 1U)) * 0x9E3779B97F4A7C15U);
  }
};

// One end of a fan-out, owned by someone else, who unsubscribes it before it dies.
class Subscriber {
 public:
  // Takes a share of the frame. False: it could not be taken; whoever owns the subscriber has its own
  // policy for that (the table only counts).
  virtual bool deliver(const SharedBytes& frame) = 0;
  // It has a lot left to send: who can wait with more should.
  virtual bool is_congested() const { return false; }

 protected:
  ~Subscriber() = default;
};

// What subscribe() hands out and unsubscribe() takes. A ticket whose subscription is gone is recognised.
struct Ticket {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;  // 0: never issued
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

class TopicTable {
 public:
  struct Counters {
    std::uint64_t published = 0;  // publish() calls that found a topic
    std::uint64_t delivered = 0;  // frames taken by subscribers
    std::uint64_t refused = 0;    // deliver() said no
    std::uint64_t failed = 0;     // deliver() threw
  };

  TopicTable() = default;
  TopicTable(const TopicTable&) = delete;
  TopicTable& operator=(const TopicTable&) = delete;

  // The subscriber must outlive the ticket. One subscriber may hold several tickets, of one topic too.
  Ticket subscribe(TopicKey key, Subscriber& subscriber);

  // False when the ticket's subscription is gone already: harmless, so owners may be sloppy about order.
  bool unsubscribe(Ticket ticket);

  // Hands the frame to everyone subscribed when the call began, but for `except`. Returns how many took it.
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
    PagesVector<Subscriber*> subscribers;  // nullptr: left during a delivery, swept when it ends
    PagesVector<std::uint32_t> slots;      // same positions
    std::uint32_t delivering = 0;          // nested publish calls under way
    std::uint32_t left = 0;                // how many nullptr
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

  std::deque<Topic> topics_;  // a deque: references survive the topics that are added during a delivery
  std::vector<std::uint32_t> free_topics_;
  std::unordered_map<TopicKey, std::uint32_t, TopicKeyHash> by_key_;
  PagesVector<Slot> slots_;
  PagesVector<std::uint32_t> free_slots_;
  std::size_t live_ = 0;
  Counters counters_;
};

}  // namespace fanfare::pubsub
