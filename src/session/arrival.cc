#include "session/arrival.h"

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/guard.h"
#include "base/log.h"
#include "base/log_limiter.h"
#include "net/stream.h"
#include "session/http_connection.h"
#include "session/proxy_protocol.h"

namespace fanfare::session {

std::unique_ptr<Member> make_first_handler(ServerTable& table, ListenerContext& context,
                                           Admission admission) {
  const bool is_plain =
      context.options.certificate == nullptr && context.options.proxy_protocol == ProxyProtocol::off;
  if (is_plain) return std::make_unique<HttpConnection>(table, context, std::move(admission));
  return std::make_unique<Arrival>(table, context, std::move(admission));
}

Arrival::Arrival(ServerTable& table, ListenerContext& context, Admission admission)
    : Member(Kind::opening),
      table_(table),
      context_(context),
      admission_(std::move(admission)),
      accepted_ms_(table.now_ms()) {}

void Arrival::on_adopted(net::Stream& stream) {
  stream_ = &stream;
  set_transport(stream);
  join();
  table_.admit(*this, std::move(admission_));
}

void Arrival::on_attached() {
  if (!requires_proxy_header()) go_ahead({});
}

bool Arrival::requires_proxy_header() const {
  return context_.options.proxy_protocol == ProxyProtocol::required;
}

void Arrival::on_receive(MutableBytes bytes) {
  if (!run_guarded("a connection", [&] { read_proxy_header(bytes); })) close();
}

void Arrival::read_proxy_header(MutableBytes bytes) {
  const std::size_t held_before = header_.size();
  header_.insert(header_.end(), bytes.begin(), bytes.end());
  const auto header = parse_proxy_header(header_);
  if (!header) {
    static LogLimiter refused(log::Level::warn, "proxy_header_refused");
    refused.write({{"peer", peer()}, {"error", header.error()}});
    return drop(Refusal::proxy_header);
  }
  const MutableBytes rest = *header ? bytes.subspan((*header)->size - held_before) : MutableBytes();
  table_.counters().bytes_received.add(bytes.size() - rest.size());
  if (!*header) return;
  if ((*header)->source) {
    table_.set_peer(*stream_, (*header)->source->text());
    if (!enter_address(*(*header)->source)) return;
  } else if (const auto address = net::peer_address(stream_->fd()); address && !enter_address(*address)) {
    return;
  }
  header_ = {};
  go_ahead(rest);
}

bool Arrival::enter_address(const net::Address& address) {
  const auto entered = table_.gate.enter_address(address, table_.loop().now());
  if (!entered) {
    drop(entered.error());
    return false;
  }
  table_.set_ticket(*this, *entered);
  return true;
}

void Arrival::go_ahead(MutableBytes rest) {
  if (context_.options.certificate == nullptr) return begin_http(rest);
  securing_ = true;
  stream_->start_tls(context_.options.certificate->context(), net::TlsRole::server);
  if (!rest.empty()) stream_->receive_encrypted(rest);
}

void Arrival::on_secured() {
  if (!run_guarded("a connection", [&] { begin_http({}); })) close();
}

void Arrival::begin_http(MutableBytes rest) {
  auto http = std::make_unique<HttpConnection>(table_, context_, *stream_, accepted_ms_);
  HttpConnection& begun = *http;
  table_.replace(*this, begun);
  stream_->set_handler(std::move(http));
  if (!rest.empty()) begun.on_receive(rest);
}

// Before the first request: dropped without a response, which the peer could not interpret.
void Arrival::drop(Refusal refusal) {
  table_.gate.count(refusal);
  close();
}

void Arrival::shut_down(std::uint16_t, std::string_view) {
  close();
}

void Arrival::on_lost(const net::OsError& error) {
  if (!securing_ || error.code != EPROTO) return;
  static LogLimiter failed(log::Level::debug, "tls_handshake_failed", kDebugLogLimits);
  failed.write({{"peer", peer()}, {"error", error.detail}});
  table_.gate.count(Refusal::tls_failed);
}

void Arrival::check_time(std::uint32_t now) {
  if (is_closed()) return;
  const HttpSettings& settings = context_.http;
  const auto since = std::chrono::milliseconds(now - accepted_ms_);
  if (securing_ && since >= settings.tls_timeout) return drop(Refusal::tls_timeout);
  if (since >= settings.handshake_timeout) drop(Refusal::handshake_timeout);
}

}  // namespace fanfare::session
