#pragma once
// Publishes what was accepted: sends each event with the epoch of its topic, and again until the broker has answered, within limits
// (relay/outgoing.h has the order). On the relay's thread, except where it says so.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/random.h"
#include "fanfare/nats.h"
#include "pubsub/topic.h"
#include "relay/counters.h"
#include "relay/link.h"
#include "relay/outgoing.h"
#include "relay/relay_log.h"
#include "relay/topic_feed.h"

namespace fanfare::relay {

class Publisher {
 public:
  // All outlive it.
  struct World {
    Link& link;
    const NatsOptions& options;
    RelayCounters& counters;
    RelayLog& log;
    std::function<TopicFeed*(std::string_view topic)> feed_of;  // null: it has none
  };
  explicit Publisher(World world);

  // Any thread. Room for an event: false: there is none. It is given back with the event's answer.
  bool take_room(std::size_t bytes);
  void leave_room(std::size_t bytes);
  // Any thread. A longer payload is given up.
  std::size_t payload_bytes_max() const { return payload_bytes_max_.load(std::memory_order_relaxed); }

  // Nothing that was sent before is known to have arrived.
  void connection_changed(bool is_connected);
  // True: it is not sent yet, and it is the only one.
  bool add(OutgoingEvent event);
  bool has(std::string_view topic) const { return outgoing_.has(topic); }
  void answered(const Incoming& message);
  // To a question whether events of the topic are answered.
  void probe_answered(const Incoming& message);
  // The broker refuses the events of a topic that is read here, or does not answer. Its subscribers must be told: no event will come.
  bool is_hindered() const;
  // The topic has another event, the broker answers again, or nobody reads it here any more.
  void not_hindered(std::string_view topic);
  // Something is not sent.
  bool needs_retry() const { return needs_retry_; }
  void tick(Instant now);
  // Receipts of what was not answered: destroyed uncalled, which the hub notices.
  void clear();

  // What follows the inbox's prefix in the subject of an answer, before "NUMBER-EPOCH-CONNECTION": the event's, and with which it was
  // sent.
  static constexpr std::string_view kAnswer = "a.";
  // Then the token of the topic.
  static constexpr std::string_view kProbeAnswer = "a.probe-";
  static constexpr Duration kSendAgainAfter = std::chrono::seconds(5);
  // The broker is expected to answer within this time.
  static constexpr Duration kAnswerWait = std::chrono::seconds(3);
  static constexpr Duration kLookEvery = std::chrono::milliseconds(100);
  // Between two questions whether the broker answers again.
  static constexpr Duration kProbeEvery = std::chrono::seconds(5);

 private:
  bool send(std::uint64_t number, OutgoingEvent& event);
  bool is_impossible(const OutgoingEvent& event, const TopicFeed& feed);
  void finish(OutgoingEvent& event, std::optional<Position> position);
  enum class Hindrance : std::uint8_t { refused, silence };
  void note_hindered(const std::string& topic, Hindrance why, std::string_view reason);
  void suspect(const OutgoingEvent& event);
  // Since when neither an answer to it nor another event of the topic has come, although one should have. Empty: one came after its last
  // attempt, or it was not sent.
  static std::optional<Instant> silent_since(const OutgoingEvent& event, const TopicFeed& feed);
  void review_suspects(Instant now);
  // The event that was not answered is gone, and nobody may publish another one: asks with one that cannot be stored.
  void probe(Instant now);

  const World world_;
  pubsub::PendingRoom in_flight_;
  std::atomic<std::size_t> payload_bytes_max_ = SIZE_MAX;
  Outgoing outgoing_;
  std::string instance_;  // begins the identities of events
  bool is_connected_ = false;
  // Over which everything was sent since connection_changed(). The library's threads tell of a reconnection later than it happens: what
  // was sent over the next connection before that could be stored before what was lost with the last one.
  std::uint64_t connection_ = 0;
  struct Hindered {
    Hindrance why;
    // False: an event was given up before kAnswerWait was over, and no answer has come since `since`.
    bool is_certain = true;
    Instant since{};
    Instant next_probe{};
  };
  std::map<std::string, Hindered, std::less<>> hindered_;  // by topic
  bool needs_retry_ = false;
  Instant scanned_ = kLongAgo;
};

}  // namespace fanfare::relay
