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
#include <vector>

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
  // Somebody else has written to the broker's stream: the place has no event, and never had one. False: as on_message().
  virtual bool on_foreign(std::string_view topic, Position position) {
    on_lost(topic, position);
    return true;
  }
  // Of a relay that reads on demand: everything that the broker had when the topic was opened has been passed on.
  // `opening`: RelayStart::opening.
  virtual void on_current(std::string_view topic, std::uint64_t opening) = 0;
  // The broker cannot be reached, or can be again. For all topics.
  virtual void on_down() = 0;
  virtual void on_back() = 0;

 protected:
  ~RelaySink() = default;
};

// Where the messages of an opened topic begin.
struct RelayStart {
  Position after = {};         // behind this one; epoch zero: with the oldest
  std::size_t recent_max = 0;  // with this many at most: older ones are read() where they are needed
  std::uint64_t opening = 0;   // for on_current() and close(): grows from one to the next of all topics
};

// An event that the broker still has.
struct RelayedEvent {
  Position position;
  SharedBytes payload;
};

class RelayedPresence;

class Relay {
 public:
  // The position that the broker assigned; empty: it has not taken the event, or nobody knows.
  using Done = UniqueFunction<void(std::optional<Position>)>;

  virtual ~Relay() = default;
  virtual void start(RelaySink& sink) = 0;
  // No call to the sink is under way when it returns, and none follows. Not within one.
  virtual void stop() = 0;

  // Whether topics are opened while somebody subscribes to them here, and closed afterwards. Otherwise they are opened when they are
  // added, and what `from` says may be ignored.
  virtual bool reads_on_demand() const { return false; }
  // Null: its topics cannot have presence. Lives as long as the relay, and does nothing before start().
  virtual RelayedPresence* presence() { return nullptr; }

  // Any thread. The topic's messages are wanted from now on, or no more; a second open() does nothing, except with a later `opening`:
  // then another topic has the name. A close() with an earlier one does nothing. The sink is called later, not within the call.
  virtual void open(std::string_view topic, const RelayStart& from) = 0;
  virtual void close(std::string_view topic, std::uint64_t opening) = 0;
  // Of a relay that reads on demand, any thread: the events behind the position that the broker still has, in order, as many as fit
  // into so many bytes, at least one. None: there are none. `done` is called later, on the relay's thread, when the broker can be
  // reached; or destroyed when the relay stops.
  using Read = UniqueFunction<void(std::vector<RelayedEvent>)>;
  virtual void read(std::string_view /*topic*/, Position /*after*/, std::size_t /*bytes_max*/,
                    Read /*done*/) {}
  // Any thread. False: it takes no more at the moment (its own limit, or the broker cannot be reached);
  // `done` is destroyed uncalled. Otherwise `done` is called once, on any thread, not within the call; or
  // destroyed when the relay stops. With `after`, the event is stored only directly behind that position;
  // otherwise `done` gets none. A relay that cannot do so returns false. Called between on_down() and on_back() as well, if the
  // topic's events may wait (WhenRelayDown::keep).
  virtual bool publish(std::string_view topic, const SharedBytes& payload, Done done,
                       std::optional<Position> after) = 0;
  // Any thread. Whether publish() is also wanted between on_down() and on_back() for topics whose events do not wait: the broker answers,
  // and only another event shows whether it stores it.
  virtual bool takes_while_down() const { return false; }
  // Any thread. A longer payload is accepted, but never gets a position. It may change with the broker.
  virtual std::size_t payload_bytes_max() const { return SIZE_MAX; }
  // Any thread. Somebody has a longer one and does not publish it: the relay looks now and then whether the broker takes it by now.
  virtual void want_larger_payloads() {}
};

// A relay of the public API that is one of these: the hub uses that one.
class NativeRelay {
 public:
  virtual Relay& native() = 0;

 protected:
  ~NativeRelay() = default;
};

}  // namespace fanfare::pubsub
