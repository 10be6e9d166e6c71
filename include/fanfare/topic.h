#pragma once
// Plain data about topics: policies, positions, limits and results. docs/hub.md is the guide. Any thread.

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare {

// What a session does when a topic publishes more than the session reads. The session's own messages and
// topics under close are never dropped; on overflow the session ends (1013).
enum class WhenFull : std::uint8_t {
  close,        // nothing is dropped silently: the session ends with 1013
  drop_oldest,  // up to `waiting_max` wait; the oldest are dropped first, and the lagged handler gets their
                // number
  keep_latest,  // only the newest waits: for values that replace each other; lagged is called too
};

struct TopicPolicy {
  WhenFull when_full = WhenFull::close;
  std::size_t waiting_max = 128;  // messages of this topic, under drop_oldest
};

// The position of an event in a hub topic. The epoch is at most 2^53 - 1, so that JavaScript can read it as a
// number; offsets begin at 1. Offset 0 is the position before the first event.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const Position&) const = default;
};

// Events that a subscriber does not get: those after `after`, up to and including `until`.
struct Missed {
  Position after;
  Position until;
  // False: the topic began a new epoch in between, or `after` was never assigned, so their number is unknown.
  bool is_counted() const { return after.epoch == until.epoch && after.offset <= until.offset; }
  std::uint64_t count() const { return is_counted() ? until.offset - after.offset : 0; }
  friend bool operator==(const Missed&, const Missed&) = default;
};

// The events that a hub topic keeps for subscribers with a position, on each loop (the bytes are shared). All
// three limits apply; the oldest events are dropped first.
struct HistoryLimits {
  std::size_t messages_max = 0;                                           // zero: no history
  std::size_t bytes_max = std::size_t{1} << 20;                           // encoded; zero: no history
  std::chrono::milliseconds age_max = std::chrono::milliseconds::zero();  // zero: any age
};

// Whether the hub accepted an event. Every result but `accepted` is a rejection: the event reaches no
// subscriber, is counted, and may be published again later.
enum class PublishResult : std::uint8_t {
  accepted,
  stopped,              // the server is not running
  removed,              // the topic was removed
  topic_messages_full,  // TopicLimits::pending_messages_max
  topic_bytes_full,     // TopicLimits::pending_bytes_max
  hub_messages_full,    // HubOptions::pending_messages_max
  hub_bytes_full,       // HubOptions::pending_bytes_max
  relay_unavailable,    // a relayed topic: the relay is down or at its limit
};
inline constexpr std::size_t kPublishResultCount = 8;

// Limits for events of one topic that are accepted and not yet passed to the subscribers of every loop. Only
// waiting events count, so one event may be larger.
struct TopicLimits {
  std::size_t pending_messages_max = 10'000;
  std::size_t pending_bytes_max = std::size_t{16} << 20;
  // Connections counted by presence, of this instance. One more is rejected.
  std::size_t presence_connections_max = 100'000;
  // Members of a relayed topic over all instances. Those who join beyond it get the topic's events, but are neither reported nor
  // listed until others have left.
  std::size_t presence_members_max = 100'000;
};

struct HubOptions {
  std::size_t topics_max = 100'000;  // one more is rejected
  // Over all topics, like TopicLimits.
  std::size_t pending_messages_max = 100'000;
  std::size_t pending_bytes_max = std::size_t{64} << 20;
};

// How to subscribe to a hub topic.
struct JoinOptions {
  // Requests the events after this position; empty: only events published from now on.
  std::optional<Position> since = {};
  // The member's name, if the topic has presence: 1 to 256 bytes. Copied. Several sessions may be one member.
  std::string_view member = {};
  std::optional<TopicPolicy> policy = {};  // replaces the topic's policy
};

// The start of a subscription.
struct Joined {
  // True if every event after the requested position follows, or no position was requested. False: `missing`
  // names those that do not. Gaps within the history are reported at their position.
  bool recovered = true;
  std::optional<Missed> missing = {};
  // The position before the first event that follows. At a relayed topic whose broker has not answered yet: or before that.
  Position position = {};
  // A relayed topic whose relay is down: events of other instances arrive later.
  bool is_degraded = false;
};

enum class JoinError : std::uint8_t {
  closing,         // the session is closing
  topics_full,     // limits.topics_per_session_max
  already_joined,  // leave it first
  removed,         // the topic was removed, or belongs to another server
  presence_full,   // TopicLimits::presence_connections_max
  bad_member,      // a topic with presence needs a member name of 1 to 256 bytes
};

// What publishing to a relayed topic does while the relay is down.
enum class WhenRelayDown : std::uint8_t {
  refuse,  // PublishResult::relay_unavailable; what was accepted before is sent again when the relay is back
  keep,    // accepts up to the topic's, the hub's and the relay's limits, and sends it when the relay is back
};

enum class TopicNotice : std::uint8_t {
  degraded,  // the relay is down: events of other instances arrive later
  restored,  // the relay is back; events that could not be recovered were reported as missed
  removed,   // the topic was removed: nothing follows
};

// The members that came and went since the last change. A member with several connections counts once. Sorted
// by name.
struct PresenceChange {
  std::vector<std::string> joined;
  std::vector<std::string> left;
};

// Totals since the topic was created; "now" marks current values.
struct TopicMetrics {
  std::uint64_t published = 0;  // given an offset
  std::uint64_t delivered = 0;  // deliveries accepted by subscribers; later drops count as `missed`
  std::uint64_t missed = 0;     // events reported to a subscriber as missed
  std::uint64_t refused = 0;    // publish() calls that were not accepted
  std::uint64_t failed = 0;     // accepted, but never given an offset: the relay failed or memory ran out
  std::size_t pending_messages = 0;  // now
  std::size_t pending_bytes = 0;     // now
  std::size_t history_messages = 0;  // now
  std::size_t history_bytes = 0;     // now
  std::size_t subscribers = 0;       // now
  std::size_t members = 0;           // now; of a relayed topic: as HubTopic::members()
  std::size_t stored_messages = 0;   // now, on disk
  std::size_t stored_bytes = 0;      // now, the events' own bytes on disk
  // Of a relayed topic with presence, while sessions of this instance are members:
  std::size_t instances = 0;  // now, with members
  std::uint64_t instances_gone =
      0;                       // that this instance counted as gone, because they were not heard any more
  std::uint64_t unstored = 0;  // events that a failing disk could not take: they went on in memory
};

}  // namespace fanfare
