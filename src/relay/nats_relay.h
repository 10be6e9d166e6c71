#pragma once
// pubsub::Relay on NATS JetStream (docs/scaling.md). One thread does everything; the library's threads and the callers only
// put tasks into its queue.
//
//   publish() -> queue -> subject of the topic's epoch -> broker -> acknowledgement -> Done
//   consumer of each open topic -> inbox -> queue -> Reader -> the hub
//
// A stream a topic: its sequence is the topic's offset without gaps, and its limits are the topic's own
// (docs/decisions/0570-a-stream-of-the-broker-for-each-topic.md).

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <variant>

#include "base/random.h"
#include "fanfare/nats.h"
#include "pubsub/relay.h"
#include "relay/link.h"
#include "relay/outgoing.h"
#include "relay/topic_feed.h"

namespace fanfare::relay {

// What is invalid in them; empty: nothing.
std::string problem_with(const NatsOptions& options);

// Totals since the start; "now" marks current values. Any thread.
struct RelayCounters {
  std::atomic<bool> is_up = false;            // now
  std::atomic<std::size_t> topics = 0;        // now, open
  std::atomic<std::size_t> in_flight = 0;     // now, events
  std::atomic<std::uint64_t> published = 0;   // acknowledged
  std::atomic<std::uint64_t> received = 0;    // messages of consumers
  std::atomic<std::uint64_t> refused = 0;     // publish() returned false
  std::atomic<std::uint64_t> given_up = 0;    // accepted, with an empty receipt
  std::atomic<std::uint64_t> repeated = 0;    // sent again
  std::atomic<std::uint64_t> times_down = 0;  // became unreachable
};

class NatsRelay final : public pubsub::Relay {
 public:
  // problem_with(options) is empty.
  explicit NatsRelay(NatsOptions options);
  ~NatsRelay() override;

  // Begins to connect. If that is impossible (a file cannot be read), the relay stays down, and start_error() says why.
  void start(pubsub::RelaySink& sink) override;
  void stop() override;
  void open(std::string_view topic) override;
  void close(std::string_view topic) override;
  bool publish(std::string_view topic, const SharedBytes& payload, Done done,
               std::optional<Position> after) override;
  bool keeps_while_down() const override { return options_.when_down == WhenRelayDown::keep; }

  const std::string& start_error() const { return start_error_; }
  const RelayCounters& counters() const { return counters_; }
  // For buckets over the same connection. After start().
  Link& link() { return link_; }

  // Messages of consumers that wait for the relay's thread: then the library keeps what comes.
  static constexpr std::size_t kQueueMessagesMax = 8192;
  static constexpr Duration kSendAgainAfter = std::chrono::seconds(5);
  static constexpr Duration kTick = std::chrono::milliseconds(20);
  static constexpr Duration kTickIdle = std::chrono::milliseconds(100);

 private:
  struct Open {
    std::string topic;
  };
  struct Close {
    std::string topic;
  };
  struct Connection {
    bool is_up;
  };
  using Task = std::variant<Open, Close, Connection, OutgoingEvent, Incoming>;

  void put(Task task);
  void run();
  std::deque<Task> wait_for_tasks();
  void handle(Open task);
  void handle(const Close& task);
  void handle(Connection task);
  void handle(OutgoingEvent event);
  void handle(const Incoming& message);
  void handle_delivery(const Incoming& message);
  void handle_acknowledgement(const Incoming& message, std::uint64_t number);
  void tick();
  void tick_topics(Instant now);
  void tick_outgoing(Instant now);
  void send(std::uint64_t number, OutgoingEvent& event);
  void finish(OutgoingEvent& event, std::optional<Position> position);
  void note_health();
  TopicFeed* feed_of(std::string_view topic);

  const NatsOptions options_;
  std::string start_error_;
  RelayCounters counters_;
  pubsub::RelaySink* sink_ = nullptr;

  std::mutex mutex_;  // guards what follows
  std::condition_variable has_tasks_;
  std::condition_variable has_room_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::size_t in_flight_messages_ = 0;
  std::size_t in_flight_bytes_ = 0;

  // The relay's thread:
  SystemRandom random_;
  Link link_;
  JetStream jet_stream_{link_, options_};
  std::unique_ptr<TopicFeed::World> world_;                               // before feeds_, which refer to it
  std::map<std::string, std::unique_ptr<TopicFeed>, std::less<>> feeds_;  // by the topic's name
  std::map<std::string, TopicFeed*, std::less<>> by_stream_;              // by the stream's name
  Outgoing outgoing_;
  std::string instance_;  // begins the identities of events
  bool is_connected_ = false;
  bool needs_retry_ = false;  // something is not sent
  Instant scanned_{};
  std::thread thread_;
};

}  // namespace fanfare::relay
