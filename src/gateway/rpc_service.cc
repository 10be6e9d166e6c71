#include "gateway/rpc_service.h"

#include <utility>

#include "gateway/observe/loop_watch.h"
#include "session/session_description.h"
#include "ws/close_code.h"

namespace fanfare::gateway {
namespace {

CloseReason reason_of(const session::CloseInfo& info) {
  switch (info.cause) {
    case session::Cause::peer_closed:
      return CloseReason::client;
    case session::Cause::we_closed:
      return CloseReason::policy;
    case session::Cause::rule_broken:
      if (info.broken_rule == ws::Rule::too_many_fragments) return CloseReason::too_many_fragments;
      return info.code == ws::close_code::message_too_big ? CloseReason::too_big
                                                          : CloseReason::protocol_error;
    case session::Cause::slow_consumer:
      return CloseReason::slow_consumer;
    case session::Cause::pong_timeout:
      return CloseReason::ping_timeout;
    case session::Cause::idle_timeout:
      return CloseReason::idle_timeout;
    case session::Cause::connection_lost:
      return CloseReason::lost;
    case session::Cause::shut_down:
      return CloseReason::shutdown;
  }
  return CloseReason::internal;
}

// Before a connection has authenticated: a token and what is around it.
constexpr ws::Limits kFirstMessageLimits{.message_bytes_max = 2 * access::kSecretBytesMax,
                                         .fragments_max = 1024};

CloseReason reason_of(rpc::Ended ended) {
  switch (ended) {
    case rpc::Ended::slow_consumer:
      return CloseReason::slow_consumer;
    case rpc::Ended::no_memory:
      return CloseReason::internal;
  }
  return CloseReason::internal;
}

}  // namespace

RpcConnection::RpcConnection(RpcService& service, ConnectionSlot slot, rpc::Caller caller, eth::IdScope ids)
    : service_(service),
      slot_(std::move(slot)),
      connection_(service.service_, std::move(caller)),
      subscriber_(service.events_, connection_, ids),
      term_(service.context_.terms, *this) {}

void RpcConnection::continue_session(eth::ResumeLease lease) {
  client_session_ = std::make_unique<ClientSession>(
      std::move(lease), ClientSession::Context{.server = service_.context_.server,
                                               .of = &RpcService::client_session_of,
                                               .activate = [this](session::Session&, const std::string& id) {
                                                 service_.events_.send_missed(subscriber_, id);
                                               }});
  subscriber_.continue_session(client_session_.get());
}

void RpcConnection::describe(session::SessionDescription& out) const {
  out.service = "rpc";
  out.place = service_.network().name();
  if (const auto& principal = connection_.caller().principal; principal != nullptr)
    out.principal = principal->name;
  out.waiting_bytes = connection_.waiting_bytes();
  service_.events_.describe(subscriber_, out);
}

void RpcConnection::on_credentials_ended(std::string_view reason) {
  if (principal().name == kUnauthenticated) service_.context_.gate->note_silence(peer_address());
  connection_.session().start_closing(ws::close_code::policy_violation, reason);
}

// What it has subscribed to was granted by the roles that it had then.
void RpcConnection::on_reloaded(const access::Caller& now) {
  const rpc::Caller& caller = connection_.caller();
  const bool is_subscribed = caller.payer != nullptr && caller.payer->subscriptions() > 0;
  if (is_subscribed && caller.principal->roles != now.principal->roles) {
    return on_credentials_ended(kRolesChanged);
  }
  AccessGate& gate = *service_.context_.gate;
  connection_.set_principal(now.principal);
  if (caller.payer != nullptr) gate.set_limits(*caller.payer, now);
  term_.start(gate.clock().wall_now());
}

void RpcCounts::on_refused(rpc::Refused why) {
  const auto reason = [why] {
    switch (why) {
      case rpc::Refused::method:
        return RpcRefusal::method;
      case rpc::Refused::memory:
        return RpcRefusal::memory;
      case rpc::Refused::overload:
        return RpcRefusal::overload;
      case rpc::Refused::limit:
        break;
    }
    return RpcRefusal::limit;
  };
  metrics_.requests_refused[reason()].add();
}
void RpcCounts::on_received(std::size_t bytes) {
  metrics_.messages_received.add();
  metrics_.bytes_received.add(bytes);
}
void RpcCounts::on_sent(std::size_t bytes) {
  metrics_.messages_sent.add();
  metrics_.bytes_sent.add(bytes);
}

RpcService::RpcService(const session::SessionSettings& settings, const RpcLimits& limits,
                       const Context& context)
    : Endpoint(settings),
      context_(context),
      counts_(context.metrics),
      events_(limits.events, {.network = context.network,
                              .metrics = context.metrics,
                              .worker = context.worker,
                              .server = context.server,
                              .loop_index = context.loop_index,
                              .salt = context.salt,
                              .subscriber_of = &subscriber_of}),
      methods_({.network = context.network,
                .worker = context.worker,
                .server = context.server,
                .events = events_,
                .subscriber_of = &subscriber_of,
                .gate = context.gate,
                .renewed = &renewed,
                .guard = context.guard,
                .worker_index = context.worker_index}),
      service_(limits.calls, {.methods = methods_,
                              .observer = counts_,
                              .server = context.server,
                              .budget = context.budget,
                              .connection_of = &connection_of,
                              .slice_load = context.guard == nullptr ? nullptr : &context.guard->slices()}) {}

void RpcService::set_limits(const RpcLimits& limits) {
  service_.set_limits(limits.calls);
  events_.set_subscriptions_max(limits.events.subscriptions_per_connection_max);
}

std::optional<session::HttpResponse> RpcService::refuse_request(std::string_view body) const {
  if (context_.guard == nullptr) return std::nullopt;
  if (auto refusal = context_.guard->refuse_request_of(context_.worker_index)) return refusal;
  return rpc::CallReader::is_long_batch(body) ? context_.guard->refuse_batch_request() : std::nullopt;
}

std::optional<session::HttpResponse> RpcService::refuse_upgrade() const {
  return context_.guard == nullptr ? std::nullopt : context_.guard->refuse_upgrade_of(context_.worker_index);
}

rpc::Connection& RpcService::connection_of(session::Session& session) {
  return session.data<RpcConnection>().connection_;
}

EventSubscriber& RpcService::subscriber_of(session::Session& session) {
  return session.data<RpcConnection>().subscriber_;
}

void RpcService::handle_http(session::HttpConnection& session, std::string_view body,
                             const rpc::Caller& caller, const http::AcceptedCoding& coding) {
  service_.handle_http(session, body, caller,
                       [&compressor = context_.compressor, coding](session::HttpConnection& asker,
                                                                   session::HttpResponse answer) {
                         compressor.respond(asker, std::move(answer), coding);
                       });
}

std::expected<eth::ResumeLease, eth::ResumeRefusal> RpcService::open_session(
    const SessionDigest& token, const access::PrincipalPtr& principal, std::string_view peer) const {
  SharedSessions::Caller caller = session_caller(token, principal, peer);
  return network().sessions().open(caller.key, caller.counts_for, std::move(caller.identity),
                                   context_.server.loop().now());
}

SharedSessions::Caller RpcService::session_caller(const SessionDigest& token,
                                                  const access::PrincipalPtr& principal,
                                                  std::string_view peer) const {
  const bool has_identity = principal != nullptr && !principal->is_shared();
  const std::string name = principal == nullptr ? std::string() : principal->name;
  return {.key = session_key(network().name(), name, token),
          .counts_for = has_identity ? "identity " + name : FilterCalls::client_of(peer),
          .identity = std::make_shared<const SessionIdentity>(
              SessionIdentity{.principal = principal, .peer = std::string(peer)})};
}

void RpcService::open_session_later(const SessionDigest& token, const access::PrincipalPtr& principal,
                                    std::string_view peer, SessionOpened done) {
  const std::uint64_t number = ++last_opening_;
  opening_.emplace(number, std::move(done));
  // The loop outlives the broker's thread; the service is only used on its own loop.
  network().shared_sessions()->open(network().session_store(), session_caller(token, principal, peer),
                                    [&loop = context_.server.loop(), weak = std::weak_ptr(self_), number](
                                        std::expected<eth::ResumeLease, SharedSessions::Refused> result) {
                                      loop.post([weak, number, result = std::move(result)]() mutable {
                                        const auto self = weak.lock();
                                        if (self == nullptr) return;
                                        auto waiting = (*self)->opening_.extract(number);
                                        waiting.mapped()(std::move(result));
                                      });
                                    });
}

ClientSession* RpcService::client_session_of(session::Session& session) {
  return session.data<RpcConnection>().client_session_.get();
}

// It has authenticated by a message.
void RpcService::continue_session(session::Session& session) {
  auto& data = session.data<RpcConnection>();
  const auto token = std::exchange(data.session_token_, std::nullopt);
  if (!token) return;
  if (opens_sessions_later()) return continue_session_later(session, *token);
  auto lease = open_session(*token, data.connection_.caller().principal, session.peer());
  if (!lease) {
    return session.start_closing(ws::close_code::try_again_later, words_of(lease.error()));
  }
  data.continue_session(*std::move(lease));
  data.client_session_->on_open(session);
}

// What it sends meanwhile waits.
void RpcService::continue_session_later(session::Session& session, const SessionDigest& token) {
  auto& data = session.data<RpcConnection>();
  data.subscriber_.await_session(true);
  service_.hold(data.connection_, true);
  open_session_later(
      token, data.connection_.caller().principal, session.peer(),
      [this, id = session.id()](std::expected<eth::ResumeLease, SharedSessions::Refused> lease) {
        session::Session* const found = context_.server.sessions().find(id);
        if (found == nullptr || !found->is_open()) return;
        auto& waiting = found->data<RpcConnection>();
        waiting.subscriber_.await_session(false);
        if (!lease) {
          return found->start_closing(ws::close_code::try_again_later, words_of(lease.error()));
        }
        waiting.continue_session(*std::move(lease));
        waiting.client_session_->on_open(*found);
        service_.hold(waiting.connection_, false);
      });
}

void RpcService::on_pong(session::Session& session, Bytes payload) {
  if (ClientSession* const found = client_session_of(session)) found->on_pong(session, payload);
}

void RpcService::on_open(session::Session& session) {
  rpc::Service::on_open(connection_of(session), session);
  if (ClientSession* const found = client_session_of(session)) found->on_open(session);
  const auto& principal = connection_of(session).caller().principal;
  if (principal != nullptr && principal->name == kUnauthenticated)
    session.limit_messages(kFirstMessageLimits);
  start_term(session);
  metrics().opened();
}

void RpcService::on_message(session::Session& session, const session::Message& message) {
  // Text or binary: web3.py sends its requests in binary frames. Answers are always text.
  const std::string_view text = as_text(message.payload);
  record_from_now_on(session);
  if (context_.guard != nullptr && rpc::CallReader::is_long_batch(text)) {
    if (const auto refusal = context_.guard->refuse_batch()) {
      return service_.refuse_message(connection_of(session), text, *refusal);
    }
  }
  service_.on_message(connection_of(session), text);
}

// A connection that was opened while nothing was recorded.
void RpcService::record_from_now_on(session::Session& session) {
  rpc::Connection& connection = connection_of(session);
  if (connection.caller().record != nullptr || context_.watch == nullptr || !context_.watch->is_on()) return;
  connection.set_record(context_.watch->request_of(session, context_.network.name()));
}

void RpcService::on_turn_share_spent(session::Session&) {
  metrics().turn_shares_spent.add();
}

void RpcService::on_upgrade_refused(int status) {
  metrics().connections_refused[status == 403 ? RefuseReason::origin : RefuseReason::bad_handshake].add();
}

bool RpcService::is_answering(const session::Session& session) const {
  return session.data<RpcConnection>().connection_.is_answering();
}

void RpcService::on_drained(session::Session& session) {
  EventSubscriber& subscriber = subscriber_of(session);
  events_.caught_up(subscriber);
  service_.on_drained(connection_of(session));
  events_.drained(subscriber);
}

CloseReason RpcService::reason_of(session::Session& session, const session::CloseInfo& info) {
  if (session.data<RpcConnection>().is_shed_) return CloseReason::memory;
  if (subscriber_of(session).has_missed()) return CloseReason::missed;
  const auto ended = connection_of(session).ended();
  return ended ? gateway::reason_of(*ended) : gateway::reason_of(info);
}

void RpcService::renewed(session::Session& session, std::shared_ptr<const access::Principal> principal) {
  connection_of(session).set_principal(std::move(principal));
  session.limit_messages(session.endpoint().settings().limits);
  auto& service = static_cast<RpcService&>(session.endpoint());
  service.start_term(session);
  service.continue_session(session);
}

void RpcService::start_term(session::Session& session) {
  const auto& principal = connection_of(session).caller().principal;
  if (principal == nullptr || context_.gate == nullptr) return;
  session.data<RpcConnection>().term_.start(context_.gate->clock().wall_now());
}

void RpcService::on_close(session::Session& session, const session::CloseInfo& info) {
  session.data<RpcConnection>().term_.stop();
  if (ClientSession* const found = client_session_of(session)) found->on_close(info);
  events_.drop(subscriber_of(session));
  service_.on_close(connection_of(session));
  const CloseReason reason = reason_of(session, info);
  metrics().closed(reason);
  if (reason == CloseReason::slow_consumer) {
    network().log().warn("slow_consumer_closed",
                         {{"network", network().name()},
                          {"outbox_bytes_max", settings().outbox_bytes_max},
                          {"notifications_behind", connection_of(session).notifications_behind()}});
  }
}

}  // namespace fanfare::gateway
