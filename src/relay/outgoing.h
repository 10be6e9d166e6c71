#pragma once
// Events that were accepted for publishing and that the broker has not acknowledged, in the order in which they were accepted.
// Each has an identity by which the broker recognises it, so it may be sent again. No I/O; one thread.
//
// Those of a topic are sent in this order. Until the broker has answered the first one of a connection, no other of its topic is
// sent: a broker that is not ready may lose one and store the next.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
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
  std::optional<Instant> sent = {};              // empty: not yet, or again
  std::optional<Instant> unanswered_since = {};  // of the first attempt that may have got there
  std::uint64_t epoch = 0;                       // with which it was sent
  std::uint64_t first_epoch = 0;                 // with which it was sent for the first time
  bool sent_before = false;
  bool is_impossible = false;  // too long for the broker, or behind a position of another epoch
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
  bool has(std::string_view topic) const {
    return std::ranges::any_of(events_, [&](const auto& each) { return each.second.topic == topic; });
  }

  // Whether one that was added now may be sent before the next send_unsent().
  bool may_send_at_once(const std::string& topic) const { return fluent_.contains(topic); }
  // Calls send(number, event) for each one that may be sent, and again for those that were sent more than `again_after` ago.
  // send() sets OutgoingEvent::sent, or returns false: no other of the topic is sent before the next call.
  template <typename Send>
  void send_unsent(Instant now, Duration again_after, Send&& send) {
    std::set<std::string> waiting;
    for (auto& [number, event] : events_) {
      if (waiting.contains(event.topic)) continue;
      const bool is_due = !event.sent || now - *event.sent > again_after;
      if ((is_due && !send(number, event)) || !proven_.contains(event.topic)) waiting.insert(event.topic);
    }
    fluent_ = proven_;
    for (const std::string& topic : waiting) fluent_.erase(topic);
  }
  // Nothing that was sent is known to have arrived.
  void forget_sent() {
    for (auto& [number, event] : events_) event.sent = event.unanswered_since = std::nullopt;
    proven_.clear();
    fluent_.clear();
  }
  // The broker has answered one of the topic. True: others may wait for that.
  bool prove(const std::string& topic) { return proven_.insert(topic).second; }
  // The event did not get there; what follows it waits.
  void disturb(OutgoingEvent& event) {
    event.sent = event.unanswered_since = std::nullopt;
    proven_.erase(event.topic);
    fluent_.erase(event.topic);
  }
  // Calls visit(event) for each one that the broker should have answered by now.
  template <typename Visit>
  void for_each_unanswered(Instant now, Duration wait, Visit&& visit) const {
    for (const auto& [number, event] : events_) {
      if (event.unanswered_since && now - *event.unanswered_since > wait) visit(event);
    }
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
    for (const auto& [number, event] : events_) {
      if (is_over(event)) return take(number);
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
  std::set<std::string> proven_;  // topics
  std::set<std::string> fluent_;  // proven ones of which nothing waits to be sent
  std::map<std::uint64_t, OutgoingEvent> events_;
};

}  // namespace fanfare::relay
