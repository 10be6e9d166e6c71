#pragma once
// pubsub::Relay on NATS JetStream (docs/relay.md). One thread does everything; the library's threads and the callers only
// put tasks into its queue.
//
//   publish() -> queue -> subject of the topic's epoch -> broker -> acknowledgement -> Done
//   consumer of each open topic -> inbox -> queue -> Reader -> the hub
//   read() -> queue -> PastReads -> broker -> inbox -> queue -> PastReads
//
// A stream a topic: its sequence is the topic's offset without gaps, and its limits are the topic's own
// (docs/decisions/0570-a-stream-of-the-broker-for-each-topic.md).

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <functional>
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
#include "relay/connect_plan.h"
#include "relay/counters.h"
#include "relay/direct_get.h"
#include "relay/epoch_notices.h"
#include "relay/link.h"
#include "relay/majority_watch.h"
#include "relay/outgoing.h"
#include "relay/past_reads.h"
#include "relay/publisher.h"
#include "relay/relay_log.h"
#include "relay/topic_feed.h"

namespace fanfare::relay {

class NatsRelay : public pubsub::Relay {
 public:
  // problem_with(options) is empty.
  explicit NatsRelay(NatsOptions options);
  ~NatsRelay() override;

  // Begins to connect. If that is impossible (a file cannot be read), the relay stays down, and start_error() says why.
  void start(pubsub::RelaySink& sink) override;
  void stop() override;
  bool reads_on_demand() const override { return true; }
  void open(std::string_view topic, const pubsub::RelayStart& from) override;
  void close(std::string_view topic, std::uint64_t opening) override;
  void read(std::string_view topic, Position after, std::size_t bytes_max, Read done) override;
  bool publish(std::string_view topic, const SharedBytes& payload, Done done,
               std::optional<Position> after) override;
  bool takes_while_down() const override { return takes_while_down_.load(std::memory_order_relaxed); }
  std::size_t payload_bytes_max() const override { return publisher_.payload_bytes_max(); }
  void want_larger_payloads() override { link_.want_larger_payloads(); }

  // As JetStream::keep_at_least(). One thread.
  void keep_at_least(std::uint64_t messages, std::uint64_t bytes) {
    jet_stream_.keep_at_least(messages, bytes);
  }
  // Why the broker refuses to store what others of this process need; empty: it does not. Meanwhile the relay is down. Any thread.
  void set_refusal(const std::string& reason) { put(Refusal{reason}); }
  std::function<void(const Incoming&)> on_plain;  // messages of Link::subscribe_to(); set before start()
  const std::string& start_error() const { return start_error_; }
  const RelayCounters& counters() const { return counters_; }
  // Something else of this process was found not to be delivered. Any thread.
  void count_stall() { counters_.stalls.fetch_add(1, std::memory_order_relaxed); }
  // For buckets over the same connection. After start().
  Link& link() { return link_; }

  // Messages of consumers that wait for the relay's thread: then the library keeps what comes.
  static constexpr std::size_t kQueueMessagesMax = 8192;
  static constexpr Duration kTick = std::chrono::milliseconds(20);
  static constexpr Duration kTickIdle = std::chrono::milliseconds(100);
  // Topics that are not read at the moment, of which it knows the last event. One more, and that of another topic is forgotten: then it
  // does not notice that the broker has lost events of that topic.
  static constexpr std::size_t kDeliveredMax = 16'384;

 private:
  friend class WithoutThread;  // tests/sim
  struct Open {
    std::string topic;
    pubsub::RelayStart from;
  };
  struct Close {
    std::string topic;
    std::uint64_t opening;
  };
  struct Connection {
    bool is_up;
  };
  struct Closed {};
  struct Refusal {
    std::string reason;
  };
  struct ReadPast {
    std::string topic;
    Position after;
    std::size_t bytes_max;
    Read done;
  };
  using Task =
      std::variant<Open, Close, ReadPast, Connection, Closed, LinkProblem, Refusal, OutgoingEvent, Incoming>;

  // False: it stops.
  bool put(Task task);
  void run();
  std::deque<Task> wait_for_tasks();
  void handle(const Open& task);
  void handle(const Close& task);
  void handle(ReadPast task);
  void handle(Connection task);
  void handle(Closed task);
  void handle(const LinkProblem& problem);
  void handle(Refusal task);
  void handle(OutgoingEvent event);
  void handle(const Incoming& message);
  void handle_delivery(const Incoming& message);
  void handle_plain(const Incoming& message);
  void note_connected();
  void handle_info(const Incoming& message);
  void handle_stream_state(const Incoming& message);
  void tick();
  void tick_link(Instant now);
  void tick_topics(Instant now);
  void note_health();
  TopicFeed* feed_of(std::string_view topic);
  void stop_reading(TopicFeed& feed, const std::string& topic);
  // Makes it, if there is none. Null: the topic's name is too long.
  TopicFeed* feed_for(const std::string& topic);
  void count_topics();

  const NatsOptions options_;
  std::string start_error_;
  RelayCounters counters_;
  pubsub::RelaySink* sink_ = nullptr;

  std::mutex mutex_;  // guards what follows
  std::condition_variable has_tasks_;
  std::condition_variable has_room_;
  std::deque<Task> tasks_;
  bool stopping_ = false;

  // The relay's thread:
  RelayLog log_{options_};
  SystemRandom random_;
  Link link_;
  JetStream jet_stream_{link_, options_};
  std::unique_ptr<TopicFeed::World> world_;                               // before feeds_, which refer to it
  std::map<std::string, std::unique_ptr<TopicFeed>, std::less<>> feeds_;  // by the topic's name
  std::map<std::string, TopicFeed*, std::less<>> by_stream_;              // by the stream's name
  std::map<std::string, Mark> delivered_;                                 // of topics that were read before
  EpochNotices epoch_notices_{link_, options_.name};
  Publisher publisher_;
  DirectGet direct_get_{link_, jet_stream_, options_};
  PastReads past_reads_{direct_get_.broker()};
  bool is_connected_ = false;
  std::atomic<bool> takes_while_down_ = false;
  std::string refusal_;  // of set_refusal()
  MajorityWatch majority_;
  ConnectPlan connects_{saturating_duration(options_.reconnect_wait)};
  std::thread thread_;
};

}  // namespace fanfare::relay
