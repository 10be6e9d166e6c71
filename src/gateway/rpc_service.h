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

// Names a connection of one loop, for as long as the loop runs.
eth::ConnectionKey key_of(const session::Session& session);

// One place among the network's connections, held as long as this lives.
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

// Who sent a request over HTTP, as far as the site found out.
struct HttpCaller {
  bool developer = false;  // may use the developer methods (method_rules.h), if the nodes are local
  http::AcceptedCoding coding = {};
};

// What the service keeps with a session.
class RpcConnection final : public session::SessionData, public pubsub::Subscriber {
 public:
  // `developer`: as HttpCaller's. `ids`: of its subscriptions.
  RpcConnection(RpcService& service, ConnectionSlot slot, bool developer, eth::IdScope ids);
  bool deliver(const SharedBytes& frame) override;
  bool is_congested() const override { return session_->is_congested(); }

 private:
  friend class RpcService;
  RpcService& service_;
  ConnectionSlot slot_;
  bool developer_;
  eth::IdScope ids_;
  std::shared_ptr<ByteShare> share_;  // of the memory for what it asks and is answered
  std::vector<ByteHold> unsent_;      // of answers that wait in its outbox
  session::Session* session_ = nullptr;
  std::uint32_t in_flight_ = 0;
  bool behind_ = false;                        // an event made it congested, and it has not drained since
  std::uint32_t notifications_behind_ = 0;     // since it became congested
  std::optional<CloseReason> closed_because_;  // where we close it for a reason of our own
  // While it is congested: what was queued since, and with that what it has taken, and when it last took
  // more.
  bool watched_ = false;
  std::size_t queued_ = 0;
  std::size_t taken_ = 0;
  Instant taken_at_{};
};

struct RpcLimits {
  std::uint32_t subscriptions_per_connection_max = 100;
  // Sent to a connection since it became congested, without once catching up: one more closes it with 1013.
  std::uint32_t notifications_behind_max = 65'536;
  // A congested connection that takes nothing for this long is closed with 1013. Checked four times as often.
  Duration slow_timeout = std::chrono::seconds(10);
  std::uint32_t requests_in_flight_max = 256;       // of one connection, the elements of batches counted
  std::uint32_t batch_items_max = 1000;             // a longer batch is refused as a whole: -32600
  std::size_t batch_answer_bytes_max = 25'000'000;  // what does not fit is answered -32003; as go-ethereum
  std::size_t held_bytes_per_connection_max = 256 << 20;  // of requests under way and their answers: -32005
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
    ByteBudget& budget;  // what all clients' requests under way and their answers may occupy
    AnswerCompressor& compressor;
  };

  // Loop thread. Everything in the context outlives the service.
  RpcService(const session::SessionSettings& settings, RpcLimits limits, Context context);

  // Answers a POST: session.respond(), now or later.
  void handle_http(session::ServerSession& session, std::string_view body, HttpCaller caller);

  // What the network's source has seen, in order, once on each loop. At most events_per_turn_max go out in
  // one turn of the loop: what is sent is written in between, and who reads gets the time to, so that a jump
  // by a thousand blocks is no reason to take a subscriber for a slow one.
  // `told`: when the source did.
  void publish(Network::Events events, Instant told);

  // An event made one more connection congested, or one that was not.
  void fell_behind(session::Session& session, bool first);

  Network& network() const { return context_.network; }
  NetworkMetrics& metrics() const { return context_.metrics; }
  const RpcLimits& limits() const { return limits_; }
  // For one more client.
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
    ByteHold hold;                    // until it has been sent
    std::uint32_t open = 0;           // requests that are no longer in flight once it is queued
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
  // True: it is not to be carried out, and `answer` says why.
  bool is_refused(const jsonrpc::Request& request, bool developer, std::string& answer);
  void set_caller(Incoming& incoming, const session::ServerSession& session);
  bool answer_here(const jsonrpc::Request& request, session::Session* session, Incoming& incoming,
                   std::string& answer);
  void subscribe(const jsonrpc::Request& request, session::Session& session, Incoming& incoming,
                 std::string& answer);
  void unsubscribe(const jsonrpc::Request& request, session::Session& session, std::string& answer);
  // `done_on_loop` runs once from here on, whatever happens, but for the end of the server.
  std::shared_ptr<PendingRequest> pending_request(Incoming incoming,
                                                  UniqueFunction<void(Answered)> done_on_loop);
  void send_to_node(std::shared_ptr<PendingRequest> pending_request);
  // Queues an answer, or keeps it while the client has enough to read: our own answers are no reason to close
  // it.
  void reply(session::Session& session, Answered answered);
  void send_answer(session::Session& session, Answered answered);
  void send_waiting(session::Session& session);
  // Reads from the client, or does not while it has too much under way.
  void update_reading(session::Session& session);
  // From when a connection becomes congested until it has drained.
  void watch(session::Session& session);
  void unwatch(session::Session& session);
  void check_watched();
  void respond(session::ServerSession& session, const HttpCaller& caller, Answered answered);
  void activate(eth::ConnectionKey connection, const std::string& id);
  // What a subscription with a cursor missed: asked for, and delivered in its place among the events.
  void ask_history(eth::SubscriptionManager::Missing missing);
  void enqueue(std::variant<PublishedEvents, HistoryAnswer> next);
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
  // Their subscriptions end with a notice where that was asked for, else with their connections.
  // `bodies_only`: of whole transactions.
  void miss_pending(bool bodies_only, const std::string& words);
  // Told to who has a word for it; the others' connections end.
  void miss_receipts(const eth::SubscriptionManager::Range& blocks);
  // After anything that changes who is subscribed to what: the metrics, and the source's interest.
  void subscriptions_changed();
  void count_changes();
  void rewind();
  // An event is lost to all subscribers of this loop.
  void lose_event();
  // The connections of those without cursors end.
  void close_subscribers(eth::SubscriptionType type, const std::string& what_was_missed);
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
  std::unordered_map<eth::ConnectionKey, std::deque<Answered>> waiting_;  // for their client to read
  std::vector<eth::ConnectionKey> watched_;
  net::TimerId watch_timer_;
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
