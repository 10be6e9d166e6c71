#pragma once
// JSON-RPC of one network on one loop: requests over WebSocket and over HTTP, subscriptions over WebSocket.
// What needs the node goes to the worker's thread and comes back by the loop's mailbox.
//
// A connection's messages are answered in whatever order the answers come; requests_in_flight_max of them may
// be under way, and past that the connection is not read until some have been answered.

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "eth/subscription_manager.h"
#include "fanfare/unique_function.h"
#include "gateway/forward.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "jsonrpc/request.h"
#include "pubsub/topic_table.h"
#include "session/loop_server.h"
#include "session/server_session.h"

namespace fanfare::gateway {

class RpcService;

// One place among the network's connections, held as long as this lives.
class ConnectionPlace {
 public:
  explicit ConnectionPlace(Network& network) : network_(&network) {}
  ConnectionPlace(ConnectionPlace&& other) noexcept : network_(std::exchange(other.network_, nullptr)) {}
  ConnectionPlace& operator=(ConnectionPlace&&) = delete;
  ConnectionPlace(const ConnectionPlace&) = delete;
  ConnectionPlace& operator=(const ConnectionPlace&) = delete;
  ~ConnectionPlace() {
    if (network_ != nullptr) network_->release_connection();
  }

 private:
  Network* network_;
};

// What the service keeps with a session.
class RpcConnection final : public session::SessionData, public pubsub::Subscriber {
 public:
  RpcConnection(RpcService& service, ConnectionPlace place) : service_(service), place_(std::move(place)) {}
  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return session_->is_congested(); }

 private:
  friend class RpcService;
  RpcService& service_;
  ConnectionPlace place_;
  session::Session* session_ = nullptr;
  std::uint32_t in_flight_ = 0;
  bool behind_ = false;                     // an event made it congested, and it has not drained since
  std::uint32_t notifications_behind_ = 0;  // since it became congested
  bool is_too_slow_ = false;
};

struct RpcLimits {
  std::uint32_t subscriptions_per_connection_max = 100;
  // Sent to a connection since it became congested, without once catching up: one more closes it with 1013.
  std::uint32_t notifications_behind_max = 16'384;
  std::uint32_t requests_in_flight_max = 256;  // of one connection, the elements of batches counted
  std::size_t events_per_turn_max = 32;
  // Filters that are looked at or told in one turn, of one block's logs: some 10 ms.
  std::size_t filters_per_turn_max = 10'000;
  // In a jump of blocks those who read but are behind get time. One who does not read delays the others by
  // all these pauses at most, and not at all while blocks come at their usual pace.
  Duration pause = std::chrono::milliseconds(100);
  std::uint32_t pauses_max = 50;
};

class RpcService final : public session::Endpoint {
 public:
  struct Context {
    Network& network;
    NetworkMetrics& metrics;
    upstream::Worker& worker;
    session::LoopServer& server;
    std::size_t loop_index;
    eth::Salt salt;
  };

  // Loop thread. Everything in the context outlives the service.
  RpcService(const session::SessionSettings& settings, RpcLimits limits, Context context);

  // Answers a POST: session.respond(), now or later.
  void handle_http(session::ServerSession& session, std::string_view body);

  // What the network's source has seen, in order, once on each loop. At most events_per_turn_max go out in
  // one turn of the loop: what is sent is written in between, and who reads gets the time to, so that a jump
  // by a thousand blocks is no reason to take a subscriber for a slow one.
  // `told`: when the source did.
  void publish(Network::Events events, Instant told);

  // One more connection has been sent more than it reads.
  void fell_behind() { ++behind_; }

  Network& network() const { return context_.network; }
  NetworkMetrics& metrics() const { return context_.metrics; }
  const RpcLimits& limits() const { return limits_; }

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_upgrade_refused(int status) override;
  void on_turn_share_spent(session::Session& session) override;
  void on_drained(session::Session& session) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

 private:
  // To be activated once the answer is queued.
  struct Subscribed {
    std::string id;
    std::size_t item = 0;  // of the job, with the answer
    // Answered only when the network listens to the nodes' pools: nothing brings back what came before.
    bool waits = false;
    bool needs_chain = false;  // answered only when the chain is followed
    bool activates_later =
        false;  // not in the same moment as the answer: web3.js would lose what comes with it
  };
  struct Incoming {
    ForwardJob job;
    std::vector<Subscribed> subscribed;
    std::uint32_t open = 0;    // requests that need the node
    bool waits = false;        // one of `subscribed` does
    bool needs_chain = false;  // likewise
    std::string client;        // who calls for filters; see FilterCalls::client_of()
    bool has_filters = false;
  };
  struct Answered {
    std::string text;
    std::vector<Subscribed> subscribed;
    std::vector<Subscribed> refused;  // after all
  };

  struct Question;

  struct Told {
    Network::Events events;
    Instant at;
  };
  struct HistoryAnswer {
    eth::ConnectionKey connection = 0;
    std::string id;
    eth::HistoryBatchPtr batch;
  };

  // `session` null: over HTTP. The error is the answer to the whole text.
  std::expected<Incoming, std::string> read(std::string_view text, session::Session* session);
  bool answer_here(const jsonrpc::Request& request, session::Session* session, Incoming& incoming,
                   std::string& answer);
  void subscribe(const jsonrpc::Request& request, session::Session& session, Incoming& incoming,
                 std::string& answer);
  void unsubscribe(const jsonrpc::Request& request, session::Session& session, std::string& answer);
  void send_to_node(Incoming incoming, UniqueFunction<void(Answered)> done_on_loop);
  void reply(session::Session& session, const Answered& answered);
  void activate(eth::ConnectionKey connection, const std::string& id);
  // What a subscription with a cursor missed: asked for, and delivered in its place among the events.
  void ask_history(eth::SubscriptionManager::Missing missing);
  void enqueue(std::variant<Told, HistoryAnswer> next);
  void publish_next();
  void publish_one();
  void event_is_over();
  void pause();
  bool should_pause() const;
  void caught_up(RpcConnection& connection);
  void publish(const eth::SourceEvent& event);
  void publish_block(const eth::BlockAdded& block);
  // A block's logs, a part each turn. The event is over when they are all out.
  void begin_logs(const eth::HeaderPtr& header, const eth::BlockLogsPtr& logs, bool removed);
  bool continue_logs();
  void end_logs();
  // Told to who has a word for it; the others' connections end.
  void miss_receipts(const eth::SubscriptionManager::Range& blocks);
  // After anything that changes who is subscribed to what: the metrics, and the source's interest.
  void subscriptions_changed();
  void count_changes();
  void rewind();
  // The connections of those without cursors end.
  void close_subscribers(eth::SubscriptionType type, const std::string& what_was_missed);
  void close_all(const std::vector<eth::ConnectionKey>& connections, const std::string& why);

  RpcLimits limits_;
  Context context_;
  jsonrpc::Parser parser_;
  pubsub::TopicTable topics_;
  eth::SubscriptionManager subscriptions_;
  std::deque<std::variant<Told, HistoryAnswer>> to_publish_;
  std::size_t published_of_first_ = 0;
  std::optional<eth::SubscriptionManager::LogsPass> logs_pass_;  // of the event that is being published
  Duration match_time_{};                                        // of it, so far
  std::vector<std::pair<eth::ConnectionKey, std::string>> activate_later_;  // when it is over
  std::size_t behind_ = 0;                                                  // connections
  std::uint32_t pauses_ = 0;                                                // since nobody was
  bool paused_ = false;
  bool pause_is_over_ = false;
  Instant last_published_{};
  net::TimerId pause_timer_;
  std::uint64_t shown_head_ = 0;  // the last head published here: answers must not be older
  std::array<std::int64_t, eth::kSubscriptionTypes> counted_subscriptions_{};
  eth::SubscriptionManager::Counters counted_;  // in the metrics already
  eth::Interest interest_;
};

}  // namespace fanfare::gateway
