#pragma once
// The limits and intervals of sessions. Each has a documented effect, and a test at the limit and one past it.
// The defaults are those of the public options (fanfare/options.h), where there is such an option.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "fanfare/options.h"
#include "ws/connection.h"

namespace fanfare::session {

// For one WebSocket endpoint; must outlive its sessions.
struct SessionSettings {
  ws::Limits limits;
  // While a message has come in part, this much must come on average over this time; slower: closed with 1008. Occasional
  // bytes must not hold memory without end. Not checked while the session is paused, or for messages in pieces. Zero: no rate.
  std::uint32_t message_bytes_per_second_min = 0;
  Duration message_timeout = std::chrono::seconds(10);
  // Set: a message is handed out in pieces as it comes, within these limits instead.
  std::optional<ws::Limits> pieces = {};
  // A ping this often to every session; zero: never.
  Duration ping_interval = Heartbeat{}.ping_interval;
  // How long a session may stay silent after a ping before it is dropped (reported as 1006). Any byte counts.
  Duration pong_timeout = Heartbeat{}.pong_timeout;
  // RFC6455§7.1.1: how long a closing session waits for the peer's Close, and then for its FIN.
  Duration close_timeout = Limits{}.close_timeout;
  // Time does not count for these timeouts and idle_timeout while the peer accepts earlier data at this rate
  // or faster. A slower peer is treated as if it accepted nothing.
  std::uint32_t drain_bytes_per_second_min = Limits{}.drain_bytes_per_second_min;
  // A send to a session with this much queued ends it with 1013 (try again later). Otherwise such a slow
  // reader would silently lose messages or use up the memory that all share. A single message may be larger.
  std::size_t outbox_bytes_max = Limits{}.outbox_bytes_max;
  // From here on send() returns congested: a sender that can wait should wait for on_drained.
  std::size_t outbox_bytes_high = Limits{}.outbox_bytes_high;
  // How much of one session is processed per turn of its loop, so that other sessions are not delayed. The
  // limits count messages plus control frames, and bytes (as received, or of the resulting messages,
  // whichever is more). At either limit the rest is kept and reading stops; the next turn continues there. A
  // single message may be larger. Both are at least 1.
  std::uint16_t frames_per_turn_max = Limits{}.frames_per_turn_max;
  std::uint32_t bytes_per_turn_max = Limits{}.bytes_per_turn_max;
  // A session without messages in either direction for this long is closed with 1008. Pings and pongs do not
  // count as messages. It keeps running while the session is paused. Zero: never.
  Duration idle_timeout = Limits{}.session_idle_timeout;
};

// For a listening port; must outlive its sessions.
struct HttpSettings {
  // From accepting a connection to the end of its first request head, including PROXY header and TLS
  // handshake. A client that is silent or sends occasional bytes cannot hold a connection longer. Slower: 408
  // if part of a request has arrived, otherwise dropped without a response (Refusal::handshake_timeout).
  Duration handshake_timeout = Limits{}.handshake_timeout;
  // From accepting a connection to the end of its TLS handshake. Slower: dropped (Refusal::tls_timeout).
  Duration tls_timeout = std::chrono::seconds(5);
  // From the end of the first head, or the first byte of a later request, to the end of its body. Slower:
  // 408. For a body that is taken in pieces: while its reader waits, body_bytes_per_second_min must come on
  // average over this time, and at least one byte.
  Duration request_timeout = Limits{}.request_timeout;
  // How long a connection may stay open between requests, and how long a client may accept no bytes of a
  // response.
  Duration idle_timeout = Limits{}.idle_timeout;
  // RFC9112§9.6: how long a client may take to close after the last response was sent.
  Duration linger_timeout = std::chrono::seconds(2);
  // Neither of the two expires while the client accepts a response at this rate or faster. A slower client is
  // treated as if it accepted nothing.
  std::uint32_t drain_bytes_per_second_min = Limits{}.drain_bytes_per_second_min;
  // Bytes of responses that wait for the client. At this size none of its further requests is read or served
  // until it has accepted all of them. A single response may be larger.
  std::size_t outbox_bytes_high = Limits{}.outbox_bytes_high;
  // Bytes of a body in pieces (HttpConnection::start_body) that wait for a slow client. Writing at this limit
  // cuts the response off. A single piece may be larger.
  std::size_t body_outbox_bytes_max = Limits{}.response_outbox_bytes_max;
  // Pipelined requests served per connection and turn of its loop, so that other connections are not delayed.
  // The rest is kept and reading stops; the next turn continues there. At least 1.
  std::uint32_t requests_per_turn_max = Limits{}.requests_per_turn_max;
  std::size_t head_bytes_max = Limits{}.request_head_bytes_max;  // beyond it: 431
  std::size_t header_count_max =
      Limits{}.request_header_count_max;                         // header lines of a request; beyond it: 431
  std::size_t body_bytes_max = Limits{}.request_body_bytes_max;  // beyond it: 413
  std::uint32_t body_bytes_per_second_min = 1024;  // of a body that is taken in pieces; slower: 408
  // RFC9112§9.3: of a request that was answered before its body had come, at most this much is read and
  // discarded. If more is to come, or its length is unknown, the connection closes after the response.
  std::size_t discarded_body_bytes_max = std::size_t{64} << 10;
};

}  // namespace fanfare::session
