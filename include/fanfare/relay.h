#pragma once
// A relay carries the events of hub topics to the other instances of a program, through a broker that puts the events
// of all instances in one order (docs/hub.md, "Relay"). The program implements Relay for its broker.
//
//   publish() on any instance -> broker, which assigns the offset -> on_message() on every instance
//
//   hub.set_relay(std::make_shared<MyBroker>(...));
//   const auto prices = *hub.add_topic("prices", {.relayed = true,
//                                                 .encode = [](Position, std::string_view payload) {
//                                                   return Frame::text(payload);
//                                                 }});
//
// The broker's sequence number is the topic's offset, and the identity of its stream is the epoch. A relay may deliver
// an event twice or late, but never out of order within a topic. Events at or below the last offset are ignored as
// duplicates. A jump is a loss; each subscriber is told which events are missing.

#include <optional>
#include <string_view>

#include "fanfare/session.h"
#include "fanfare/topic.h"
#include "fanfare/unique_function.h"

namespace fanfare {

// The hub, as a relay sees it. Any thread, from Relay::start() until Relay::stop() returns. Within one topic, calls come
// from one thread at a time, in order. Names of topics that are not relayed are ignored.
class RelaySink {
 public:
  // The payload is copied. False: the limits of the topic or the hub are reached (TopicLimits, HubOptions). Keep the
  // event and offer it again, before any later event of the topic.
  virtual bool on_message(std::string_view topic, Position position, Bytes payload) = 0;
  // Everything up to and including `until` that was not delivered is lost. With another epoch, the broker lost its
  // stream and continues after `until`. The first call for a topic states where it begins.
  virtual void on_lost(std::string_view topic, Position until) = 0;
  // The broker is unreachable, or reachable again. Applies to all topics. A relay is down until its first on_back().
  virtual void on_down() = 0;
  virtual void on_back() = 0;

 protected:
  ~RelaySink() = default;
};

// The position that the broker assigned. Empty: the event was not stored, or its fate is unknown.
using RelayReceipt = UniqueFunction<void(std::optional<Position> position)>;

// An exception from one of these functions is logged (`handler_threw`), and publish() then counts as refused.
class Relay {
 public:
  virtual ~Relay() = default;
  // In Server::start(). The sink is valid until stop() returns.
  virtual void start(RelaySink& sink) = 0;
  // When it returns, no call to the sink is in progress, and none follows. Called once, if start() was called, on a
  // thread that is neither a loop nor in a receipt. Must not wait for a loop.
  virtual void stop() = 0;

  // Any thread, several at once. From open() on, the topic's events are wanted; from close() on they are not. A second
  // open() has no effect. Do not call the sink before open() has returned. Both functions may be called with a lock of the
  // hub held, so they must not add, find or remove its topics.
  virtual void open(std::string_view topic) = 0;
  virtual void close(std::string_view topic) = 0;
  // Any thread, several at once; must not block. The payload is valid during the call. False: the event is refused,
  // because the broker is unreachable or a limit of the relay is reached. Otherwise call the receipt once, on any thread,
  // after publish() has returned. A receipt that is destroyed counts as one without a position. While the relay is down, it is called
  // only for topics with WhenRelayDown::keep.
  virtual bool publish(std::string_view topic, Bytes payload, RelayReceipt receipt) = 0;
};

}  // namespace fanfare
