#pragma once
// One open topic: its stream, the consumer that reads it, and what the hub has no room for yet. On the relay's thread.
//
//   lost      nothing is known: the next attempt is due at next_attempt_
//   known     the stream's epoch is known, which is enough to publish: nobody wants the events here
//   reading   a consumer delivers; its signs of life are watched
//   paused    the hub is full: the consumer was ended, and begins again behind what is held

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>

#include "base/random.h"
#include "base/time.h"
#include "pubsub/relay.h"
#include "relay/counters.h"
#include "relay/delivery_watch.h"
#include "relay/jet_stream.h"
#include "relay/reader.h"
#include "relay/topic_look.h"

namespace fanfare::relay {

class TopicFeed {
 public:
  struct World {
    JetStream& jet_stream;
    Link& link;
    pubsub::RelaySink& sink;
    Random& random;
    RelayCounters& counters;
    Duration heartbeat;
    std::uint64_t next_consumer = 0;
  };

  TopicFeed(World& world, std::string topic, StreamAddress address);

  // The events are wanted from there on, or behind what is known to have been delivered before, if that is later. Not while they are.
  void start_reading(const pubsub::RelayStart& from, const std::optional<Mark>& delivered = {});
  void stop_reading();
  bool is_read() const { return is_read_; }
  // Of the last start_reading(); zero: there was none.
  std::uint64_t opening() const { return opening_; }
  // Whether events can be published; and, if they are wanted, whether a consumer delivers, or would if the hub had room. Not while the
  // stream is known to stand still.
  bool is_ready() const { return state_ != State::lost && !watch_.is_still(); }
  // And everything that the stream had when its consumer began has been delivered.
  bool is_current() const { return is_ready() && (!is_read_ || (has_caught_up() && held_.empty())); }
  // And the broker still has the last event that was delivered here: before that is known, nothing may be published behind it.
  bool may_publish() const { return is_ready() && !(is_read_ && reader_.is_checking()); }
  // Up to where the hub has taken the events since start_reading().
  const std::optional<Mark>& delivered() const { return delivered_; }
  const std::string& topic() const { return topic_; }
  // When the last event came.
  Instant last_came() const { return last_came_; }
  // Zero: unknown.
  std::uint64_t epoch() const { return epoch_; }
  const StreamAddress& address() const { return address_; }
  const std::string& consumer() const { return consumer_; }
  // What follows the inbox's prefix in the subject to which the consumer delivers.
  const std::string& deliver_to() const { return deliver_to_; }

  // The connection is gone, or something about the stream has changed: makes a new consumer, at once if it may.
  void restart();
  void on_message(const Incoming& message, const Delivery& delivery, Instant now);
  void on_sign_of_life(const Incoming& message, Instant now);
  // Another instance says that the topic has this epoch by now: the broker is asked with the next tick.
  void hear_of(std::uint64_t epoch);
  // The broker has stored this event: if it is wanted here, it must come. Otherwise the broker is asked for it some time later.
  void acknowledged(const Position& position, Instant now);
  // Attempts, retries and watches what is due. False: an attempt has failed now.
  bool tick(Instant now);

  // Of events that wait for room in the hub. One more pauses the consumer.
  static constexpr std::size_t kHeldMax = 256;
  static constexpr int kHeartbeatsMissedMax = 3;
  // Between two questions about a topic of which nothing comes, or in which nobody here reads what was published: so many at most, and
  // half of them at least.
  static constexpr int kHeartbeatsBetweenLooks = 30;
  static constexpr Duration kAttemptWaitMin = std::chrono::milliseconds(100);
  static constexpr Duration kAttemptWaitMax = std::chrono::seconds(5);

 private:
  enum class State : std::uint8_t { lost, known, reading, paused };
  struct Held {
    Mark mark;
    SharedBytes payload;
    bool is_lost = false;  // everything up to there
    bool is_foreign = false;
  };

  std::expected<void, std::string> attempt(Instant now);
  // Another epoch, because the broker has lost events; or the one that another instance has begun meanwhile.
  std::expected<StreamState, std::string> end_epoch(const StreamState& state, std::uint64_t other);
  std::expected<void, std::string> begin_consumer(const StreamState& state, std::uint64_t recent_max,
                                                  Instant now);
  // Whether what the stream has is delivered. False: the broker does not answer.
  bool watch_delivery(Instant now);
  std::expected<bool, std::string> stands_still();
  // Whether the broker has more than what has come, or less than what was published: neither shows here by itself.
  bool look(Instant now);
  bool look_for_more(Instant now);
  bool look_for_published();
  void plan_look(Instant now);
  // The event was deleted at the broker, with all that have not come before it: they are lost. False: that is not so.
  std::expected<bool, std::string> pass_deleted(std::uint64_t sequence);
  // The event with which the consumer should have begun does not come.
  bool end_checking();
  bool has_caught_up() const { return !reader_.is_checking() && reader_.next() > catch_up_to_; }
  void note_current();
  void offer_lost();
  void offer(Held held);
  void offer_held();
  void forget_consumer();

  World& world_;
  const std::string topic_;
  const StreamAddress address_;
  std::string deliver_to_;
  Subscribed subscription_{nullptr, [](void*) {}};
  State state_ = State::lost;
  bool is_read_ = false;
  bool is_opening_ = false;  // no consumer has begun since start_reading()
  bool is_told_current_ = false;
  std::uint64_t recent_max_ = UINT64_MAX;
  std::uint64_t opening_ = 0;
  std::uint64_t epoch_ = 0;
  Reader reader_;
  DeliveryWatch watch_;
  std::optional<Mark> delivered_;
  std::uint64_t catch_up_to_ = 0;  // the end of the stream when the consumer began
  std::string consumer_;
  // Not offered yet: what is lost grows until an event follows, or the stream's end, so that subscribers are told once.
  std::optional<Position> lost_;
  std::string problem_;  // why the last attempt failed
  std::deque<Held> held_;
  Instant heard_{};
  Instant began_{};  // the consumer
  Instant last_came_{};
  TopicLook look_;
  std::uint64_t seen_ = 0;  // that was published, by the last look
  Instant next_attempt_{};
  Duration attempt_wait_ = kAttemptWaitMin;
};

}  // namespace fanfare::relay
