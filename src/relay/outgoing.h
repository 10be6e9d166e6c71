#pragma once
// Events that were accepted for publishing and that the broker has not acknowledged, in the order in which they were accepted.
// Each has an identity by which the broker recognises it, so it may be sent again. No I/O; one thread.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/shared_bytes.h"
#include "base/time.h"
#include "pubsub/relay.h"

namespace fanfare::relay {

struct OutgoingEvent {
  std::string topic;
  SharedBytes payload;
  pubsub::Relay::Done done;
  std::optional<Position> after;  // stored only directly behind this one
  Instant accepted{};
  std::optional<Instant> sent;  // empty: not yet, or again
  std::uint64_t epoch = 0;      // with which it was sent
  bool is_impossible = false;   // too long for the broker, or behind a position of another epoch
};

class Outgoing {
 public:
  explicit Outgoing(Duration give_up_after) : give_up_after_(give_up_after) {}

  // Returns its number, from 1.
  std::uint64_t add(OutgoingEvent event) {
    events_.emplace(++last_, std::move(event));
    return last_;
  }
  std::size_t size() const { return events_.size(); }

  // Calls send(number, event) for each one that is not with the broker, of all topics or of one, and again for those that
  // were sent more than `again_after` ago. send() sets OutgoingEvent::sent.
  template <typename Send>
  void send_unsent(Instant now, Duration again_after, Send&& send) {
    for (auto& [number, event] : events_) {
      if (!event.sent || now - *event.sent > again_after) send(number, event);
    }
  }
  // Nothing that was sent is known to have arrived.
  void forget_sent() {
    for (auto& [number, event] : events_) event.sent.reset();
  }
  OutgoingEvent* find(std::uint64_t number) {
    const auto found = events_.find(number);
    return found == events_.end() ? nullptr : &found->second;
  }
  // Takes it out; empty: it is gone already.
  std::optional<OutgoingEvent> take(std::uint64_t number) {
    const auto found = events_.find(number);
    if (found == events_.end()) return std::nullopt;
    std::optional<OutgoingEvent> event = std::move(found->second);
    events_.erase(found);
    return event;
  }
  // Takes out the first one that `is_over`.
  template <typename Over>
  std::optional<OutgoingEvent> take_first(Over&& is_over) {
    for (auto at = events_.begin(); at != events_.end(); ++at) {
      if (is_over(at->second)) return take(at->first);
    }
    return std::nullopt;
  }
  // The oldest one that has waited too long.
  std::optional<OutgoingEvent> take_expired(Instant now) {
    if (events_.empty() || now - events_.begin()->second.accepted < give_up_after_) return std::nullopt;
    return take(events_.begin()->first);
  }

 private:
  const Duration give_up_after_;
  std::uint64_t last_ = 0;
  std::map<std::uint64_t, OutgoingEvent> events_;
};

}  // namespace fanfare::relay
