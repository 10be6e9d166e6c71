#pragma once
// All options, with their defaults and units. An option is plain data: copy it, print it, pass it on. Options
// are read once, when the server or client is constructed; start() reports invalid ones.
//
// Durations longer than 100 years count as 100 years, and sizes above 2^40 count as 2^40. So
// milliseconds::max() means never, and SIZE_MAX means unlimited. The timers of an open connection (Heartbeat,
// close_timeout, session_idle_timeout) never fire beyond 49 days. Durations must not be negative. They must
// be positive unless zero is documented.
//
//   fanfare::Server server({.port = 9001, .limits = {.message_bytes_max = 1 << 20}});

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fanfare {

struct Header {
  std::string name = {};
  std::string value = {};
};

// How a loop waits for the kernel. automatic: io_uring if the kernel has the required features, otherwise
// epoll.
enum class LoopKind : std::uint8_t { automatic, uring, epoll };

// Each limit states what happens to a connection that reaches it; none is silent.
struct Limits {
  // One message, after inflation. A larger message ends the session with 1009. RFC6455§10.4.
  std::size_t message_bytes_max = std::size_t{16} << 20;
  // Frames in one message, including empty ones; more end the session with 1009. The default allows 4 MiB in
  // 64-byte frames, followed by the empty final frame that some clients send.
  std::uint32_t fragments_max = 70'000;
  // A send to a session with this much queued ends it with 1013. Otherwise a slow reader would silently lose
  // messages or use up the shared memory. A single message may be larger.
  std::size_t outbox_bytes_max = std::size_t{4} << 20;
  // From here on send() returns congested. While this much of HTTP responses waits for a client, none of its
  // further requests is read. A single response may be larger.
  std::size_t outbox_bytes_high = std::size_t{1} << 20;
  // How much of one session is processed per turn of its loop, so that other sessions are not delayed. The
  // limits count messages plus control frames, and bytes. At either limit the session continues in the next
  // turn; nothing is lost. At least 1.
  std::uint16_t frames_per_turn_max = 4096;
  std::uint32_t bytes_per_turn_max = 1 << 20;
  // A session without messages in either direction for this long ends with 1008, even while paused. Pings do
  // not count as messages. Zero: never.
  std::chrono::milliseconds session_idle_timeout = std::chrono::milliseconds::zero();
  // Topics per session; a further subscription is rejected (Session::subscribe() returns false).
  std::size_t topics_per_session_max = 100'000;
  // Pending timers per session; a further one is rejected (Session::call_after()). Zero: sessions have no
  // timers.
  std::size_t timers_per_session_max = 64;
  // Pending timers of the server itself, on all loops; a further one is rejected (Server::call_after()). Zero:
  // none.
  std::size_t timers_max = 10'000;
  // Tasks that other threads passed to one loop with Server::publish() and Server::post(), and that it has not
  // yet processed. The limits count calls, and the bytes of published topics and frames. At either limit
  // the next call is rejected (PostResult::full). A single call may exceed the byte limit.
  std::size_t mailbox_tasks_max = 100'000;
  std::size_t mailbox_bytes_max = std::size_t{64} << 20;
  // Connections of all kinds per loop; further ones are accepted and closed immediately.
  std::size_t connections_per_loop_max = 100'000;
  // Connections in total, and per address (IPv4, or IPv6 /64). Zero: no limit. Further ones are closed
  // immediately.
  std::size_t connections_max = 0;
  std::uint32_t connections_per_address_max = 0;
  std::uint32_t connections_per_second_per_address = 0;
  // Limits on a request. Beyond them: 431 for the request line plus headers, 431 for the number of header
  // lines, 413 for the body. At least 1 header.
  std::size_t request_head_bytes_max = std::size_t{16} << 10;
  std::size_t request_header_count_max = 100;
  std::size_t request_body_bytes_max = std::size_t{8} << 20;
  // How much of a response in pieces (BodyWriter) may wait for a slow client. Writing at this limit cuts the
  // response off. A single piece may be larger.
  std::size_t response_outbox_bytes_max = std::size_t{4} << 20;
  // Pipelined requests answered per connection and turn of its loop; the connection continues in the next
  // turn.
  std::uint32_t requests_per_turn_max = 32;
  // From accepting a connection, TLS included, to the end of its first request head: dropped, or 408.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // From there, or from the first byte of a later request, to the end of the request body: 408.
  std::chrono::milliseconds request_timeout = std::chrono::seconds(10);
  // A connection is closed if it has no request, or its client accepts no bytes of a response, for this long.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(60);
  // How long a closing session waits for the peer's Close frame and then for its FIN; zero: does not wait.
  // RFC6455§7.1.1. A paused session whose peer has sent FIN also ends after this time.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(5);
  // idle_timeout, session_idle_timeout, close_timeout and pong_timeout do not expire while the peer accepts
  // earlier data at this rate or faster. A slower peer is treated as if it accepted nothing. So a peer that
  // accepts one byte per second cannot hold a connection forever.
  std::uint32_t drain_bytes_per_second_min = 1024;
};

// RFC6455§5.5.2. Both are accurate to within a second, and need one timer per loop.
struct Heartbeat {
  // Interval between pings to every session; zero: never.
  std::chrono::milliseconds ping_interval = std::chrono::seconds(30);
  // A session that is silent for this long after a ping is dropped and reported as 1006. Any byte counts.
  std::chrono::milliseconds pong_timeout = std::chrono::seconds(60);
};

// permessage-deflate, RFC 7692: negotiated with every peer that offers it.
struct Deflate {
  bool enabled = true;
  // zlib's scale, 1 (fastest) to 9 (smallest). Without context takeover at least 6 for up to 2 KiB, where it hardly takes longer.
  int level = 1;
  std::size_t threshold_bytes = 64;  // shorter messages are sent uncompressed
  // RFC7692§7.1.1: reset the window after each message: less memory per connection, but larger messages.
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // RFC7692§7.1.2: base-2 logarithm of the largest window that the named side may use, 9 to 15. Our own side
  // never exceeds it, whatever is negotiated, and uses less if the peer requests less. A server requests the
  // limit for the client's window if the client permits that. A client always requests the limit for the
  // server's window; if the server ignores it, the connection fails.
  int server_max_window_bits = 12;
  int client_max_window_bits = 12;
  // Memory for the windows of all connections of one loop; beyond it, messages are compressed without
  // history.
  std::size_t context_bytes_max = std::size_t{256} << 20;
};

enum class TlsVersion : std::uint8_t { tls12, tls13 };

// TLS for the whole port: wss:// and https://. PEM files; Server::reload_certificates() reads them again. RSA
// keys have at least 2048 bits. An expired certificate is used, with a warning in the log.
struct Tls {
  std::string certificate_file = {};  // the certificate, followed by its chain
  std::string key_file = {};
  TlsVersion min_version = TlsVersion::tls12;
  // OpenSSL names separated by ':', in order of preference: for TLS 1.2 and for TLS 1.3. "": ephemeral keys
  // with authenticated encryption (ECDHE; AES-GCM, ChaCha20-Poly1305), RFC9325§4.2.
  std::string ciphers = {};
  std::string cipher_suites = {};
  // Authorities of clients' certificates. Clients are asked for one: without one they are served, with one that is
  // not valid the handshake fails. Request::client_certificate() shows it. "": no certificate is requested.
  std::string client_ca_file = {};
  // Revocation lists of all those authorities. A list that is missing or has expired refuses every certificate. "":
  // none is revoked.
  std::string client_crl_file = {};
};

// An additional address of a server, with the same routes. The members are as in ServerOptions.
struct Listener {
  std::string host = "127.0.0.1";
  std::uint16_t port = 0;
  std::string unix_path = {};
  std::optional<unsigned> unix_mode = {};
  std::string inherited_socket = {};
  std::optional<Tls> tls = {};
  bool proxy_protocol = false;
};

struct ServerOptions {
  // A numeric address. "0.0.0.0" and "::" listen on all interfaces; the default accepts local connections
  // only.
  std::string host = "127.0.0.1";
  // 0: the system chooses; Server::port() returns the choice.
  std::uint16_t port = 9001;
  // Not empty: listens on this Unix socket instead of host and port. A stale socket is replaced; stop()
  // removes our own. The mode controls who may connect, as in chmod; empty: the umask applies.
  std::string unix_path = {};
  std::optional<unsigned> unix_mode = {};
  // Not empty: uses the socket that the service manager passed under this name, instead of opening one
  // (systemd: FileDescriptorName= of the socket unit). It stays open when the server stops.
  std::string inherited_socket = {};
  std::optional<Tls> tls = {};
  // Every connection must begin with a PROXY header, version 1 or 2, whose content is trusted. Enable this
  // only where nobody but the proxy can connect.
  bool proxy_protocol = false;
  // Additional addresses, such as TLS on another port or a Unix socket for a proxy.
  std::vector<Listener> more_listeners = {};
  // One loop per thread, at most 1024; 0: one per core.
  std::size_t threads = 0;
  LoopKind loop = LoopKind::automatic;
  // For so long after the last event a loop looks for the next one before it sleeps, 0 to 1 ms: waking a core that sleeps takes longer than
  // most answers. The core is busy meanwhile. Zero: it sleeps at once.
  std::chrono::microseconds busy_poll{0};
  Limits limits = {};
  Heartbeat heartbeat = {};
  Deflate deflate = {};
};

// Which certificates a client trusts for wss://.
struct ClientTls {
  bool verify = true;            // the chain and the name; false: any server is accepted
  std::string ca_file = {};      // PEM, replaces the system's authorities
  std::string server_name = {};  // for SNI and verification; "": the URL's host
  // As in Tls.
  TlsVersion min_version = TlsVersion::tls12;
  std::string ciphers = {};
  std::string cipher_suites = {};
};

// When a client reconnects: with full jitter, so that clients of one failed server do not all reconnect at
// once. It reconnects when that may help (the network, 1012, 1013, 429, 5xx), but not after 1000, 404 or a
// protocol violation.
struct Reconnect {
  bool enabled = true;
  std::chrono::milliseconds wait_min = std::chrono::milliseconds(250);  // upper bound of the first delay
  std::chrono::milliseconds wait_max = std::chrono::seconds(30);
  double multiplier = 2.0;    // from one delay's bound to the next
  unsigned attempts_max = 0;  // consecutive attempts; 0: no limit
};

struct ClientOptions {
  // ws://, wss:// or ws+unix:PATH:/TARGET; a user and password in the URL are sent as basic authorisation.
  std::string url = {};
  std::vector<Header> headers = {};            // in addition to the handshake's own
  std::vector<std::string> subprotocols = {};  // in order of preference
  std::string origin = {};                     // "": no Origin header
  std::string proxy = {};                      // http://user:password@host:port for CONNECT; "": none
  ClientTls tls = {};
  Reconnect reconnect = {};
  // For resolving the name and trying its addresses, in total. Attempts start 250 ms apart, and the first
  // address that connects is used (RFC 8305).
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  // From there until the WebSocket is open: proxy, TLS, upgrade.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  Limits limits = {};  // only those for messages, outboxes and closing apply
  // Bytes of messages that send() keeps while there is no connection, from start() on. They are sent on the
  // next connection, after the messages that the open handler sends. Beyond this size send() returns closed.
  // Zero: nothing is kept.
  std::size_t queue_bytes_max = 0;
  Heartbeat heartbeat = {};  // detects a server that disappeared silently
  // The server chooses its own window. Some servers ignore a request for a smaller one, and then the
  // connection would fail (RFC7692§7.1.2.1).
  Deflate deflate = {.server_max_window_bits = 15};
  LoopKind loop = LoopKind::automatic;
};

}  // namespace fanfare
