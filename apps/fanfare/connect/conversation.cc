#include "connect/conversation.h"

#include <cstdio>
#include <utility>

#include "connect/command.h"

namespace fanfare::app {
namespace {

// A ping payload is at most this long (RFC6455§5.5).
constexpr std::size_t kPingBytesMax = 125;

std::string milliseconds(Duration time) {
  char text[32];
  const double value = std::chrono::duration<double, std::milli>(time).count();
  const int size = std::snprintf(text, sizeof text, "%.1f ms", value);
  return {text, static_cast<std::size_t>(size)};
}

std::string retry_text(std::optional<Duration> reconnect_in) {
  return reconnect_in ? "; again in " + milliseconds(*reconnect_in) : "";
}

std::string deflate_text(const std::optional<ws::DeflateParameters>& deflate) {
  if (!deflate) return "no extension";
  std::string text = "permessage-deflate, windows of " + std::to_string(deflate->server_max_window_bits) +
                     " (server) and " + std::to_string(deflate->client_max_window_bits) + " bits (client)";
  if (deflate->server_no_context_takeover) text += ", server_no_context_takeover";
  if (deflate->client_no_context_takeover) text += ", client_no_context_takeover";
  return text;
}

template <typename... Kinds>
struct Overloaded : Kinds... {
  using Kinds::operator()...;
};

}  // namespace

Conversation::Conversation(net::Loop& loop, session::ClientOptions options, const ConnectArguments& arguments,
                           std::optional<Duration> wait, Screen& screen)
    : loop_(loop),
      arguments_(arguments),
      wait_(wait),
      screen_(screen),
      clients_(loop, std::chrono::milliseconds(50)),
      client_(clients_, std::move(options), *this) {}

Conversation::~Conversation() = default;

int Conversation::run(int input) {
  if (input >= 0) {
    input_ =
        std::make_unique<InputReader>(loop_, input, [this](const std::string& piece) { take_input(piece); });
  } else {
    input_ended_ = true;
  }
  began_ = system_clock().now();
  client_.connect();
  if (screen_.has_prompt()) {
    screen_.draw();
    go_on();
  }
  loop_.run();
  input_.reset();
  screen_.leave();
  return status_;
}

void Conversation::on_open(session::Client&, const session::ClientOpened& opened) {
  was_open_ = true;
  congested_ = false;
  pings_.clear();
  if (arguments_.verbose || screen_.has_prompt() || opened.is_reconnect) {
    screen_.notice((opened.is_reconnect ? "connected again to " : "connected to ") + arguments_.url);
  }
  detail("handshake " + milliseconds(system_clock().now() - began_) + ", " +
         (opened.subprotocol.empty() ? "no subprotocol" : "subprotocol " + std::string(opened.subprotocol)) +
         ", " + deflate_text(opened.deflate));
  // Sent on each connection, because subscriptions end with the old one.
  for (const std::string& text : arguments_.texts) waiting_.push_back(text);
  go_on();
}

void Conversation::on_message(session::Client&, const session::Message& message) {
  if (leaving_) return;
  const bool is_text = message.opcode == ws::Opcode::text;
  if (is_text) {
    screen_.message(as_text(message.payload));
  } else {
    screen_.binary_message(message.payload);
  }
  detail("received " + std::string(is_text ? "text" : "binary") + " of " +
         std::to_string(message.payload.size()) + " bytes, " + milliseconds(system_clock().now() - began_) +
         " after the start");
  if (++received_ == arguments_.count.value_or(0)) leave();
}

void Conversation::on_drained(session::Client&) {
  congested_ = false;
  go_on();
}

void Conversation::on_pong(session::Client&, Bytes payload) {
  // An answer to a later ping answers the earlier ones, too (RFC6455§5.5.3).
  for (std::size_t at = 0; at < pings_.size(); ++at) {
    if (pings_[at].payload != as_text(payload)) continue;
    screen_.notice("pong after " + milliseconds(system_clock().now() - pings_[at].sent));
    pings_.erase(pings_.begin(), pings_.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    return;
  }
}

void Conversation::on_close(session::Client&, const session::CloseInfo& info,
                            std::optional<Duration> reconnect_in) {
  const int status = leaving_ ? kConnectDone : status_of(info);
  if (status != kConnectDone || arguments_.verbose || screen_.has_prompt() || reconnect_in) {
    screen_.notice(ending_text(info) + retry_text(reconnect_in));
  }
  began_ = system_clock().now();
  if (!reconnect_in) end(status);
}

void Conversation::on_failed(session::Client&, const session::ClientError& error,
                             std::optional<Duration> reconnect_in) {
  if (error.failure == session::ClientFailure::cancelled) return end(kConnectDone);
  screen_.notice(printable(error.text) + retry_text(reconnect_in));
  began_ = system_clock().now();
  if (reconnect_in) return;
  const bool is_usage =
      error.failure == session::ClientFailure::bad_url || error.failure == session::ClientFailure::bad_option;
  end(is_usage ? kConnectUsage : was_open_ ? kConnectLost : kConnectFailed);
}

void Conversation::take_input(const std::string& piece) {
  asked_ = false;
  if (screen_.has_prompt()) {
    const LineEditor::Typed typed = screen_.type(piece);
    for (const std::string& line : typed.lines) take_line(line);
    if (typed.leave || piece.empty()) {
      input_ended_ = true;
      leave();
    }
    return go_on();
  }
  if (piece.empty()) {
    input_ended_ = true;
    if (!half_line_.empty()) take_line(std::exchange(half_line_, {}));
  }
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = piece.find('\n', begin)) != std::string::npos; begin = end + 1) {
    half_line_.append(piece, begin, end - begin);
    take_line(std::exchange(half_line_, {}));
  }
  half_line_.append(piece, begin);
  go_on();
}

void Conversation::take_line(std::string line) {
  if (!screen_.has_prompt()) {
    if (line.ends_with('\r')) line.pop_back();
    waiting_.push_back(std::move(line));
    return;
  }
  const auto action = read_prompt_line(line, arguments_.binary);
  if (action) {
    act(*action);
  } else {
    screen_.notice(action.error());
  }
}

void Conversation::act(const PromptAction& action) {
  const auto tell = [this](session::SendResult result) {
    if (result == session::SendResult::closed) screen_.notice("not sent: there is no connection");
  };
  std::visit(
      Overloaded{[&](const SendText& message) { tell(client_.send_text(message.text)); },
                 [&](const SendBinary& message) { tell(client_.send_binary(as_bytes(message.bytes))); },
                 [&](const SendPing& message) { ping(message.payload); },
                 [&](const CloseWith& close) { leave(close.code, close.reason); },
                 [&](const ShowHelp&) { screen_.notice(prompt_help()); }},
      action);
}

void Conversation::go_on() {
  while (!congested_ && !leaving_ && !waiting_.empty() && client_.state() == session::Client::State::open) {
    const session::SendResult result = send(waiting_.front());
    if (result == session::SendResult::closed) return;
    detail("sent " + std::to_string(waiting_.front().size()) + " bytes" +
           (arguments_.binary ? " of hex" : ""));
    waiting_.pop_front();
    congested_ = result == session::SendResult::congested;
  }
  if (input_ended_) {
    if (waiting_.empty() && was_open_) leave_in_time();
  } else if (!asked_ && (screen_.has_prompt() || waiting_.empty()) && input_ != nullptr) {
    asked_ = true;
    input_->ask_for_more();
  }
}

session::SendResult Conversation::send(std::string_view line) {
  if (!arguments_.binary) return client_.send_text(line);
  const auto bytes = from_hex(line);
  if (bytes) return client_.send_binary(as_bytes(*bytes));
  screen_.notice("'" + printable(line) + "': " + bytes.error());
  leave();
  status_ = kConnectUsage;
  return session::SendResult::closed;
}

void Conversation::ping(const std::string& payload) {
  if (payload.size() > kPingBytesMax) {
    return screen_.notice("not sent: a ping carries at most " + std::to_string(kPingBytesMax) + " bytes");
  }
  if (client_.ping(as_bytes(payload)) == session::SendResult::closed) {
    return screen_.notice("not sent: there is no connection");
  }
  pings_.push_back({.payload = payload, .sent = system_clock().now()});
}

void Conversation::leave_in_time() {
  const bool stays = !wait_ && (arguments_.count || arguments_.reconnect);
  if (stays || std::exchange(timer_runs_, true)) return;
  loop_.call_after(wait_.value_or(kWaitDefault), [this] { leave(); });
}

void Conversation::leave(std::uint16_t code, const std::string& reason) {
  if (leaving_) return;
  leaving_ = true;
  if (client_.close(code, reason)) return;
  leaving_ = false;
  screen_.notice(
      "not sent: a Close frame cannot carry this; codes are 1000 to 1014 or 3000 to 4999, and a "
      "reason has at most 123 bytes");
}

void Conversation::end(int status) {
  if (status_ == kConnectDone) status_ = status;
  loop_.stop();
}

void Conversation::detail(const std::string& text) {
  if (arguments_.verbose) screen_.notice(text);
}

}  // namespace fanfare::app
