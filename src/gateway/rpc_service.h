#pragma once
// JSON-RPC of one network on one loop: requests over WebSocket and HTTP, subscriptions over WebSocket. Calls
// for the node go to the worker's thread, and answers come back through the loop's mailbox.
//
// A connection's messages are answered in the order in which the answers come. Up to requests_in_flight_max
// may be in flight; beyond that the connection is not read until some are answered.

#include <array>
#include <cstdint>
#include <deque>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/byte_budget.h"
#include "eth/subscription_manager.h"
#include "fanfare/unique_function.h"
#include "gateway/answer_compressor.h"
#include "gateway/forward.h"
#include "gateway/method_rules.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "http/accept_encoding.h"
#include "jsonrpc/request.h"
#include "pubsub/topic_table.h"
#include "session/loop_server.h"
#include "session/server_session.h"

namespace fanfare::gateway {

class RpcService;

// Identifies a connection of one loop, as long as the loop runs.
eth::ConnectionKey key_of(const session::Session& session);

// One of the network's connection slots, held during the lifetime of this object.
class ConnectionSlot {
 public:
  explicit ConnectionSlot(Network& network) : network_(&network) {}
  ConnectionSlot(ConnectionSlot&& other) noexcept : network_(std::exchange(other.network_, nullptr)) {}
  ConnectionSlot& operator=(ConnectionSlot&&) = delete;
  ConnectionSlot(const ConnectionSlot&) = delete;
  ConnectionSlot& operator=(const ConnectionSlot&) = delete;
  ~ConnectionSlot() {
    if (network_ != nullptr) network_->release_connection();
  }

 private:
  Network* network_;
};

// The sender of an HTTP request, as far as the site determined it.
struct HttpCaller {
  bool developer = false;  // may use the developer methods (method_rules.h), if the nodes are local
  http::AcceptedCoding coding = {};
};

// The service's data for a session.
class RpcConnection final : public session::SessionData, public pubsub::Subscriber {
 public:
  // `developer`: as in HttpCaller. `ids`: for its subscriptions.
  RpcConnection(RpcService& service, ConnectionSlot slot, bool developer, eth::IdScope ids);
  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return session_->is_congested(); }

 private:
  friend class RpcService;
  RpcService& service_;
  ConnectionSlot slot_;
  bool developer_;
  eth::IdScope ids_;
  std::shared_ptr<ByteShare> share_;  // the memory share for its requests and answers
  std::vector<ByteHold> unsent_;      // for answers that wait in its outbox
  session::Session* session_ = nullptr;
  std::uint32_t in_flight_ = 0;
  bool behind_ = false;                        // an event made it congested, and it has not drained since
  std::uint32_t notifications_behind_ = 0;     // since it became congested
  std::optional<CloseReason> closed_because_;  // set if the service closes it for a reason of its own
  // While it is congested: the bytes queued since then, the bytes it has accepted of them, and when it last
  // accepted more.
  bool watched_ = false;
  std::size_t queued_ = 0;
  std::size_t taken_ = 0;
  Instant taken_at_{};
};

struct RpcLimits {
  std::uint32_t subscriptions_per_connection_max = 100;
  // Notifications to a connection since it became congested, without catching up once: one more closes it
  // with 1013.
  std::uint32_t notifications_behind_max = 65'536;
  // A congested connection without progress for this long is closed with 1013. Checked four times as often.
  Duration slow_timeout = std::chrono::seconds(10);
  std::uint32_t requests_in_flight_max = 256;       // of one connection; each element of a batch counts
  std::uint32_t batch_items_max = 1000;             // a longer batch is rejected as a whole: -32600
  std::size_t batch_answer_bytes_max = 25'000'000;  // answers beyond it become -32003, as in go-ethereum
  std::size_t held_bytes_per_connection_max = 256 << 20;  // of requests in progress and their answers: -32005
  std::size_t events_per_turn_max = 32;
  // Filters checked or notified in one turn, for one block's logs: some 10 ms.
  std::size_t filters_per_turn_max = 10'000;
  // In a jump of blocks, readers that are behind get pauses to catch up. A client that does not read can
  // delay the others by the sum of these pauses, and not at all while blocks come at their usual interval.
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
    ByteBudget& budget;  // the memory for all clients' requests in progress and their answers
    AnswerCompressor& compressor;
  };

  // Loop thread. Everything in the context must outlive the service.
  RpcService(const session::SessionSettings& settings, RpcLimits limits, Context context);

  // Answers a POST: session.respond(), now or later.
  void handle_http(session::ServerSession& session, std::string_view body, HttpCaller caller);

  // Takes the source's events, in order, once on each loop. At most events_per_turn_max are sent in one turn
  // of the loop. Sent data is written in between, so that readers get time, and a jump by a thousand blocks
  // does not make a subscriber look slow. `told`: when the source reported them.
  void publish(Network::Events events, Instant told);

  // An event made the connection congested. `first`: it was not behind before.
  void fell_behind(session::Session& session, bool first);

  Network& network() const { return context_.network; }
  NetworkMetrics& metrics() const { return context_.metrics; }
  const RpcLimits& limits() const { return limits_; }
  // For a new client.
  std::shared_ptr<ByteShare> make_share() const {
    return std::make_shared<ByteShare>(context_.budget, limits_.held_bytes_per_connection_max);
  }

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_upgrade_refused(int status) override;
  void on_turn_share_spent(session::Session& session) override;
  void on_drained(session::Session& session) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

 private:
  // A subscription to activate once the answer is queued.
  struct Subscribed {
    std::string id;
    std::size_t item = 0;  // the item of the job with the answer
    eth::SubscriptionType type{};
    // Answered only when everything new will be reported: earlier events cannot be recovered.
    bool waits = false;
    bool needs_chain = false;  // answered only when the chain is followed
    bool activates_later =
        false;  // not in the same moment as the answer: web3.js would lose what comes with it
  };
  struct Incoming {
    ForwardJob job;
    std::vector<Subscribed> subscribed;
    std::uint32_t open = 0;        // requests for the node
    eth::SubscriptionTypes waits;  // types of those of `subscribed` that have `waits` set
    bool needs_chain = false;      // one of `subscribed` has `needs_chain` set
    std::string client;            // the owner of filters; see FilterCalls::client_of()
    bool has_filters = false;
  };
  struct Answered {
    std::string text;
    std::vector<Subscribed> subscribed;
    std::vector<Subscribed> refused;  // rejected after they were accepted
    ByteHold hold;                    // until it has been sent
    std::uint32_t open = 0;           // requests that end their flight once it is queued
  };

  struct PendingRequest;

  struct PublishedEvents {
    Network::Events events;
    Instant at;
  };
  struct HistoryAnswer {
    eth::ConnectionKey connection = 0;
    std::string id;
    eth::HistoryBatchPtr batch;
  };

  // `session` null: over HTTP. The error is the answer to the whole text.
  std::expected<Incoming, std::string> read(std::string_view text, session::Session* session, bool developer,
                                            std::shared_ptr<ByteShare> share);
  void handle_message(session::Session& session, std::string_view text);
  // True: the request must not be executed, and `answer` has the error.
  bool is_refused(const jsonrpc::Request& request, bool developer, std::string& answer);
  void set_caller(Incoming& incoming, const session::ServerSession& session);
  bool answer_here(const jsonrpc::Request& request, session::Session* session, Incoming& incoming,
                   std::string& answer);
  void subscribe(const jsonrpc::Request& request, session::Session& session, Incoming& incoming,
                 std::string& answer);
  void unsubscribe(const jsonrpc::Request& request, session::Session& session, std::string& answer);
  // `done_on_loop` runs once in any case, unless the server stops.
  std::shared_ptr<PendingRequest> pending_request(Incoming incoming,
                                                  UniqueFunction<void(Answered)> done_on_loop);
  void send_to_node(std::shared_ptr<PendingRequest> pending_request);
  // Queues an answer, or keeps it while the client has enough to read: the server's own answers must not
  // cause it to close the connection.
  void reply(session::Session& session, Answered answered);
  void send_answer(session::Session& session, Answered answered);
  void send_waiting(session::Session& session);
  // Reads from the client, or pauses reading while it has too much in flight.
  void update_reading(session::Session& session);
  // Watches a connection from when it becomes congested until it has drained.
  void watch(session::Session& session);
  void unwatch(session::Session& session);
  void check_watched();
  void respond(session::ServerSession& session, const HttpCaller& caller, Answered answered);
  void activate(eth::ConnectionKey connection, const std::string& id);
  // Requests what a subscription with a cursor missed, and delivers it at its position among the events.
  void ask_history(eth::SubscriptionManager::Missing missing);
  void enqueue(std::variant<PublishedEvents, HistoryAnswer> next);
  void publish_next();
  void publish_one();
  void event_is_over();
  void pause();
  bool should_pause() const;
  void caught_up(RpcConnection& connection);
  // Continues the event, a part of a block's logs per turn. False: the rest comes in the next turn.
  bool continue_event();
  // Does what the event left to do.
  void settle();
  // Call after anything that changes subscriptions: updates the metrics and the source's interest.
  void subscriptions_changed();
  void count_changes();
  // An event is lost for all subscribers of this loop.
  void lose_event();
  void close_all(const std::vector<eth::ConnectionKey>& connections, const std::string& why);

  RpcLimits limits_;
  Context context_;
  jsonrpc::Parser parser_;
  MethodRules methods_;
  bool local_nodes_;  // all of the network's nodes are on this machine
  pubsub::TopicTable topics_;
  eth::SubscriptionManager subscriptions_;
  std::deque<std::variant<PublishedEvents, HistoryAnswer>> to_publish_;
  std::size_t published_of_first_ = 0;
  std::unordered_map<eth::ConnectionKey, std::deque<Answered>> waiting_;  // until their client reads
  std::vector<eth::ConnectionKey> watched_;
  net::TimerId watch_timer_;
  bool is_publishing_ = false;  // an event, of which a part is left
  Duration match_time_{};       // for that event, so far
  std::size_t behind_ = 0;      // connections
  std::uint32_t pauses_ = 0;    // since no connection was behind
  bool paused_ = false;
  bool pause_is_over_ = false;
  Instant last_published_{};
  net::TimerId pause_timer_;
  std::uint64_t shown_head_ = 0;  // the last head published here: answers must not be older
  std::array<std::int64_t, eth::kSubscriptionTypes> counted_subscriptions_{};
  eth::SubscriptionManager::Counters counted_;  // already in the metrics
  eth::Interest interest_;
};

}  // namespace fanfare::gateway
