#include "api/client_impl.h"

#include <future>
#include <utility>

#include "api/border.h"
#include "api/handler_thread.h"
#include "api/misuse.h"
#include "api/option_check.h"
#include "api/settings.h"
#include "net/thread.h"
#include "session/client_loop.h"
#include "ws/close_code.h"

namespace fanfare::api {
namespace {

session::ClientOptions engine_options(const ClientOptions& options) {
  return {.url = options.url,
          .headers = owned(options.headers),
          .subprotocols = options.subprotocols,
          .origin = options.origin,
          .deflate = to_engine(options.deflate),
          .session = to_settings(options.limits, options.heartbeat),
          .connect_timeout = options.connect_timeout,
          .handshake_timeout = options.handshake_timeout,
          .proxy = options.proxy,
          .tls = to_engine(options.tls),
          .reconnect = {.enabled = options.reconnect.enabled,
                        .backoff = {.backoff_min = options.reconnect.wait_min,
                                    .backoff_max = options.reconnect.wait_max,
                                    .multiplier = options.reconnect.multiplier},
                        .attempts_max = options.reconnect.attempts_max}};
}

Error::Kind kind_of(session::ClientFailure failure) {
  switch (failure) {
    case session::ClientFailure::bad_url:
    case session::ClientFailure::bad_option:
      return Error::Kind::bad_option;
    case session::ClientFailure::unresolvable:
    case session::ClientFailure::connect_failed:
    case session::ClientFailure::connection_lost:
      return Error::Kind::system;
    case session::ClientFailure::timed_out:
      return Error::Kind::timeout;
    case session::ClientFailure::proxy_refused:
    case session::ClientFailure::rejected:
      return Error::Kind::refused;
    case session::ClientFailure::tls_failed:
      return Error::Kind::tls;
    case session::ClientFailure::rule_broken:
      return Error::Kind::handshake;
    case session::ClientFailure::cancelled:
      return Error::Kind::cancelled;
  }
  return Error::Kind::system;
}

std::optional<std::chrono::milliseconds> in_ms(std::optional<Duration> wait) {
  if (!wait) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(*wait);
}

}  // namespace

std::vector<ws::OwnedHeader> owned(const std::vector<Header>& headers) {
  std::vector<ws::OwnedHeader> copies;
  copies.reserve(headers.size());
  for (const Header& header : headers) copies.push_back({.name = header.name, .value = header.value});
  return copies;
}

ClientImpl::ClientImpl(Client& self, ClientOptions options, ClientHandlers handlers)
    : self_(self),
      options_(saturated(std::move(options))),
      handlers_(std::move(handlers)),
      outgoing_(options_) {}

Expected<void, Error> ClientImpl::start() {
  const std::scoped_lock lock(mutex_);
  if (active_) {
    return std::unexpected(Error{.kind = Error::Kind::wrong_state, .message = "the client runs already"});
  }
  if (auto wrong = find_wrong_option(options_)) {
    return std::unexpected(Error{.kind = Error::Kind::bad_option, .message = *std::move(wrong)});
  }
  if (!thread_.joinable()) {
    if (auto started = start_thread(); !started) return started;
  }
  active_ = true;
  outgoing_.start();
  loop_->post([this] { client_->connect(); });
  return {};
}

Expected<void, Error> ClientImpl::start_thread() {
  std::promise<std::expected<void, net::OsError>> ready;
  auto started = ready.get_future();
  auto thread = net::start_thread([self = shared_from_this(), &ready] {
    const HandlerThread marked;
    auto loop = net::Loop::create({.kind = to_engine(self->options_.loop), .streams_max = 1});
    if (!loop) return ready.set_value(std::unexpected(loop.error()));
    self->loop_ = std::move(*loop);
    session::ClientLoop clients(*self->loop_);
    self->client_ = std::make_unique<session::Client>(clients, engine_options(self->options_), *self);
    self->thread_id_.store(std::this_thread::get_id(), std::memory_order_release);
    ready.set_value({});
    self->loop_->run();
    // Posted tasks refer to the client.
    self->loop_->close_mailbox();
    self->client_.reset();
  });
  const auto failed = [](const net::OsError& error) {
    return Unexpected(
        Error{.kind = Error::Kind::system, .message = error.message(), .system_code = error.code});
  };
  if (!thread) return failed(thread.error());
  thread_ = *std::move(thread);
  const auto result = started.get();
  if (result) return {};
  thread_.join();
  return failed(result.error());
}

void ClientImpl::run() {
  if (is_here()) {
    end_for_misuse("Client::run() in one of its handlers",
                   "a client's thread cannot wait for its own end; call it on another thread");
  }
  std::unique_lock lock(mutex_);
  ended_.wait(lock, [this] { return !active_ && !leaving_; });
}

void ClientImpl::leave() {
  if (!thread_.joinable()) return;
  if (!is_here()) {
    loop_->stop();
    thread_.join();
    return;
  }
  // In a handler: the engine releases the client at once, and this object when the thread ends.
  client_.reset();
  loop_->close_mailbox();
  loop_->stop();
  thread_.detach();
  outgoing_.close();
  const std::scoped_lock lock(mutex_);
  active_ = leaving_ = false;
  ended_.notify_all();
}

SendResult ClientImpl::send(ws::Opcode opcode, Bytes payload, SendOptions options) {
  constexpr std::size_t kControlBytesMax = 125;  // RFC6455§5.5
  if (opcode == ws::Opcode::ping && payload.size() > kControlBytesMax) return SendResult::closed;
  if (is_here()) return send_here(opcode, payload, options);
  const Outgoing::Taken taken = outgoing_.push(opcode, payload, options);
  if (taken.first) loop_->post([this] { pass(); });
  return taken.result;
}

SendResult ClientImpl::send_here(ws::Opcode opcode, Bytes payload, SendOptions options) {
  if (client_ == nullptr) return SendResult::closed;
  // Must not overtake messages queued earlier by other threads, or by this one without a connection.
  const bool is_next = in_open_handler_ || outgoing_.empty();
  if (client_->state() != session::Client::State::open || !is_next) {
    return outgoing_.push(opcode, payload, options).result;
  }
  const SendResult result = give(opcode, payload, options);
  if (result == SendResult::congested) outgoing_.owe_drain();
  return result;
}

SendResult ClientImpl::give(ws::Opcode opcode, Bytes payload, SendOptions options) {
  const auto result = opcode == ws::Opcode::ping ? client_->ping(payload)
                      : options.compress         ? client_->send(opcode, payload)
                                                 : client_->send_uncompressed(opcode, payload);
  client_->expect_drained();
  outgoing_.set_outbox_bytes(client_->buffered_bytes());
  return to_public(result);
}

bool ClientImpl::may_pass() const {
  if (client_ == nullptr || client_->state() != session::Client::State::open) return false;
  const std::size_t queued = client_->buffered_bytes();
  return queued == 0 || queued < options_.limits.outbox_bytes_high;
}

// Remaining messages are sent when the outbox is empty, or the connection is open.
void ClientImpl::pass() {
  while (may_pass()) {
    const auto item = outgoing_.take();
    if (!item) return;
    if (give(item->opcode, item->payload.view(), item->options) == SendResult::closed)
      outgoing_.count_unsent(*item);
  }
}

// Before a Close frame: passes on all messages, which never exceed the limit of the outbox.
void ClientImpl::pass_all() {
  while (client_->state() == session::Client::State::open) {
    const auto item = outgoing_.take();
    if (!item) return;
    if (give(item->opcode, item->payload.view(), item->options) == SendResult::closed)
      outgoing_.count_unsent(*item);
  }
}

void ClientImpl::set_paused(bool paused) {
  if (is_here()) return apply_pause(paused);
  if (!was_started()) return;
  const PauseWish wish = paused ? PauseWish::pause : PauseWish::resume;
  if (pause_wish_.exchange(wish) != PauseWish::none) return;
  loop_->post([this] { apply_pause(pause_wish_.exchange(PauseWish::none) == PauseWish::pause); });
}

void ClientImpl::apply_pause(bool paused) {
  if (client_ == nullptr) return;
  if (paused) {
    client_->pause();
  } else {
    client_->resume();
  }
}

void ClientImpl::close(std::uint16_t code, std::string_view reason) {
  if (!was_started() || !outgoing_.close()) return;
  const CloseWords words = close_words(code, reason);
  if (is_here()) return close_here(words.code, words.reason);
  loop_->post([this, code = words.code, text = std::string(words.reason)] { close_here(code, text); });
}

void ClientImpl::close_here(std::uint16_t code, std::string_view reason) {
  if (client_ == nullptr) return;
  pass_all();
  client_->close(code, reason);
}

std::size_t ClientImpl::buffered_amount() const {
  return outgoing_.bytes();
}

// Called before the last handler, so that the handler may call start() again.
void ClientImpl::note_end(const std::optional<Duration>& reconnect_in) {
  if (reconnect_in) return;
  const std::scoped_lock lock(mutex_);
  active_ = false;
  leaving_ = true;
}

void ClientImpl::tell_end(const std::optional<Duration>& reconnect_in) {
  if (!reconnect_in && client_ != nullptr) tell_end_when_gone();
}

// Waits for the server's FIN, or for close_timeout. When run() returns, its caller may destroy the client.
// Closing a socket with unread data resets the connection, which can destroy our Close in flight
// (RFC6455§7.1.1).
void ClientImpl::tell_end_when_gone() {
  loop_->cancel(look_again_);
  const std::scoped_lock lock(mutex_);
  // If it was started again, run() waits for the next end, which also covers the streams of this one.
  if (!active_ && loop_->stream_count() > 0) {
    constexpr Duration kLookAgain = std::chrono::milliseconds(5);
    look_again_ = loop_->call_after(kLookAgain, [this] { tell_end_when_gone(); });
    return;
  }
  leaving_ = false;
  ended_.notify_all();
}

// RFC6455§7.4.1: 1011 reports an unexpected condition.
template <typename Call>
void ClientImpl::guard(std::string_view handler, Call&& call) {
  if (!call_handler(handler, std::forward<Call>(call))) close(ws::close_code::internal_error, {});
}

void ClientImpl::on_open(session::Client&, const session::ClientOpened& opened) {
  outgoing_.opened();
  was_open_ = true;
  if (handlers_.open) {
    in_open_handler_ = true;
    guard("client open", [&] {
      handlers_.open(self_, {.is_reconnect = opened.is_reconnect,
                             .subprotocol = opened.subprotocol,
                             .compressed = opened.deflate.has_value()});
    });
    in_open_handler_ = false;
  }
  pass();
}

void ClientImpl::on_message(session::Client&, const session::Message& message) {
  if (!handlers_.message) return;
  const auto kind = message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
  guard("client message", [&] { handlers_.message(self_, Message(kind, message.payload)); });
}

void ClientImpl::on_drained(session::Client& client) {
  outgoing_.set_outbox_bytes(client.buffered_bytes());
  // Decide this before passing on more: other threads may send faster than the server ever reads.
  const bool drained = client.buffered_bytes() == 0 && outgoing_.take_owed_drain();
  pass();
  if (drained && handlers_.drain) guard("client drain", [&] { handlers_.drain(self_); });
}

void ClientImpl::on_pong(session::Client&, Bytes payload) {
  if (handlers_.pong) guard("client pong", [&] { handlers_.pong(self_, payload); });
}

void ClientImpl::on_close(session::Client&, const session::CloseInfo& info,
                          std::optional<Duration> reconnect_in) {
  Close close = to_public(info);
  close.unsent_bytes += outgoing_.lost(reconnect_in.has_value());
  note_end(reconnect_in);
  if (handlers_.close) {
    call_handler("client close", [&] { handlers_.close(self_, close, in_ms(reconnect_in)); });
  }
  tell_end(reconnect_in);
}

void ClientImpl::on_failed(session::Client&, const session::ClientError& error,
                           std::optional<Duration> reconnect_in) {
  outgoing_.lost(reconnect_in.has_value());
  note_end(reconnect_in);
  if (handlers_.failed) {
    const Error told{.kind = kind_of(error.failure),
                     .message = error.text,
                     .system_code = error.os_error,
                     .http_status = error.status};
    call_handler("client failed", [&] { handlers_.failed(self_, told, in_ms(reconnect_in)); });
  }
  tell_end(reconnect_in);
}

}  // namespace fanfare::api
