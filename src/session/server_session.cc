#include "session/server_session.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/log_limiter.h"
#include "http/render.h"
#include "http/status.h"
#include "net/socket.h"
#include "session/http_answer.h"
#include "session/milliseconds.h"
#include "session/proxy_protocol.h"
#include "session/server_session_http.h"
#include "session/session_table.h"
#include "ws/deflate_codec.h"
#include "ws/handshake.h"

namespace fanfare::session {

ServerTable::ServerTable(net::Loop& loop, Duration sweep_interval, AcceptGate& its_gate)
    : SessionTable(loop, sweep_interval), gate(its_gate), room(sizeof(ServerSession)) {}

ServerSession::ServerSession(ServerTable& table, ListenerContext& listener_context,
                             AddressLimits::Ticket ticket)
    : Session(table), ticket_(ticket) {
  set_data(std::make_unique<Http>(listener_context));
  http_state().since_ms = now_ms();
}

ServerSession::~ServerSession() {
  server_table().announced_peers.erase(this);
}

ServerSession::Http& ServerSession::http_state() const {
  return data<Http>();
}

ListenerContext& ServerSession::listener_context() const {
  return http_state().listener_context;
}

void ServerSession::on_attached() {
  Session::on_attached();
  if (listener_context().options.proxy_protocol == ProxyProtocol::required) {
    http_state().state = Http::State::proxy_header;
  } else {
    begin_tls();
  }
}

void ServerSession::begin_tls() {
  if (listener_context().options.certificate == nullptr) {
    http_state().state = Http::State::waiting;
    return;
  }
  http_state().state = Http::State::securing;
  start_tls(listener_context().options.certificate->context(), net::TlsRole::server);
}

void ServerSession::on_secured() {
  http_state().state = Http::State::waiting;
}

void ServerSession::read_proxy_header(MutableBytes bytes) {
  std::vector<std::uint8_t>& held = http_state().unread;
  const std::size_t held_before = held.size();
  held.insert(held.end(), bytes.begin(), bytes.end());
  const auto header = parse_proxy_header(held);
  if (!header) {
    static LogLimiter refused(log::Level::warn, "proxy_header_refused");
    refused.write({{"peer", peer()}, {"error", header.error()}});
    return drop(Refusal::proxy_header);
  }
  if (!*header) return;
  const MutableBytes rest = bytes.subspan((*header)->size - held_before);
  if ((*header)->source) {
    server_table().announced_peers[this] = (*header)->source->text();
    if (!enter_address(*(*header)->source)) return;
  } else if (const auto address = net::peer_address(fd()); address && !enter_address(*address)) {
    return;
  }
  held = {};
  begin_tls();
  if (rest.empty()) return;
  if (http_state().state == Http::State::securing) return receive_encrypted(rest);
  on_receive(rest);
}

bool ServerSession::enter_address(const net::Address& address) {
  const auto entered = server_table().gate.enter_address(address, loop().now());
  if (!entered) {
    drop(entered.error());
    return false;
  }
  ticket_ = *entered;
  return true;
}

// Before the first request: dropped without a response, which the peer could not interpret.
void ServerSession::drop(Refusal refusal) {
  server_table().gate.count(refusal);
  close();
}

std::string ServerSession::peer() const {
  const auto announced = server_table().announced_peers.find(this);
  if (announced != server_table().announced_peers.end()) return announced->second;
  const auto address = net::peer_address(fd());
  return address ? address->text() : "";
}

void ServerSession::on_receive(MutableBytes bytes) {
  // Bytes that had to be kept are lost, so the rest of the input cannot be interpreted.
  if (!run_guarded("a connection", [&] { receive(bytes); })) close();
}

void ServerSession::receive(MutableBytes bytes) {
  if (was_opened()) return receive_messages(bytes);
  table().counters().bytes_received.add(bytes.size());
  if (http_state().state == Http::State::leaving)
    return;  // RFC9112§9.6: read on, so that no reset destroys the response
  if (http_state().state == Http::State::proxy_header) return read_proxy_header(bytes);
  read_requests(bytes);
}

bool ServerSession::has_requests_left() {
  if (const std::uint32_t turn = loop().turn_number(); http_state().turn != turn) {
    http_state().turn = turn;
    http_state().requests_in_turn = 0;
  }
  return http_state().requests_in_turn < listener_context().http.requests_per_turn_max;
}

bool ServerSession::is_backed_up() const {
  return queued_bytes() >= std::max<std::size_t>(1, listener_context().http.outbox_bytes_high);
}

void ServerSession::on_flushed() {
  if (was_opened()) return Session::on_flushed();
  http_state().unsent.clear();
  if (http_state().state == Http::State::streaming) {
    http_state().since_ms = now_ms();
    if (!run_guarded("an answer", [this] { http_state().body->on_writable(*this); })) abort_body();
    return;
  }
  if (!std::exchange(http_state().backed_up, false) || is_closed()) return;
  if (http_state().state != Http::State::waiting) return;
  if (!run_guarded("a connection", [this] { read_unread(); })) close();
}

void ServerSession::go_on() {
  if (was_opened()) return Session::go_on();
  if (is_closed() || http_state().backed_up || http_state().state != Http::State::waiting ||
      http_state().unread.empty())
    return;
  if (!has_requests_left()) return table().go_on_next_turn(*this);  // still the same turn
  if (!run_guarded("a connection", [this] { read_unread(); })) close();
}

void ServerSession::read_unread() {
  resume_reading();
  std::vector<std::uint8_t> unread = std::exchange(http_state().unread, {});
  read_requests(unread);
  if (!was_opened() && http_state().end_waits && http_state().unread.empty() && !is_closed()) {
    http_state().end_waits = false;
    on_end();
  }
}

void ServerSession::read_requests(MutableBytes bytes) {
  Bytes input = bytes;
  const auto keep = [&] {
    http_state().unread.insert(http_state().unread.end(), input.begin(), input.end());
    pause_reading();
  };
  if (!http_state().unread.empty()) return keep();  // after the data that is waiting
  http_state().in_read_requests = true;
  while (!is_closed() && http_state().state != Http::State::leaving) {
    if (http_state().is_answering()) {
      if (!input.empty()) keep();
      break;
    }
    if (http_state().state == Http::State::waiting && is_backed_up()) {
      keep();
      http_state().backed_up = true;
      tell_when_flushed();
      break;
    }
    if (http_state().state == Http::State::waiting && !input.empty() && !has_requests_left()) {
      keep();
      table().counters().turn_shares_spent.add();
      service().on_turn_share_spent();
      table().go_on_next_turn(*this);
      break;
    }
    const auto next = http_state().parser.next(input);
    if (!next) {
      refuse(next.error().status, next.error().reason);
      break;
    }
    if (!*next) {
      if (http_state().parser.take_continue()) http::render_continue(*this);
      note_reading();
      break;
    }
    const http::Request& request = **next;
    http_state().state = Http::State::answering;
    http_state().answer_headers.clear();
    http_state().decides_later = false;
    ++http_state().requests_in_turn;
    http_state().had_head = true;
    http_state().keep_alive = request.keep_alive;
    http_state().head_only = request.method == "HEAD";
    http_state().version_minor = request.version_minor;
    // RFC9110§7.8: a server may ignore Upgrade. Only a GET can become a WebSocket (RFC6455§4.2.1).
    if (request.method == "GET" && ws::is_upgrade(request.headers)) {
      if (!upgrade(request)) continue;
      // The bytes after the request are the WebSocket's first ones.
      return receive_messages(bytes.subspan(bytes.size() - input.size()));
    }
    service().on_request(*this, request);
  }
  http_state().in_read_requests = false;
}

// Starts the timer for a partly received request. The first head's timer has been running since the accept.
void ServerSession::note_reading() {
  if (http_state().state == Http::State::waiting && http_state().parser.in_request()) {
    http_state().state = Http::State::reading;
    if (http_state().had_head) http_state().since_ms = now_ms();
  }
  if (!http_state().had_head && http_state().parser.in_body()) {
    http_state().had_head = true;
    http_state().since_ms = now_ms();
  }
}

// Returns whether the connection is now a WebSocket.
bool ServerSession::upgrade(const http::Request& request) {
  UpgradeDecision decision = service().on_upgrade(*this, request);
  if (const auto* refusal = std::get_if<HttpResponse>(&decision)) {
    respond(*refusal);
    return false;
  }
  if (std::holds_alternative<DecideLater>(decision)) {
    http_state().decides_later = true;
    return false;
  }
  auto& acceptance = std::get<Acceptance>(decision);
  auto agreed =
      acceptance.agreed ? *std::move(acceptance.agreed) : check_upgrade(request, *acceptance.policy);
  if (!agreed) {
    refuse_handshake(acceptance, std::move(agreed.error()));
    return false;
  }
  start_websocket(*agreed, std::move(acceptance));
  return true;
}

void ServerSession::refuse_handshake(Acceptance& acceptance, ws::UpgradeRefusal refusal) {
  static LogLimiter refused(log::Level::debug, "upgrade_refused", kDebugLogLimits);
  refused.write({{"rule", ws::info(refusal.rule).name}, {"status", refusal.status}});
  acceptance.endpoint->on_upgrade_refused(refusal.status);
  respond(response_of(std::move(refusal)));
}

void ServerSession::start_websocket(const ws::UpgradeAccept& agreed, Acceptance acceptance) {
  std::vector<HeaderField> extra;
  for (const ws::OwnedHeader& header : acceptance.headers) extra.push_back({header.name, header.value});
  append(as_bytes(agreed.response(extra)));
  service().on_answered(101);
  std::unique_ptr<ws::MessageCodec> codec;
  if (agreed.deflate) {
    codec = std::make_unique<ws::DeflateCodec>(*agreed.deflate, ws::Role::server,
                                               table().deflate_pool(acceptance.policy->deflate));
  }
  if (acceptance.data != nullptr) acceptance.data->on_agreed(agreed.subprotocol);
  set_data(std::move(acceptance.data));
  const SessionSettings& settings = acceptance.endpoint->settings();
  open(*acceptance.endpoint, {.role = ws::Role::server,
                              .limits = settings.pieces ? &*settings.pieces : &settings.limits,
                              .random = nullptr,
                              .codec = std::move(codec),
                              .pieces = settings.pieces.has_value()});
}

void ServerSession::accept_upgrade(Acceptance acceptance) {
  if (was_opened() || !http_state().decides_later || http_state().state != Http::State::answering) return;
  const std::vector<std::uint8_t> unread = std::exchange(http_state().unread, {});
  const bool end_came = http_state().end_came;
  // Moved out, because opening destroys it.
  const ws::UpgradeAccept agreed = *std::move(acceptance.agreed);
  start_websocket(agreed, std::move(acceptance));
  receive_later(unread, end_came);
}

void ServerSession::set_answer_headers(std::vector<ws::OwnedHeader> headers) {
  if (!was_opened()) http_state().answer_headers = std::move(headers);
}

void ServerSession::respond(const HttpResponse& response) {
  if (was_opened() || http_state().state != Http::State::answering) return;
  const http::Answer answer = answer_of(response, http_state().answer_headers);
  const std::string_view body = answer.explanation.empty() ? response.body : answer.explanation;
  const std::string date = http::format_date(system_clock().wall_now());
  http::render_response(*this, answer.status, answer.headers, as_bytes(body),
                        {.keep_alive = http_state().keep_alive,
                         .version_minor = http_state().version_minor,
                         .date = date,
                         .head_only = http_state().head_only});
  if (response.until_sent != nullptr) {
    http_state().unsent.push_back(response.until_sent);
    tell_when_flushed();
  }
  service().on_answered(answer.status);
  answered();
}

void ServerSession::answered() {
  http_state().since_ms = now_ms();
  forget_drain();
  if (!http_state().keep_alive) return begin_leaving();
  http_state().state = Http::State::waiting;
  // Deferred: the next request's handler must not run on the stack of the caller that responds.
  if (!http_state().in_read_requests && !http_state().unread.empty()) table().go_on_next_turn(*this);
}

void ServerSession::refuse(int status, std::string_view reason) {
  http_state().state = Http::State::answering;
  http_state().keep_alive = false;
  HttpResponse response{.status = status, .body = std::string(reason) + "\n", .headers = {}};
  service().on_refusal(http_state().parser.headers(), response);
  respond(response);
}

void ServerSession::shut_down(std::uint16_t code, std::string_view reason) {
  if (was_opened()) return Session::shut_down(code, reason);
  if (http_state().is_answering()) {
    http_state().keep_alive = false;
    if (http_state().state == Http::State::streaming) http_state().body->on_shut_down(*this);
  } else if (http_state().state != Http::State::leaving) {
    const bool answer_on_its_way = http_state().had_head && queued_bytes() > 0;
    if (!answer_on_its_way) return close();
    http_state().keep_alive = false;
    begin_leaving();
  }
}

// Sends the queued data and a FIN, then waits for the client's FIN.
void ServerSession::begin_leaving() {
  http_state().state = Http::State::leaving;
  http_state().since_ms = now_ms();
  http_state().backed_up = false;
  http_state().unread = {};
  // RFC9112§9.6: further input is read and discarded, so that no reset destroys the response.
  resume_reading();
  finish_writing();
}

void ServerSession::on_end() {
  if (was_opened()) return Session::on_end();
  const bool before_requests =
      http_state().state == Http::State::proxy_header || http_state().state == Http::State::securing;
  // Requests that arrived before the FIN are answered first.
  if (!http_state().unread.empty() && !before_requests) {
    http_state().end_waits = true;
    http_state().end_came = true;
    return;
  }
  switch (http_state().state) {
    case Http::State::proxy_header:
    case Http::State::securing:
      return close();
    case Http::State::waiting:
    case Http::State::reading:
      return begin_leaving();
    case Http::State::answering:
    case Http::State::streaming:
      // A client may half-close after its last request and still wait for the response.
      http_state().keep_alive = false;
      http_state().end_came = true;
      return;
    case Http::State::leaving:
      return finish_writing();
  }
}

void ServerSession::on_lost(const net::OsError& error) {
  if (!was_opened() && http_state().state == Http::State::securing && error.code == EPROTO) {
    static LogLimiter failed(log::Level::debug, "tls_handshake_failed", kDebugLogLimits);
    failed.write({{"peer", peer()}, {"error", error.detail}});
    server_table().gate.count(Refusal::tls_failed);
  }
  Session::on_lost(error);
}

void ServerSession::on_detached() {
  if (!was_opened()) http_state().body.reset();
  Session::on_detached();
  server_table().gate.leave_address(ticket_);
  server_table().gate.leave();
}

bool ServerSession::has_waited(std::uint32_t now, Duration timeout) {
  const std::uint32_t rate_min = listener_context().http.drain_bytes_per_second_min;
  return waited_ms(now, http_state().since_ms, timeout, rate_min) >= to_ms(timeout);
}

void ServerSession::check_time(std::uint32_t now) {
  if (was_opened()) return Session::check_time(now);
  if (is_closed()) return;
  const HttpSettings& settings = listener_context().http;
  const auto since = std::chrono::milliseconds(now - http_state().since_ms);
  switch (http_state().state) {
    case Http::State::proxy_header:
      if (since >= settings.handshake_timeout) drop(Refusal::handshake_timeout);
      break;
    case Http::State::securing:
      if (since >= settings.tls_timeout) {
        drop(Refusal::tls_timeout);
      } else if (since >= settings.handshake_timeout) {
        drop(Refusal::handshake_timeout);
      }
      break;
    case Http::State::waiting:
      if (http_state().had_head) {
        if (has_waited(now, settings.idle_timeout)) close();
      } else if (since >= settings.handshake_timeout) {
        drop(Refusal::handshake_timeout);
      }
      break;
    case Http::State::reading:
      // Occasional bytes must not hold a connection: the deadline applies to the whole head, and to the whole
      // body.
      if (since < (http_state().had_head ? settings.request_timeout : settings.handshake_timeout)) break;
      if (!http_state().had_head) server_table().gate.count(Refusal::handshake_timeout);
      refuse(408, "the request took too long to arrive");
      break;
    case Http::State::answering:
      break;
    case Http::State::streaming:
      check_body_time(now);
      break;
    case Http::State::leaving:
      if (has_waited(now, queued_bytes() > 0 ? std::max(settings.idle_timeout, settings.linger_timeout)
                                             : settings.linger_timeout)) {
        close();
      }
      break;
  }
}

}  // namespace fanfare::session
