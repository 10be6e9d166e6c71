#include "api/settings.h"

#include <algorithm>

#include "ws/close_code.h"
#include "ws/close_frame.h"
#include "ws/utf8.h"

namespace fanfare::api {

net::LoopKind to_engine(LoopKind kind) {
  switch (kind) {
    case LoopKind::automatic:
      return net::LoopKind::automatic;
    case LoopKind::uring:
      return net::LoopKind::uring;
    case LoopKind::epoll:
      return net::LoopKind::epoll;
  }
  return net::LoopKind::automatic;
}

session::SessionSettings to_settings(const Limits& limits, const Heartbeat& heartbeat) {
  return {.limits = {.message_bytes_max = limits.message_bytes_max, .fragments_max = limits.fragments_max},
          .ping_interval = heartbeat.ping_interval,
          .pong_timeout = heartbeat.pong_timeout,
          .close_timeout = limits.close_timeout,
          .drain_bytes_per_second_min = limits.drain_bytes_per_second_min,
          .outbox_bytes_max = limits.outbox_bytes_max,
          .outbox_bytes_high = limits.outbox_bytes_high,
          .frames_per_turn_max = limits.frames_per_turn_max,
          .bytes_per_turn_max = limits.bytes_per_turn_max,
          .idle_timeout = limits.session_idle_timeout};
}

ws::Limits piece_limits(std::size_t bytes_max) {
  constexpr std::size_t kAnySize = std::size_t{1} << 60;  // sums of a few are exact
  return {.message_bytes_max = bytes_max == 0 ? kAnySize : std::min(bytes_max, kAnySize),
          .fragments_max = UINT32_MAX};
}

ws::DeflateOptions to_engine(const Deflate& deflate) {
  return {.enabled = deflate.enabled,
          .level = deflate.level,
          .threshold_bytes = deflate.threshold_bytes,
          .server_no_context_takeover = deflate.server_no_context_takeover,
          .client_no_context_takeover = deflate.client_no_context_takeover,
          .server_max_window_bits = deflate.server_max_window_bits,
          .client_max_window_bits = deflate.client_max_window_bits,
          .context_bytes_max = deflate.context_bytes_max};
}

namespace {

template <typename Options>
net::TlsProtocol protocol_of(const Options& tls) {
  net::TlsProtocol protocol{.ciphers = tls.ciphers, .cipher_suites = tls.cipher_suites};
  switch (tls.min_version) {
    case TlsVersion::tls12:
      protocol.min_version = net::TlsVersion::tls12;
      break;
    case TlsVersion::tls13:
      protocol.min_version = net::TlsVersion::tls13;
      break;
  }
  return protocol;
}

}  // namespace

net::TlsServerOptions to_engine(const Tls& tls) {
  return {.certificate_file = tls.certificate_file,
          .key_file = tls.key_file,
          .protocol = protocol_of(tls),
          .client_ca_file = tls.client_ca_file,
          .client_crl_file = tls.client_crl_file};
}

session::ClientTlsOptions to_engine(const ClientTls& tls) {
  return {.verify = tls.verify,
          .ca_file = tls.ca_file,
          .server_name = tls.server_name,
          .protocol = protocol_of(tls)};
}

SendResult to_public(session::SendResult result) {
  switch (result) {
    case session::SendResult::queued:
      return SendResult::queued;
    case session::SendResult::congested:
      return SendResult::congested;
    case session::SendResult::closed:
      return SendResult::closed;
  }
  return SendResult::closed;
}

Close to_public(const session::CloseInfo& info) {
  Close close{.code = info.code, .reason = info.reason, .unsent_bytes = info.unsent_bytes};
  switch (info.cause) {
    case session::Cause::peer_closed:
      close.cause = Close::Cause::peer_closed;
      break;
    case session::Cause::we_closed:
      close.cause = Close::Cause::we_closed;
      break;
    case session::Cause::rule_broken:
      close.cause = Close::Cause::rule_broken;
      break;
    case session::Cause::slow_consumer:
      close.cause = Close::Cause::slow_consumer;
      break;
    case session::Cause::pong_timeout:
      close.cause = Close::Cause::pong_timeout;
      break;
    case session::Cause::idle_timeout:
      close.cause = Close::Cause::idle_timeout;
      break;
    case session::Cause::connection_lost:
      close.cause = Close::Cause::connection_lost;
      break;
    case session::Cause::shut_down:
      close.cause = Close::Cause::shut_down;
      break;
  }
  return close;
}

CloseWords close_words(std::uint16_t code, std::string_view reason) {
  if (!ws::is_valid_close_code(code)) return {.code = ws::close_code::no_status, .reason = {}};
  return {.code = code, .reason = ws::close_reason_of(reason)};
}

}  // namespace fanfare::api
