#pragma once
// The topic of a stream that several instances share (pubsub::Relay): what its events say, whoever published them, and
// publishing behind them. Each record is published for the place directly behind the last event that this instance has seen, and the
// next one when that has its place. So the values of two pollers never mix, whatever they believe about their leases. Any thread.

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/shared_bytes.h"
#include "pubsub/hub.h"

namespace fanfare::streams {

class SharedTopic : public std::enable_shared_from_this<SharedTopic> {
 public:
  // What the events so far say.
  struct Known {
    SharedBytes last_value;    // a record; empty: there is none
    std::int64_t seconds = 0;  // of the last event
    std::uint64_t serial = 0;  // of the last value
    bool owes_value = false;   // a notice follows it, or its epoch has ended
  };

  // `keeps_values`: take_values() is called.
  explicit SharedTopic(bool keeps_values) : keeps_values_(keeps_values) {}
  bool keeps_values() const { return keeps_values_; }
  // Once, before anything is offered. The hub outlives this.
  void attach(pubsub::Hub& hub, const std::shared_ptr<pubsub::Topic>& topic);

  // An event of the topic, with its position, in order.
  void observe(const SharedBytes& record);

  // Whether begin_turn() would, as far as is known.
  bool is_ready() const;
  // Begins a turn: what is offered follows what is known now. Empty: something that was offered before has no place yet, or has not
  // come back, or the relay has not said where the topic begins.
  std::optional<Known> begin_turn();
  // False: refused. Otherwise it is published, or refused later, and what was offered behind it with it.
  bool offer(SharedBytes record);
  // The values that were observed since the last call, at most the last kValuesMax.
  std::vector<SharedBytes> take_values();

  bool is_interrupted() const;
  std::string reason() const;
  std::uint64_t refused_later() const;

  static constexpr std::size_t kValuesMax = 1000;
  // A turn offers a notice or two and a value.
  static constexpr std::size_t kOfferedMax = 4;

 private:
  // Zero: not known.
  Position assigned() const;
  // With the mutex held:
  bool is_settled(Position now) const;
  bool send_first();
  void answered(std::optional<Position> position);

  const bool keeps_values_;
  pubsub::Hub* hub_ = nullptr;
  std::weak_ptr<pubsub::Topic> topic_;  // which holds this, in its encoder
  mutable std::mutex mutex_;            // guards what follows
  Known known_;
  std::uint64_t known_epoch_ = 0;  // of the last event
  bool is_interrupted_ = false;
  std::string reason_;
  std::deque<SharedBytes> values_;
  std::deque<SharedBytes> offered_;  // the first one is with the relay
  Position after_;                   // the place behind which it goes
  Position placed_;                  // the last place that one got
  std::uint64_t refused_ = 0;
};

}  // namespace fanfare::streams
