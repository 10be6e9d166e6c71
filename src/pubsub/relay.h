#pragma once
// The way of a topic to other instances: a broker that puts the events of all of them in one order. Behind
// this interface stands a real one; the hub knows no socket.
//
//   publish() on any instance -> broker, which assigns the offset -> on_message() on every instance
//
// The broker's sequence is the topic's offset, its stream's identity the epoch. The relay may deliver an
// event twice and late, never out of order within a topic: what comes at or below the last offset is a
// duplicate, a jump is a loss, which subscribers learn of exactly.

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/shared_bytes.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare::pubsub {

// The hub, as a relay sees it. Any thread, from Relay::start() until Relay::stop() returns. Names of topics
// that are not relayed are ignored. Within one topic the calls come from one thread at a time, in order.
class RelaySink {
 public:
  // False: as much waits as the topic's or the hub's limits allow. The relay keeps the event and offers it
  // again later, before any later one of the topic.
  virtual bool on_message(std::string_view topic, Position position, SharedBytes payload) = 0;
  // Everything that has not come up to and including `until` is gone for good. With another epoch: the broker
  // has lost its stream and begins again behind `until`. The first one says where a topic begins.
  virtual void on_lost(std::string_view topic, Position until) = 0;
  // The broker cannot be reached, or can be again. For all topics.
  virtual void on_down() = 0;
  virtual void on_back() = 0;

 protected:
  ~RelaySink() = default;
};

class Relay {
 public:
  // The position that the broker assigned; empty: it has not taken the event, or nobody knows.
  using Done = UniqueFunction<void(std::optional<Position>)>;

  virtual ~Relay() = default;
  virtual void start(RelaySink& sink) = 0;
  // No call to the sink is under way when it returns, and none follows. Not within one.
  virtual void stop() = 0;

  // Any thread. The topic's messages are wanted from now on, or no more; a second open() does nothing. The
  // sink is called later, not within the call.
  virtual void open(std::string_view topic) = 0;
  virtual void close(std::string_view topic) = 0;
  // Any thread. False: it takes no more at the moment (its own limit, or the broker cannot be reached);
  // `done` is destroyed uncalled. Otherwise `done` is called once, on any thread, not within the call; or
  // destroyed when the relay stops. With `after`, the event is stored only directly behind that position;
  // otherwise `done` gets none. A relay that cannot do so returns false.
  virtual bool publish(std::string_view topic, const SharedBytes& payload, Done done,
                       std::optional<Position> after) = 0;
  // Whether publish() may take events while the broker cannot be reached.
  virtual bool keeps_while_down() const { return false; }
};

}  // namespace fanfare::pubsub
