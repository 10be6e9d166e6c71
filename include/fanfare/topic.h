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

// What a session does when more is published to one of its topics than it reads. Sends of its own and topics
// under close are never dropped: they end it (1013).
enum class WhenFull : std::uint8_t {
  close,        // nothing is lost in silence: the session ends with 1013
  drop_oldest,  // up to `waiting_max` wait, the oldest go first, and the lagged handler is told how many
  keep_latest,  // only the newest waits: for values that replace each other; lagged is told, too
};

struct TopicPolicy {
  WhenFull when_full = WhenFull::close;
  std::size_t waiting_max = 128;  // messages of this topic, under drop_oldest
};

// Where an event stands in a hub topic. The epoch is at most 2^53 - 1, so that JavaScript reads it as a
// number; offsets begin at 1. Offset 0 stands before the first event.
struct Position {
  std::uint64_t epoch = 0;
  std::uint64_t offset = 0;
  auto operator<=>(const Position&) const = default;
};

// Events that a subscriber does not get: those behind `after`, up to and including `until`.
struct Missed {
  Position after;
  Position until;
  // The topic began a new epoch in between, or `after` was never assigned: nobody knows how many there were.
  bool is_counted() const { return after.epoch == until.epoch && after.offset <= until.offset; }
  std::uint64_t count() const { return is_counted() ? until.offset - after.offset : 0; }
  friend bool operator==(const Missed&, const Missed&) = default;
};

// What a hub topic keeps for subscribers that come with a position, on each loop (the bytes are shared). All
// three hold; the oldest events go first.
struct HistoryLimits {
  std::size_t messages_max = 0;                                           // zero: no history
  std::size_t bytes_max = std::size_t{1} << 20;                           // encoded; zero: no history
  std::chrono::milliseconds age_max = std::chrono::milliseconds::zero();  // zero: any age
};

// Whether the hub has taken an event. Everything but `accepted` is a refusal: it reaches nobody, is counted,
// and may be tried again later.
enum class PublishResult : std::uint8_t {
  accepted,
  stopped,              // the server does not run
  removed,              // the topic was removed
  topic_messages_full,  // TopicLimits::pending_messages_max
  topic_bytes_full,     // TopicLimits::pending_bytes_max
  hub_messages_full,    // HubOptions::pending_messages_max
  hub_bytes_full,       // HubOptions::pending_bytes_max
  relay_unavailable,    // a relayed topic: the relay is down or does not take more
};
inline constexpr std::size_t kPublishResultCount = 8;

// Events of one topic that are accepted and not yet handed to the subscribers of every loop. What counts is
// what waits already: one event may be larger.
struct TopicLimits {
  std::size_t pending_messages_max = 10'000;
  std::size_t pending_bytes_max = std::size_t{16} << 20;
  // Connections that are counted by presence. One more may not join.
  std::size_t presence_connections_max = 100'000;
};

struct HubOptions {
  std::size_t topics_max = 100'000;  // one more is not made
  // Over all topics, as TopicLimits.
  std::size_t pending_messages_max = 100'000;
  std::size_t pending_bytes_max = std::size_t{64} << 20;
};

// How to subscribe to a hub topic.
struct JoinOptions {
  // What comes after this position is wanted; empty: what is published from here on.
  std::optional<Position> since = {};
  // Who this is, where the topic has presence: 1 to 256 bytes. Copied. Several sessions may be one member.
  std::string_view member = {};
  std::optional<TopicPolicy> policy = {};  // instead of the topic's
};

// How a subscription began.
struct Joined {
  // Every event after the position that was asked for follows, or none was asked for. False: `missing` says
  // what does not. Holes inside the history are announced where they are.
  bool recovered = true;
  std::optional<Missed> missing = {};
  // The first event that follows comes after this position.
  Position position = {};
  // A relayed topic whose relay is down: what other instances publish arrives later.
  bool is_degraded = false;
};

enum class JoinError : std::uint8_t {
  closing,         // the session is closing
  topics_full,     // limits.topics_per_session_max
  already_joined,  // leave it first
  removed,         // the topic was removed, or is none of this server's
  presence_full,   // TopicLimits::presence_connections_max
  bad_member,      // a topic with presence needs a member name of 1 to 256 bytes
};

enum class TopicNotice : std::uint8_t {
  degraded,  // the relay is down: events of other instances arrive later
  restored,  // the relay is back; what could not be recovered was announced as missed
  removed,   // the topic was removed: nothing follows
};

// Who came and who went since the last one. A member with several connections counts once. Sorted by name.
struct PresenceChange {
  std::vector<std::string> joined;
  std::vector<std::string> left;
};

// Since the topic was made, but for what is named "now".
struct TopicMetrics {
  std::uint64_t published = 0;  // given an offset
  std::uint64_t delivered = 0;  // taken by subscribers, once for each; what is dropped later is in `missed`
  std::uint64_t missed = 0;     // events that a subscriber was told it does not get
  std::uint64_t refused = 0;    // publish() calls that were not accepted
  std::uint64_t failed = 0;     // accepted, but never given an offset: the relay failed or memory ran out
  std::size_t pending_messages = 0;  // now
  std::size_t pending_bytes = 0;     // now
  std::size_t history_messages = 0;  // now
  std::size_t history_bytes = 0;     // now
  std::size_t subscribers = 0;       // now
  std::size_t members = 0;           // now
};

}  // namespace fanfare
