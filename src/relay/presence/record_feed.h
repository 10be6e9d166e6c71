#pragma once
// Reads the records of one topic's presence from the broker, in order, by a consumer that is made again where it stopped. On the thread of
// presence.
//
//   lost      no consumer: the next attempt is due at next_attempt_
//   reading   a consumer delivers; its signs of life are watched

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "base/time.h"
#include "relay/delivery_watch.h"
#include "relay/link.h"
#include "relay/names.h"
#include "relay/presence/nats_broker.h"
#include "relay/presence/topic_presence.h"

namespace fanfare::relay {

class RecordFeed {
 public:
  struct World {
    NatsPresenceBroker& broker;
    Link& link;
    std::function<void()> on_stall;
    Duration heartbeat;
    std::uint64_t next_consumer = 0;
  };
  // Both outlive this.
  RecordFeed(World& world, std::string topic, TopicPresence& presence)
      : world_(world), topic_(std::move(topic)), presence_(presence) {}

  // The records are wanted, from the first one on; or no more.
  void start();
  void stop();
  bool is_started() const { return is_started_; }
  // Another consumer goes on where this one stopped; or reads all records again.
  void restart();
  void reload();

  void on_message(const Incoming& message, const Delivery& delivery, Instant now);
  void on_sign_of_life(const Incoming& message, Instant now);
  // The broker has acknowledged this record, so it must come.
  void stored(std::uint64_t sequence, Instant now);
  // Attempts what is due. False: the broker did not answer.
  bool tick(Instant now);
  // When tick() has something to do, if nothing else happens.
  Instant due() const;

  const std::string& consumer() const { return consumer_; }
  const std::string& deliver_to() const { return deliver_to_; }

  static constexpr int kHeartbeatsMissedMax = 3;
  static constexpr Duration kAttemptWait = std::chrono::milliseconds(200);

 private:
  std::expected<void, std::string> attempt(Instant now);
  // Whether the stream is another one, or has lost records that were read here. Then it may have given their places to others.
  std::expected<bool, std::string> is_replaced(const OpenedStream& records);
  // Whether what was acknowledged is delivered. False: the broker did not answer.
  bool watch_delivery(Instant now);
  std::expected<bool, std::string> stands_still();
  void begin_with_the_first();
  void forget_consumer();

  World& world_;
  const std::string topic_;
  TopicPresence& presence_;
  bool is_started_ = false;
  std::int64_t created_ = 0;  // of the stream; zero: unknown
  std::uint64_t next_ = 1;
  std::uint64_t time_ = 0;  // of the record before next_ (Delivery::time); zero: unknown
  DeliveryWatch watch_;
  std::string consumer_;
  std::string deliver_to_;
  Subscribed subscription_{nullptr, [](void*) {}};
  std::uint64_t delivered_ = 0;  // by this consumer
  std::uint64_t pending_ = 0;    // when it began
  Instant heard_{};
  Instant next_attempt_{};
  std::string problem_;
};

}  // namespace fanfare::relay
