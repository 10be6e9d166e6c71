#include "session/http_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/guard.h"
#include "base/log_limiter.h"
#include "net/stream.h"
#include "session/session.h"
#include "ws/deflate_codec.h"
#include "ws/handshake.h"

namespace fanfare::session {
HttpConnection::HttpConnection(ServerTable& table, ListenerContext& context, Admission admission)
    : HttpInput(table, context), admission_(std::move(admission)) {
  since_ms_ = now_ms();
}

HttpConnection::HttpConnection(ServerTable& table, ListenerContext& context, net::Transport& transport,
                               std::uint32_t accepted_ms)
    : HttpInput(table, context) {
  set_transport(transport);
  since_ms_ = accepted_ms;
}

HttpConnection::~HttpConnection() = default;

void HttpConnection::on_adopted(net::Stream& stream) {
  set_transport(stream);
  open(std::move(admission_));
}

void HttpConnection::open(Admission admission) {
  join();
  table_.admit(*this, std::move(admission));
}

void HttpConnection::on_receive(MutableBytes bytes) {
  // Bytes that had to be kept are lost, so the rest of the input cannot be interpreted.
  if (!run_guarded("a connection", [&] { receive(bytes); })) close();
}

void HttpConnection::receive(MutableBytes bytes) {
  table_.counters().bytes_received.add(bytes.size());
  // RFC9112§9.6: read on while leaving, so that no reset destroys the response.
  if (state_ != State::leaving) read_requests(bytes);
}

bool HttpConnection::has_requests_left() {
  if (const std::uint32_t turn = table_.loop().turn_number(); turn_ != turn) {
    turn_ = turn;
    requests_in_turn_ = 0;
  }
  return requests_in_turn_ < settings().requests_per_turn_max;
}

bool HttpConnection::is_backed_up() const {
  return queued_bytes() >= std::max<std::size_t>(1, settings().outbox_bytes_high);
}

void HttpConnection::on_flushed() {
  unsent_.clear();
  if (state_ == State::streaming) {
    since_ms_ = now_ms();
    if (!run_guarded("an answer", [this] { body_->on_writable(*this); })) abort_body();
    return;
  }
  if (!std::exchange(backed_up_, false) || is_closed() || state_ != State::waiting) return;
  if (!run_guarded("a connection", [this] { read_unread(); })) close();
}

void HttpConnection::go_on() {
  if (is_closed() || backed_up_) return;
  if (has_body_to_read()) {
    if (!run_guarded("a connection", [this] { read_unread(); })) close();
    return;
  }
  if (state_ != State::waiting || unread_.empty()) return;
  if (!has_requests_left()) return table_.go_on_next_turn(*this);  // still the same turn
  if (!run_guarded("a connection", [this] { read_unread(); })) close();
}

std::optional<net::PeerCertificate> HttpConnection::peer_certificate() const {
  const net::TlsSession* const tls = transport().tls();
  return tls == nullptr ? std::nullopt : tls->peer_certificate();
}

void HttpConnection::read_unread() {
  transport().resume_reading();
  std::vector<std::uint8_t> unread = std::exchange(unread_, {});
  read_requests(unread);
  if (state_ == State::upgraded || !end_waits_ || !unread_.empty() || is_closed()) return;
  end_waits_ = false;
  on_end();
}

bool HttpConnection::must_wait(Bytes input) {
  if (is_answering()) {
    if (!input.empty()) keep(input);
    return true;
  }
  if (state_ != State::waiting) return false;
  if (is_backed_up()) {
    keep(input);
    backed_up_ = true;
    transport().notify_when_flushed();
    return true;
  }
  if (input.empty() || has_requests_left()) return false;
  keep(input);
  table_.counters().turn_shares_spent.add();
  service().on_turn_share_spent();
  table_.go_on_next_turn(*this);
  return true;
}

void HttpConnection::read_requests(MutableBytes bytes) {
  if (!unread_.empty()) return keep(bytes);  // after the data that is waiting
  Bytes input = bytes;
  in_read_requests_ = true;
  while (!is_closed() && state_ != State::leaving) {
    if (in_body_) {
      if (!read_body(input)) break;
      continue;
    }
    if (must_wait(input)) break;
    const auto next = next_request(input);
    if (!next) {
      refuse(next.error().status, next.error().reason);
      break;
    }
    if (!*next) {
      if (parser_.take_continue()) http::render_continue(transport());
      note_reading();
      break;
    }
    if (!serve(**next, bytes.subspan(bytes.size() - input.size()))) break;
  }
  in_read_requests_ = false;
}

void HttpConnection::note_reading() {
  if (state_ == State::waiting && parser_.in_request()) {
    state_ = State::reading;
    // The first head's timer has been running since the accept.
    if (had_head_) since_ms_ = now_ms();
  }
  if (!had_head_ && parser_.in_body()) {
    had_head_ = true;
    since_ms_ = now_ms();
  }
}

bool HttpConnection::serve(const http::Request& request, MutableBytes behind) {
  begin_answer(request);
  decides_later_ = false;
  ++requests_in_turn_;
  had_head_ = true;
  table_.note_request(*this, request.headers);
  // RFC9110§7.8: a server may ignore Upgrade. Only a GET can become a WebSocket (RFC6455§4.2.1), and not one
  // whose body is still to come.
  if (in_body_ || request.method != "GET" || !ws::is_upgrade(request.headers)) {
    service().on_request(*this, request);
    return true;
  }
  Session* const session = upgrade(request);
  if (session == nullptr) return true;
  // The bytes after the request are the WebSocket's first ones.
  if (!behind.empty()) session->on_receive(behind);
  return false;
}

Session* HttpConnection::upgrade(const http::Request& request) {
  UpgradeDecision decision = service().on_upgrade(*this, request);
  if (const auto* refusal = std::get_if<HttpResponse>(&decision)) {
    respond(*refusal);
    return nullptr;
  }
  if (std::holds_alternative<DecideLater>(decision)) {
    decides_later_ = true;
    return nullptr;
  }
  auto& acceptance = std::get<Acceptance>(decision);
  auto agreed =
      acceptance.agreed ? *std::move(acceptance.agreed) : check_upgrade(request, *acceptance.policy);
  if (!agreed) {
    refuse_handshake(acceptance, std::move(agreed.error()));
    return nullptr;
  }
  return &start_websocket(*agreed, std::move(acceptance));
}

void HttpConnection::refuse_handshake(Acceptance& acceptance, ws::UpgradeRefusal refusal) {
  static LogLimiter refused(log::Level::debug, "upgrade_refused", kDebugLogLimits);
  refused.write({{"rule", ws::info(refusal.rule).name}, {"status", refusal.status}});
  acceptance.endpoint->on_upgrade_refused(refusal.status);
  respond(response_of(std::move(refusal)));
}

Session& HttpConnection::start_websocket(const ws::UpgradeAccept& agreed, Acceptance acceptance) {
  if (note_ != nullptr) note_->add_headers(acceptance.headers);
  std::vector<HeaderField> extra;
  for (const ws::OwnedHeader& header : acceptance.headers) extra.push_back({header.name, header.value});
  std::unique_ptr<ws::MessageCodec> codec;
  if (agreed.deflate) {
    codec = std::make_unique<ws::DeflateCodec>(*agreed.deflate, ws::Role::server,
                                               table_.deflate_pool(acceptance.policy->deflate));
  }
  SessionData* const data = acceptance.data.get();
  const SessionSettings& of_messages = acceptance.endpoint->settings();
  auto session = Session::make(table_, transport(), *acceptance.endpoint,
                               {.role = ws::Role::server,
                                .limits = of_messages.pieces ? &*of_messages.pieces : &of_messages.limits,
                                .random = nullptr,
                                .codec = std::move(codec),
                                .pieces = of_messages.pieces.has_value()},
                               std::move(acceptance.data));
  Session& opened = *session;
  if (data != nullptr) data->on_opening(opened, agreed.subprotocol);
  transport().append(as_bytes(agreed.response(extra)));
  service().on_answered(101);
  const std::shared_ptr<RequestNote> note = std::move(note_);
  if (note != nullptr) note->on_answered(101, 0);
  state_ = State::upgraded;
  transport().set_handler(std::move(session));
  opened.open_in_place_of(*this);
  if (note != nullptr) note->on_opened(opened.id());
  return opened;
}

void HttpConnection::accept_upgrade(Acceptance acceptance) {
  if (!decides_later_ || state_ != State::answering) return;
  const std::vector<std::uint8_t> unread = std::exchange(unread_, {});
  const ws::UpgradeAccept agreed = *std::move(acceptance.agreed);
  start_websocket(agreed, std::move(acceptance)).receive_later(unread, end_came_);
}

void HttpConnection::on_answered() {
  since_ms_ = now_ms();
  forget_drain();
  if (!keep_alive_) return begin_leaving();
  if (discard_rest_of_body()) return;
  state_ = State::waiting;
  // Deferred: the next request's handler must not run on the stack of the caller that responds.
  if (!in_read_requests_ && !unread_.empty()) table_.go_on_next_turn(*this);
}

void HttpConnection::refuse(int status, std::string_view reason) {
  state_ = State::answering;
  keep_alive_ = false;
  service().on_unreadable(*this);
  HttpResponse response{.status = status, .body = std::string(reason) + "\n", .headers = {}};
  service().on_refusal(parser_.headers(), response);
  respond(response);
}

void HttpConnection::shut_down(std::uint16_t, std::string_view) {
  if (is_answering()) {
    keep_alive_ = false;
    if (state_ == State::streaming) body_->on_shut_down(*this);
  } else if (state_ != State::leaving) {
    const bool answer_on_its_way = had_head_ && queued_bytes() > 0;
    if (!answer_on_its_way) return close();
    keep_alive_ = false;
    begin_leaving();
  }
}

bool HttpConnection::is_at_work(std::uint32_t now) const {
  if (is_answering() || state_ == State::reading) return true;
  return state_ == State::waiting && !had_head_ && now - since_ms_ < kFirstRequestWaitMs;
}

// Sends the queued data and a FIN, then waits for the client's FIN.
void HttpConnection::begin_leaving() {
  drop_body();
  state_ = State::leaving;
  since_ms_ = now_ms();
  backed_up_ = false;
  std::vector<std::uint8_t>().swap(unread_);
  // RFC9112§9.6: further input is read and discarded, so that no reset destroys the response.
  transport().resume_reading();
  transport().finish_writing();
}

void HttpConnection::on_end() {
  // Requests that arrived before the FIN are answered first.
  if (!unread_.empty()) {
    note_end();
    end_waits_ = true;
    end_came_ = true;
    return;
  }
  // RFC9112§8: the request will never be complete.
  if (is_body_incomplete()) {
    drop_body();
    return state_ == State::streaming ? abort_body() : begin_leaving();
  }
  switch (state_) {
    case State::waiting:
    case State::reading:
      return begin_leaving();
    case State::answering:
    case State::streaming:
      // A client may half-close after its last request and still wait for the response.
      keep_alive_ = false;
      end_came_ = true;
      note_end();
      return;
    case State::leaving:
      return transport().finish_writing();
    case State::upgraded:
      return;
  }
}

void HttpConnection::on_detached() {
  body_.reset();
  drop_body();
  abandon_answer();
  leave_table();
}

void HttpConnection::check_time(std::uint32_t now) {
  if (is_closed()) return;
  const auto since = std::chrono::milliseconds(now - since_ms_);
  switch (state_) {
    case State::waiting:
      if (had_head_) {
        if (has_waited(now, settings().idle_timeout)) close();
      } else if (since >= settings().handshake_timeout) {
        table_.gate.count(Refusal::handshake_timeout);
        close();
      }
      break;
    case State::reading:
      // Occasional bytes must not hold a connection: the deadline applies to the whole head, and to the whole
      // body. If the response was sent already, it cannot be 408.
      if (discarding_ && since >= settings().request_timeout) return begin_leaving();
      if (since < (had_head_ ? settings().request_timeout : settings().handshake_timeout)) break;
      if (!had_head_) table_.gate.count(Refusal::handshake_timeout);
      refuse(408, "the request took too long to arrive");
      break;
    case State::answering:
      check_reading_body(now);
      break;
    case State::streaming:
      check_body_time(now);
      check_reading_body(now);
      break;
    case State::leaving:
      if (has_waited(now, queued_bytes() > 0 ? std::max(settings().idle_timeout, settings().linger_timeout)
                                             : settings().linger_timeout)) {
        close();
      }
      break;
    case State::upgraded:
      break;
  }
}

}  // namespace fanfare::session
