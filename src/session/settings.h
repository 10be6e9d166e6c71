#pragma once
// The limits and intervals of sessions, by name. Each has a default, what happens at it, and a test at it and
// one past it.

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/time.h"
#include "ws/connection.h"

namespace fanfare::session {

// Of one WebSocket endpoint; outlives its sessions.
struct SessionSettings {
  ws::Limits limits;
  // Set: a message is handed out in pieces as it comes, within these limits instead.
  std::optional<ws::Limits> pieces = {};
  // A ping this often to every session; zero: never.
  Duration ping_interval = std::chrono::seconds(30);
  // How long after a ping a session may stay silent before it is dropped (reported as 1006). Any byte counts.
  Duration pong_timeout = std::chrono::seconds(60);
  // RFC6455§7.1.1: how long a closing session waits for the peer's Close, and then for its FIN.
  Duration close_timeout = std::chrono::seconds(5);
  // Time does not count for these timeouts, and for idle_timeout, while the peer takes what was sent to it
  // before, at this rate or faster. A slower peer is treated like one that takes nothing.
  std::uint32_t drain_bytes_per_second_min = 1024;
  // Sending to a session that has this much queued ends it with 1013 (try again later): a reader this far
  // behind would otherwise lose messages in silence, or cost the memory of everyone else. A single message
  // may be larger.
  std::size_t outbox_bytes_max = std::size_t{4} << 20;
  // From here on send() says congested: a sender that can wait should wait for on_drained.
  std::size_t outbox_bytes_high = std::size_t{1} << 20;
  // What one session may be given in a turn of its loop, so that nobody else waits for it: messages and
  // control frames, and bytes, those that arrived or those of the messages they became, whichever are more.
  // At either one the rest is kept, nothing more is read, and the next turn goes on from there. A message may
  // be larger. Both at least 1.
  std::uint16_t frames_per_turn_max = 4096;
  std::uint32_t bytes_per_turn_max = 1 << 20;
  // A session without a message in either direction for this long is closed with 1008. Pings and pongs are no
  // messages. It goes on while the session is paused. Zero: never.
  Duration idle_timeout = Duration::zero();
};

// Of a listening port; outlives its sessions.
struct HttpSettings {
  // From accepting a connection to the end of its first request's head, PROXY header and TLS handshake
  // included: whoever says nothing, or a byte now and then, does not hold a place for longer. Slower: 408 if
  // part of a request is there, else dropped without a word (Refusal::handshake_timeout).
  Duration handshake_timeout = std::chrono::seconds(10);
  // From accepting a connection to the end of its TLS handshake. Slower: dropped (Refusal::tls_timeout).
  Duration tls_timeout = std::chrono::seconds(5);
  // From the end of the first head, or the first byte of a later request, to the end of its body. Slower:
  // 408.
  Duration request_timeout = std::chrono::seconds(10);
  // How long a connection may stay open between requests, and how long a client may take nothing of an
  // answer.
  Duration idle_timeout = std::chrono::seconds(60);
  // RFC9112§9.6: how long a client may take to close after it was sent the last answer.
  Duration linger_timeout = std::chrono::seconds(2);
  // Neither of the two runs out while the client takes an answer at this rate or faster. A slower client is
  // treated like one that takes nothing.
  std::uint32_t drain_bytes_per_second_min = 1024;
  // Bytes of answers that wait for the client: from here on no further request of it is read or served until
  // it has taken all of them. One answer may be larger.
  std::size_t outbox_bytes_high = std::size_t{1} << 20;
  // Bytes of a body in pieces (ServerSession::start_body) that wait for a client which reads too slowly: one
  // more piece cuts the answer off. A single piece may be larger.
  std::size_t body_outbox_bytes_max = std::size_t{4} << 20;
  // Pipelined requests of one connection that are served in a turn of its loop, so that nobody else waits for
  // all of them. The rest is kept, nothing more is read, and the next turn goes on from there. At least 1.
  std::uint32_t requests_per_turn_max = 32;
  std::size_t head_bytes_max = 16 * 1024;             // past it: 431
  std::size_t header_count_max = 100;                 // header lines of a request; past it: 431
  std::size_t body_bytes_max = std::size_t{8} << 20;  // past it: 413
};

}  // namespace fanfare::session
