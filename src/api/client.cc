#include "fanfare/client.h"

#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "api/option_check.h"
#include "api/settings.h"
#include "base/check.h"
#include "session/client.h"
#include "session/client_loop.h"

namespace fanfare {
namespace api {
namespace {

std::vector<ws::OwnedHeader> owned(const std::vector<Header>& headers) {
  std::vector<ws::OwnedHeader> copies;
  copies.reserve(headers.size());
  for (const Header& header : headers) copies.push_back({.name = header.name, .value = header.value});
  return copies;
}

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

// The client's thread: its loop, the engine's client on it, and the handlers. The engine's objects are made,
// used and destroyed on that thread; the loop stays, so that others may post to it at any time.
class ClientCore final : public session::ClientHandler {
 public:
  ClientCore(Client& self, ClientOptions options, ClientHandlers handlers)
      : self_(self), options_(saturated(std::move(options))), handlers_(std::move(handlers)) {}
  ~ClientCore() override {
    FANFARE_CHECK(!is_here());  // a handler may not destroy its client
    if (!thread_.joinable()) return;
    loop_->stop();
    thread_.join();
  }
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;

  std::expected<void, Error> start() {
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
    post([this] { client_->connect(); });
    return {};
  }

  void run() {
    FANFARE_CHECK(!is_here());  // a handler cannot wait for itself
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return !active_ && !leaving_; });
  }

  SendResult send(ws::Opcode opcode, Bytes payload) {
    if (is_here()) return to_public(client_->send(opcode, payload));
    return hand_over([this, opcode, kept = SharedBytes(payload)] { client_->send(opcode, kept.view()); });
  }
  SendResult ping(Bytes payload) {
    if (payload.size() > 125) return SendResult::closed;
    if (is_here()) return to_public(client_->ping(payload));
    return hand_over([this, kept = SharedBytes(payload)] { client_->ping(kept.view()); });
  }
  void pause() {
    do_here([this] { client_->pause(); });
  }
  void resume() {
    do_here([this] { client_->resume(); });
  }
  void close(std::uint16_t code, std::string_view reason) {
    const bool fits = can_close_with(code, reason);
    do_here([this, code = fits ? code : ws::close_code::no_status,
             text = fits ? std::string(reason) : std::string()] { client_->close(code, text); });
  }

 private:
  bool is_here() const { return std::this_thread::get_id() == thread_id_.load(std::memory_order_relaxed); }
  void post(net::Task task) { loop_->post(std::move(task)); }
  // Loop and thread are there for good once start() has returned.
  bool was_started() const { return thread_id_.load(std::memory_order_acquire) != std::thread::id(); }
  SendResult hand_over(net::Task task) {
    if (!was_started()) return SendResult::closed;
    post(std::move(task));
    return SendResult::queued;
  }
  void do_here(net::Task task) {
    if (is_here()) return task();
    hand_over(std::move(task));
  }

  std::expected<void, Error> start_thread() {
    std::promise<std::expected<void, net::OsError>> ready;
    auto started = ready.get_future();
    thread_ = std::thread([this, &ready] {
      auto loop = net::Loop::create({.kind = to_engine(options_.loop), .streams_max = 1});
      if (!loop) return ready.set_value(std::unexpected(loop.error()));
      loop_ = std::move(*loop);
      session::ClientLoop clients(*loop_);
      client_ = std::make_unique<session::Client>(clients, engine_options(options_), *this);
      thread_id_.store(std::this_thread::get_id(), std::memory_order_release);
      ready.set_value({});
      loop_->run();
      client_.reset();
    });
    if (const auto result = started.get(); !result) {
      thread_.join();
      return std::unexpected(Error{.kind = Error::Kind::system,
                                   .message = result.error().message(),
                                   .system_code = result.error().code});
    }
    return {};
  }

  // Before the last handler is called, so that it may start() again.
  void note_end(const std::optional<Duration>& reconnect_in) {
    if (reconnect_in) return;
    const std::scoped_lock lock(mutex_);
    active_ = false;
    leaving_ = true;
  }
  void tell_end(const std::optional<Duration>& reconnect_in) {
    if (!reconnect_in) tell_end_when_gone();
  }
  // Once the server's FIN has come, too, or close_timeout is over: whoever run() lets go may destroy the
  // client, and a socket closed with something unread is reset, which can destroy our Close on its way
  // (RFC6455§7.1.1).
  void tell_end_when_gone() {
    if (loop_->stream_count() > 0) {
      constexpr Duration kLookAgain = std::chrono::milliseconds(5);
      loop_->call_after(kLookAgain, [this] { tell_end_when_gone(); });
      return;
    }
    const std::scoped_lock lock(mutex_);
    leaving_ = false;
    ended_.notify_all();
  }

  void on_open(session::Client&, const session::ClientOpened& opened) override {
    if (!handlers_.open) return;
    handlers_.open(self_, {.is_reconnect = opened.is_reconnect,
                           .subprotocol = opened.subprotocol,
                           .compressed = opened.deflate.has_value()});
  }
  void on_message(session::Client&, const session::Message& message) override {
    if (!handlers_.message) return;
    const auto kind = message.opcode == ws::Opcode::text ? Message::Kind::text : Message::Kind::binary;
    handlers_.message(self_, Message(kind, message.payload));
  }
  void on_drained(session::Client&) override {
    if (handlers_.drain) handlers_.drain(self_);
  }
  void on_pong(session::Client&, Bytes payload) override {
    if (handlers_.pong) handlers_.pong(self_, payload);
  }
  void on_close(session::Client&, const session::CloseInfo& info,
                std::optional<Duration> reconnect_in) override {
    note_end(reconnect_in);
    if (handlers_.close) handlers_.close(self_, to_public(info), in_ms(reconnect_in));
    tell_end(reconnect_in);
  }
  void on_failed(session::Client&, const session::ClientError& error,
                 std::optional<Duration> reconnect_in) override {
    note_end(reconnect_in);
    if (handlers_.failed) {
      handlers_.failed(self_,
                       {.kind = kind_of(error.failure),
                        .message = error.text,
                        .system_code = error.os_error,
                        .http_status = error.status},
                       in_ms(reconnect_in));
    }
    tell_end(reconnect_in);
  }

  Client& self_;
  const ClientOptions options_;
  const ClientHandlers handlers_;
  std::unique_ptr<net::Loop> loop_;
  std::unique_ptr<session::Client> client_;
  std::thread thread_;
  std::atomic<std::thread::id> thread_id_;
  std::mutex mutex_;  // for the two below
  std::condition_variable ended_;
  bool active_ = false;   // there is something to wait for; start() would be wrong
  bool leaving_ = false;  // the last handler has to return, and the connection to go, before run() returns
};

}  // namespace api

Client::Client(ClientOptions options, ClientHandlers handlers)
    : core_(std::make_unique<api::ClientCore>(*this, std::move(options), std::move(handlers))) {}

Client::~Client() = default;

std::expected<void, Error> Client::start() {
  return core_->start();
}

void Client::run() {
  core_->run();
}

SendResult Client::send(std::string_view text) {
  return core_->send(ws::Opcode::text, as_bytes(text));
}

SendResult Client::send(Bytes binary) {
  return core_->send(ws::Opcode::binary, binary);
}

SendResult Client::send(const Message& message) {
  return core_->send(message.is_text() ? ws::Opcode::text : ws::Opcode::binary, message.bytes());
}

SendResult Client::ping(Bytes payload) {
  return core_->ping(payload);
}

void Client::pause() {
  core_->pause();
}

void Client::resume() {
  core_->resume();
}

void Client::close(std::uint16_t code, std::string_view reason) {
  core_->close(code, reason);
}

}  // namespace fanfare
