#pragma once
// JSON-RPC of one network on one loop: the service of rpc/ with the network's methods and events, as an endpoint
// for WebSockets and for POST requests.

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "base/byte_budget.h"
#include "gateway/access_gate.h"
#include "gateway/answer_compressor.h"
#include "gateway/client_session.h"
#include "gateway/credential_term.h"
#include "gateway/defend/loop_guard.h"
#include "gateway/loop_events.h"
#include "gateway/metrics.h"
#include "gateway/network.h"
#include "gateway/network_methods.h"
#include "gateway/session_token.h"
#include "gateway/shared_sessions.h"
#include "http/accept_encoding.h"
#include "rpc/service.h"
#include "session/http_connection.h"
#include "session/loop_server.h"

namespace fanfare::gateway {

class LoopWatch;
class RpcService;

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

// The service's data for a session.
class RpcConnection final : public session::SessionData, private CredentialHolder {
 public:
  // `ids`: for its subscriptions.
  RpcConnection(RpcService& service, ConnectionSlot slot, rpc::Caller caller, eth::IdScope ids);

  // Before it is open: it continues a session, or will once it has authenticated.
  void continue_session(eth::ResumeLease lease);
  void continue_session_later(const SessionDigest& token) { session_token_ = token; }

 private:
  friend class RpcService;
  void describe(session::SessionDescription& out) const override;
  void on_credentials_ended(std::string_view reason) override;
  void on_reloaded(const access::Caller& now) override;
  const access::Principal& principal() const override { return *connection_.caller().principal; }
  std::string peer_address() const override { return connection_.session().peer(); }

  RpcService& service_;
  bool is_shed_ = false;
  ConnectionSlot slot_;
  rpc::Connection connection_;
  EventSubscriber subscriber_;
  CredentialTerm term_;
  std::unique_ptr<ClientSession> client_session_;  // null: it continues none
  std::optional<SessionDigest> session_token_;     // of a connection that has not authenticated yet
};

struct RpcLimits {
  rpc::Limits calls = {};
  EventLimits events = {};
};

// Counts for the network's metrics.
class RpcCounts final : public rpc::Observer {
 public:
  explicit RpcCounts(NetworkMetrics& metrics) : metrics_(metrics) {}
  void on_call(rpc::Transport transport) override { metrics_.requests[transport].add(); }
  void on_refused(rpc::Refused why) override;
  void on_received(std::size_t bytes) override;
  void on_sent(std::size_t bytes) override;

 private:
  NetworkMetrics& metrics_;
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
    CredentialTerms& terms;
    AccessGate* gate = nullptr;  // null: no access control
    LoopGuard* guard = nullptr;  // null: new work is always taken on
    LoopWatch* watch = nullptr;  // null: nothing is ever recorded
    std::size_t worker_index = 0;
  };

  // Loop thread. Everything in the context must outlive the service.
  RpcService(const session::SessionSettings& settings, const RpcLimits& limits, const Context& context);

  // Answers a POST: session.respond(), now or later.
  void handle_http(session::HttpConnection& session, std::string_view body, const rpc::Caller& caller,
                   const http::AcceptedCoding& coding);

  // Takes the source's events, in order, once on each loop. `told`: when the source reported them.
  void publish(Network::Events events, Instant told) { events_.publish(std::move(events), told); }

  // Applies the rules for calls of the network's plan to open connections, too.
  void set_rules(const NetworkPlan& plan) { methods_.set_rules(plan); }
  // For what comes from now on; a connection keeps the memory that it may hold.
  void set_limits(const RpcLimits& limits);

  // The caller's connection gets the session of this token.
  std::expected<eth::ResumeLease, eth::ResumeRefusal> open_session(const SessionDigest& token,
                                                                   const access::PrincipalPtr& principal,
                                                                   std::string_view peer) const;

  // Whether that must be done with open_session_later(), because other instances may have it.
  bool opens_sessions_later() const { return network().shared_sessions() != nullptr; }
  // `done` is called on the loop's thread, not within the call, or destroyed with the service.
  using SessionOpened = UniqueFunction<void(std::expected<eth::ResumeLease, SharedSessions::Refused> result)>;
  void open_session_later(const SessionDigest& token, const access::PrincipalPtr& principal,
                          std::string_view peer, SessionOpened done);

  session::LoopServer& server() const { return context_.server; }
  Network& network() const { return context_.network; }
  NetworkMetrics& metrics() const { return context_.metrics; }
  // Set: its upstream thread, or its loop with long batches, has too much to do for this.
  std::optional<session::HttpResponse> refuse_request(std::string_view body) const;
  std::optional<session::HttpResponse> refuse_upgrade() const;

  // Of a session of such a service: what it holds, outbox included.
  static std::size_t held_bytes(session::Session& session) { return connection_of(session).held_bytes(); }
  // It is closed to free memory.
  static void note_shed(session::Session& session) { session.data<RpcConnection>().is_shed_ = true; }

  void on_open(session::Session& session) override;
  void on_message(session::Session& session, const session::Message& message) override;
  void on_upgrade_refused(int status) override;
  void on_turn_share_spent(session::Session& session) override;
  void on_drained(session::Session& session) override;
  bool is_answering(const session::Session& session) const override;
  void on_pong(session::Session& session, Bytes payload) override;
  void on_close(session::Session& session, const session::CloseInfo& info) override;

 private:
  friend class RpcConnection;

  static rpc::Connection& connection_of(session::Session& session);
  static EventSubscriber& subscriber_of(session::Session& session);
  // The connection has handed in credentials.
  static void renewed(session::Session& session, std::shared_ptr<const access::Principal> principal);
  void start_term(session::Session& session);
  void record_from_now_on(session::Session& session);
  void continue_session(session::Session& session);
  void continue_session_later(session::Session& session, const SessionDigest& token);
  SharedSessions::Caller session_caller(const SessionDigest& token, const access::PrincipalPtr& principal,
                                        std::string_view peer) const;
  static ClientSession* client_session_of(session::Session& session);
  static CloseReason reason_of(session::Session& session, const session::CloseInfo& info);

  const Context context_;
  RpcCounts counts_;
  LoopEvents events_;
  NetworkMethods methods_;
  rpc::Service service_;
  std::map<std::uint64_t, SessionOpened> opening_;  // sessions
  std::uint64_t last_opening_ = 0;
  std::shared_ptr<RpcService*> self_ = std::make_shared<RpcService*>(this);  // for tasks that may outlive it
};

}  // namespace fanfare::gateway
