#pragma once
// The presence of topics over all instances, on NATS JetStream (docs/relay.md). A connection and a thread of its own, from the first topic
// on: a broker that is slow to store events does not make an instance look dead.
//
//   change() -> queue -> TopicPresence -> records at the broker -> RecordFeed of each instance -> TopicPresence -> report()

#include <condition_variable>
#include <cstdint>
#include <deque>
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
#include "pubsub/relayed_presence.h"
#include "relay/connect_plan.h"
#include "relay/link.h"
#include "relay/presence/nats_broker.h"
#include "relay/presence/peers.h"
#include "relay/presence/record_feed.h"
#include "relay/presence/topic_presence.h"

namespace fanfare::relay {

class NatsPresence final : public pubsub::RelayedPresence {
 public:
  // `on_stall`: the broker does not deliver the records of a topic. On the thread of presence.
  NatsPresence(NatsOptions options, std::function<void()> on_stall);
  NatsPresence(const NatsPresence&) = delete;
  NatsPresence& operator=(const NatsPresence&) = delete;
  ~NatsPresence() { stop(); }

  // Nothing is done before.
  void start();
  // No report is under way when it returns, and none follows. It says no goodbye: clients have until the silence is noticed to come back
  // at another instance.
  void stop();

  void watch(std::string_view topic, std::uint64_t id, pubsub::RelayedPresenceSetup setup) override;
  void change(std::string_view topic, std::uint64_t id, PresenceChange change) override;
  void unwatch(std::string_view topic, std::uint64_t id) override;

  // Messages of the broker that wait for the thread: then the library keeps what comes.
  static constexpr std::size_t kQueueMessagesMax = 8192;

 private:
  struct Watch {
    std::string topic;
    std::uint64_t id;
    pubsub::RelayedPresenceSetup setup;
  };
  struct Change {
    std::string topic;
    std::uint64_t id;
    PresenceChange change;
  };
  struct Unwatch {
    std::string topic;
    std::uint64_t id;
  };
  struct Connection {
    bool is_up;
  };
  struct Closed {};
  using Task = std::variant<Watch, Change, Unwatch, Connection, Closed, Incoming>;
  struct Watched {
    std::uint64_t id = 0;
    std::unique_ptr<TopicPresence> presence;
    std::unique_ptr<RecordFeed> feed;
    bool is_removed = false;
  };

  void put(Task task);
  void run();
  std::deque<Task> wait_for_tasks(Instant due);
  void handle(Watch& task);
  void handle(Change& task);
  void handle(Unwatch& task);
  void handle(Connection& task);
  void handle(Closed& task);
  void handle(Incoming& message);
  void handle_alive(std::string_view text);
  // What is due. Returns when more is.
  Instant advance();
  void say_alive(Instant now);
  // False: the broker did not answer.
  bool advance(Watched& one, Instant now);
  void close_what_is_over();
  Watched* find(const std::string& topic, std::uint64_t id);

  const NatsOptions options_;
  SystemRandom random_;
  const std::uint64_t instance_ = random_.next_u64();
  Link link_;
  NatsPresenceBroker broker_{link_, options_};
  Peers peers_{instance_};

  std::mutex mutex_;  // guards what follows
  std::condition_variable has_tasks_;
  std::condition_variable has_room_;
  std::deque<Task> tasks_;
  bool may_run_ = false;
  bool stopping_ = false;
  std::thread thread_;

  // The thread's:
  RecordFeed::World feeds_world_{.broker = broker_, .link = link_, .on_stall = {}, .heartbeat = {}};
  std::map<std::string, Watched, std::less<>> watched_;
  Subscribed alive_{nullptr, [](void*) {}};
  bool is_connected_ = false;
  ConnectPlan connects_{saturating_duration(options_.reconnect_wait)};
};

}  // namespace fanfare::relay
