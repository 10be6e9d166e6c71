#pragma once
// A network's subscriptions on one loop, and the delivery of the network's events to them. Loop thread.
//
// At most events_per_turn_max events are sent in one turn of the loop. Sent data is written in between, so that
// readers get time, and a jump by a thousand blocks does not make a subscriber look slow.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "eth/subscription_manager.h"
#include "gateway/client_session.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "pubsub/topic_table.h"
#include "rpc/connection.h"
#include "session/loop_server.h"
#include "upstream/worker.h"

namespace fanfare::gateway {

class LoopEvents;

// Identifies a connection of one loop, as long as the loop runs.
eth::ConnectionKey key_of(const session::Session& session);

// A connection as a subscriber.
class EventSubscriber final : public pubsub::Subscriber {
 public:
  // `ids`: for its subscriptions. Everything must outlive it.
  EventSubscriber(LoopEvents& events, rpc::Connection& connection, eth::IdScope ids)
      : events_(events), connection_(connection), ids_(ids) {}
  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return connection_.session().is_congested(); }

  // The session that its connection continues; null: none. It must outlive its subscriptions.
  void continue_session(ClientSession* client_session) { client_session_ = client_session; }
  const ClientSession* client_session() const { return client_session_; }
  // Meanwhile nothing can be subscribed to: the session would not know of it.
  void await_session(bool awaits) { awaits_session_ = awaits; }
  bool awaits_session() const { return awaits_session_; }
  // An event was missed, and its connection was closed for that.
  bool has_missed() const { return has_missed_; }

 private:
  friend class LoopEvents;
  LoopEvents& events_;
  rpc::Connection& connection_;
  eth::IdScope ids_;
  ClientSession* client_session_ = nullptr;
  bool awaits_session_ = false;
  bool behind_ = false;  // an event made it congested, and it has not drained since
  bool has_missed_ = false;
};

struct EventLimits {
  std::uint32_t subscriptions_per_connection_max = 100;
  std::size_t events_per_turn_max = 32;
  // Filters checked or notified in one turn, for one block's logs: some 10 ms.
  std::size_t filters_per_turn_max = 10'000;
  // In a jump of blocks, readers that are behind get pauses to catch up. A client that does not read can
  // delay the others by the sum of these pauses, and not at all while blocks come at their usual interval.
  Duration pause = std::chrono::milliseconds(100);
  std::uint32_t pauses_max = 50;
};

class LoopEvents {
 public:
  // Everything must outlive this object.
  struct Context {
    Network& network;
    NetworkMetrics& metrics;
    upstream::Worker& worker;
    session::LoopServer& server;
    std::size_t loop_index;
    eth::Salt salt;
    EventSubscriber& (*subscriber_of)(session::Session& session);  // of a session that subscribed here
  };

  LoopEvents(const EventLimits& limits, const Context& context);
  LoopEvents(const LoopEvents&) = delete;
  LoopEvents& operator=(const LoopEvents&) = delete;

  // Takes the source's events, in order, once on each loop. `told`: when the source reported them.
  void publish(Network::Events events, Instant told);
  // As SubscriptionManager::set_subscriptions_max().
  void set_subscriptions_max(std::uint32_t max) { subscriptions_.set_subscriptions_max(max); }
  // The last head published here: answers must not be older.
  std::uint64_t shown_head() const { return shown_head_; }

  // As the functions of SubscriptionManager.
  struct Accepted {
    std::string id;
    eth::SubscriptionType type;
  };
  std::expected<Accepted, eth::RpcError> subscribe(EventSubscriber& subscriber, std::string_view params_json);
  std::size_t subscriptions_of(const EventSubscriber& subscriber) const;
  std::expected<bool, eth::RpcError> unsubscribe(EventSubscriber& subscriber, std::string_view params_json);
  void activate(EventSubscriber& subscriber, const std::string& id);
  // A subscription of a session: its client has read the answer to eth_subscribe.
  void send_missed(EventSubscriber& subscriber, const std::string& id);
  void withdraw(EventSubscriber& subscriber, const std::string& id);

  // Its connection has read everything that was queued: it counts as caught up. Then, after the answers that
  // waited: continues to deliver.
  void caught_up(EventSubscriber& subscriber);
  void drained(EventSubscriber& subscriber);
  // Its connection is closed.
  void drop(EventSubscriber& subscriber);
  // For an operator: adds its subscriptions.
  void describe(const EventSubscriber& subscriber, session::SessionDescription& out) const;

 private:
  friend class EventSubscriber;

  struct PublishedEvents {
    Network::Events events;
    Instant at;
  };
  struct HistoryAnswer {
    eth::ConnectionKey connection = 0;
    std::string id;
    eth::HistoryBatchPtr batch;
  };

  NetworkMetrics& metrics() const { return context_.metrics; }
  void activate(eth::ConnectionKey connection, const std::string& id);
  // Requests what a subscription with a cursor missed, and delivers it at its position among the events.
  void ask_history(eth::SubscriptionManager::Missing missing);
  void enqueue(std::variant<PublishedEvents, HistoryAnswer> next);
  void publish_next();
  void publish_one();
  void event_is_over();
  void pause();
  bool should_pause() const;
  // Continues the event, a part of a block's logs per turn. False: the rest comes in the next turn.
  bool continue_event();
  // Does what the event left to do.
  void settle();
  // Call after anything that changes subscriptions: updates the metrics and the source's interest.
  void subscriptions_changed();
  void count_changes();
  // An event is lost for all subscribers of this loop.
  void lose_event();
  void give_back(eth::ConnectionKey connection);
  void close_all(const std::vector<eth::ConnectionKey>& connections, const std::string& why);

  const EventLimits limits_;
  const Context context_;
  pubsub::TopicTable topics_;
  eth::SubscriptionManager subscriptions_;
  std::deque<std::variant<PublishedEvents, HistoryAnswer>> to_publish_;
  std::size_t published_of_first_ = 0;
  bool is_publishing_ = false;  // an event, of which a part is left
  Duration match_time_{};       // for that event, so far
  std::size_t behind_ = 0;      // connections
  std::uint32_t pauses_ = 0;    // since no connection was behind
  bool paused_ = false;
  bool pause_is_over_ = false;
  Instant last_published_ = kLongAgo;
  net::TimerId pause_timer_;
  std::uint64_t shown_head_ = 0;
  std::array<std::int64_t, eth::kSubscriptionTypes> counted_subscriptions_{};
  eth::SubscriptionManager::Counters counted_;  // already in the metrics
  eth::Interest interest_;
};

}  // namespace fanfare::gateway
