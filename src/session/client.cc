#include "session/client.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/check.h"
#include "session/client_dial.h"
#include "session/client_plan.h"
#include "session/close_hint.h"
#include "session/dial_race.h"
#include "ws/close_code.h"
#include "ws/close_frame.h"
#include "ws/frame_header.h"
#include "ws/utf8.h"

namespace fanfare::session {

// The client's implementation: the endpoint of its sessions, which keep it alive while they close. After the
// client is destroyed it has no handler and starts nothing.
class Client::Core final : public ClientEndpoint, public std::enable_shared_from_this<Core> {
 public:
  Core(Client& client, ClientLoop& clients, ClientOptions options, ClientHandler& handler, Random* random)
      : ClientEndpoint(options_.session),
        client_(&client),
        handler_(&handler),
        clients_(clients),
        options_(std::move(options)),
        backoff_(options_.reconnect.backoff, random == nullptr ? clients.sessions().random() : *random) {}

  void connect();
  bool close(std::uint16_t code, std::string_view reason);
  void abandon();
  void connect_to(ClientTarget target);
  void fail_attempt(std::string reason, bool may_retry);

  State state() const { return state_; }
  // The open session; null otherwise.
  ClientSession* open_session() const { return state_ == State::open ? session_ : nullptr; }
  std::size_t buffered_bytes() const { return session_ == nullptr ? 0 : session_->queued_bytes(); }

 private:
  void on_open(Session& session) override;
  void on_message(Session& session, const Message& message) override;
  void on_receiving(ClientSession& session, std::size_t bytes) override;
  void on_drained(Session& session) override;
  void on_ping(Session& session) override;
  void on_pong(Session& session, Bytes payload) override;
  void on_close(Session& session, const CloseInfo& info) override;
  bool on_connected(ClientDial& dial) override;
  void on_established(ClientDial& dial, ClientSession& session) override;
  void on_failed(ClientDial& dial, const ClientError& error) override;

  // A session of an earlier connection may still be waiting for its peer's FIN.
  bool is_current(const Session& session) const { return handler_ != nullptr && session_ == &session; }
  net::Loop& loop() const { return clients_.loop(); }
  void call_at(Instant due, void (Core::*step)());

  void attempt();
  void begin_attempt(const ClientOptions& options);
  void resolve();
  void give_up_resolving();
  void dial(const std::vector<net::Address>& addresses);
  void attempt_failed(const ClientError& error);
  void give_up_attempt();
  // Schedules the next attempt and returns the delay; empty: the client has ended.
  // `least`: what the server asked for.
  std::optional<Duration> plan_next(bool worth_it, Duration least = Duration::zero());
  void cancelled();

  Client* client_;
  ClientHandler* handler_;  // null: the client was destroyed
  ClientLoop& clients_;
  const ClientOptions options_;
  Backoff backoff_;
  State state_ = State::idle;
  bool was_open_ = false;
  Instant opened_at_{};

  // The attempt under way.
  bool awaits_target_ = false;  // for connect_to() or fail_attempt()
  std::shared_ptr<const ClientPlan> plan_;
  Resolver::PendingLookup question_;
  std::unique_ptr<DialRace> race_;  // until the connection is open
  Instant connect_deadline_{};
  net::TimerId timer_{};
  ClientDial* dial_ = nullptr;  // the connected one, during the handshake
  ClientSession* session_ = nullptr;
};

namespace {

// Keeps the core alive as long as the session needs its endpoint.
struct KeepAlive final : SessionData {
  explicit KeepAlive(std::shared_ptr<ClientEndpoint> endpoint_kept) : endpoint(std::move(endpoint_kept)) {}
  std::shared_ptr<ClientEndpoint> endpoint;
};

bool can_close_with(std::uint16_t code, std::string_view reason) {
  if (code == ws::close_code::no_status) return reason.empty();
  return ws::is_valid_close_code(code) && reason.size() <= ws::kCloseReasonBytesMax &&
         ws::is_valid_utf8(as_bytes(reason));
}

}  // namespace

void Client::Core::call_at(Instant due, void (Core::*step)()) {
  loop().cancel(timer_);
  timer_ = loop().call_at(due, [weak = weak_from_this(), step] {
    if (const auto self = weak.lock(); self != nullptr && self->handler_ != nullptr) ((*self).*step)();
  });
}

void Client::Core::connect() {
  switch (state_) {
    case State::idle:
    case State::ended:
      backoff_.reset();
      break;
    case State::waiting:
      break;
    case State::connecting:
    case State::open:
    case State::closing:
      return;
  }
  state_ = State::connecting;
  call_at(loop().now(), &Core::attempt);
}

void Client::Core::attempt() {
  state_ = State::connecting;
  awaits_target_ = true;
  if (!handler_->on_attempt(*client_) || handler_ == nullptr) return;
  awaits_target_ = false;
  begin_attempt(options_);
}

void Client::Core::connect_to(ClientTarget target) {
  if (!std::exchange(awaits_target_, false)) return;
  ClientOptions options = options_;
  options.url = std::move(target.url);
  options.headers = std::move(target.headers);
  options.subprotocols = std::move(target.subprotocols);
  plan_.reset();
  begin_attempt(options);
}

void Client::Core::fail_attempt(std::string reason, bool may_retry) {
  if (!std::exchange(awaits_target_, false)) return;
  const auto reconnect_in = plan_next(may_retry);
  handler_->on_failed(*client_, {.failure = ClientFailure::cancelled, .text = std::move(reason)},
                      reconnect_in);
}

void Client::Core::begin_attempt(const ClientOptions& options) {
  if (plan_ == nullptr) {
    auto plan = make_client_plan(options);
    if (!plan) return attempt_failed(plan.error());
    plan_ = std::make_shared<const ClientPlan>(std::move(*plan));
  }
  race_.reset();
  connect_deadline_ = saturating_add(loop().now(), plan_->connect_timeout);
  const auto known = known_addresses(*plan_);
  if (known.empty()) return resolve();
  dial(known);
}

void Client::Core::resolve() {
  question_ = clients_.resolver().ask(
      loop(), plan_->connect_host, plan_->connect_port, [this](Resolver::Result found) {
        const auto self = shared_from_this();
        loop().cancel(timer_);
        if (!found) {
          return attempt_failed({.failure = ClientFailure::unresolvable, .text = std::move(found.error())});
        }
        dial(*found);
      });
  call_at(connect_deadline_, &Core::give_up_resolving);
}

void Client::Core::give_up_resolving() {
  question_.withdraw();
  attempt_failed({.failure = ClientFailure::timed_out,
                  .text = "host \"" + plan_->connect_host + "\" was not resolved in time"});
}

void Client::Core::dial(const std::vector<net::Address>& addresses) {
  const auto dial_one = [this](const net::Address& address,
                               Duration timeout) -> std::expected<ClientDial*, ClientError> {
    auto dialled = ClientDial::dial(clients_.sessions(), *this, plan_, address, timeout);
    if (dialled) (*dialled)->set_data(std::make_unique<KeepAlive>(shared_from_this()));
    return dialled;
  };
  race_ = std::make_unique<DialRace>(loop(), addresses, connect_deadline_, dial_one,
                                     [this](const ClientError& error) {
                                       const auto self = shared_from_this();
                                       dial_ = nullptr;
                                       attempt_failed(error);
                                     });
  race_->start();
}

void Client::Core::attempt_failed(const ClientError& error) {
  const auto& retry = options_.reconnect.retry_failure;
  const auto reconnect_in = plan_next(retry ? retry(error) : is_worth_retrying(error));
  handler_->on_failed(*client_, error, reconnect_in);
}

std::optional<Duration> Client::Core::plan_next(bool worth_it, Duration least) {
  const ReconnectOptions& reconnect = options_.reconnect;
  const bool attempts_left = reconnect.attempts_max == 0 || backoff_.attempts() < reconnect.attempts_max;
  if (!reconnect.enabled || !worth_it || !attempts_left) {
    state_ = State::ended;
    return std::nullopt;
  }
  state_ = State::waiting;
  const Duration wait = least + backoff_.next();
  call_at(saturating_add(loop().now(), wait), &Core::attempt);
  return wait;
}

bool Client::Core::close(std::uint16_t code, std::string_view reason) {
  if (!can_close_with(code, reason)) return false;
  switch (state_) {
    case State::idle:
      state_ = State::ended;
      break;
    case State::connecting:
    case State::waiting:
      give_up_attempt();
      state_ = State::closing;
      call_at(loop().now(), &Core::cancelled);
      break;
    case State::open:
      state_ = State::closing;
      session_->start_closing(code, reason);
      break;
    case State::closing:
    case State::ended:
      break;
  }
  return true;
}

void Client::Core::cancelled() {
  state_ = State::ended;
  handler_->on_failed(*client_, {.failure = ClientFailure::cancelled, .text = "closed before it was open"},
                      std::nullopt);
}

void Client::Core::give_up_attempt() {
  awaits_target_ = false;
  loop().cancel(timer_);
  question_.withdraw();
  race_.reset();
  if (dial_ != nullptr) std::exchange(dial_, nullptr)->close();
  if (session_ != nullptr) std::exchange(session_, nullptr)->close();
}

void Client::Core::abandon() {
  give_up_attempt();
  handler_ = nullptr;
  client_ = nullptr;
  state_ = State::ended;
}

void Client::Core::on_open(Session& session) {
  if (!is_current(session)) return session.close();
  state_ = State::open;
  race_.reset();
  opened_at_ = loop().now();
  const bool is_reconnect = std::exchange(was_open_, true);
  handler_->on_open(
      *client_,
      {.is_reconnect = is_reconnect, .subprotocol = session_->subprotocol(), .deflate = session_->deflate()});
}

void Client::Core::on_message(Session& session, const Message& message) {
  if (is_current(session)) handler_->on_message(*client_, message);
}

void Client::Core::on_receiving(ClientSession& session, std::size_t bytes) {
  if (is_current(session) && state_ == State::open) handler_->on_receiving(*client_, bytes);
}

void Client::Core::on_drained(Session& session) {
  if (is_current(session)) handler_->on_drained(*client_);
}

void Client::Core::on_ping(Session& session) {
  if (is_current(session)) handler_->on_ping(*client_);
}

void Client::Core::on_pong(Session& session, Bytes payload) {
  if (is_current(session)) handler_->on_pong(*client_, payload);
}

void Client::Core::on_close(Session& session, const CloseInfo& info) {
  if (!is_current(session)) return;
  session_ = nullptr;
  if (loop().now() - opened_at_ >= options_.reconnect.stable_after) backoff_.reset();
  const auto& retry = options_.reconnect.retry_close;
  const bool worth_it = state_ != State::closing && (retry ? retry(info) : is_worth_retrying(info));
  const auto hint = info.cause == Cause::peer_closed ? close_hint(info.code, info.reason)
                                                     : std::optional<std::chrono::seconds>();
  const auto reconnect_in = plan_next(worth_it, hint.value_or(std::chrono::seconds(0)));
  handler_->on_close(*client_, info, reconnect_in);
}

bool Client::Core::on_connected(ClientDial& dial) {
  if (race_ == nullptr || !race_->connected(dial)) return false;
  dial_ = &dial;
  return true;
}

void Client::Core::on_established(ClientDial& dial, ClientSession& session) {
  if (dial_ != &dial) return;
  dial_ = nullptr;
  session_ = &session;
}

void Client::Core::on_failed(ClientDial& dial, const ClientError& error) {
  if (race_ != nullptr && race_->failed(dial, error)) return;
  if (handler_ == nullptr || dial_ != &dial) return;
  dial_ = nullptr;
  ClientError told = error;
  if (race_ != nullptr) told.text.insert(0, race_->failures());
  attempt_failed(told);
}

Client::Client(ClientLoop& clients, ClientOptions options, ClientHandler& handler, Random* random)
    : core_(std::make_shared<Core>(*this, clients, std::move(options), handler, random)) {}

Client::~Client() {
  core_->abandon();
}

void Client::connect() {
  core_->connect();
}

void Client::connect_to(ClientTarget target) {
  const auto core = core_;
  core->connect_to(std::move(target));
}

void Client::fail_attempt(std::string reason, bool may_retry) {
  const auto core = core_;
  core->fail_attempt(std::move(reason), may_retry);
}

Client::State Client::state() const {
  return core_->state();
}

SendResult Client::send(ws::Opcode opcode, Bytes payload) {
  ClientSession* const session = core_->open_session();
  return session == nullptr ? SendResult::closed : session->send(opcode, payload);
}

SendResult Client::send_uncompressed(ws::Opcode opcode, Bytes payload) {
  ClientSession* const session = core_->open_session();
  return session == nullptr ? SendResult::closed : session->send_uncompressed(opcode, payload);
}

SendResult Client::ping(Bytes payload) {
  FANFARE_CHECK(payload.size() <= ws::kControlPayloadBytesMax);
  ClientSession* const session = core_->open_session();
  return session == nullptr ? SendResult::closed : session->ping(payload);
}

void Client::expect_drained() {
  if (ClientSession* const session = core_->open_session()) session->expect_drained();
}

std::size_t Client::buffered_bytes() const {
  return core_->buffered_bytes();
}

void Client::pause() {
  if (ClientSession* const session = core_->open_session()) session->pause();
}

void Client::resume() {
  if (ClientSession* const session = core_->open_session()) session->resume();
}

bool Client::close(std::uint16_t code, std::string_view reason) {
  return core_->close(code, reason);
}

}  // namespace fanfare::session
