#pragma once
// Everything that can be set, by name, with its default and its unit. An option is data: copy it, print it,
// pass it on. All of them are read once, when the server or client that gets them is made; start() says which
// of them cannot be used.
//
// A duration longer than 100 years counts as 100 years, and a size beyond 2^40 as 2^40: milliseconds::max()
// and SIZE_MAX are ways of saying never and any. The timers of an open connection (Heartbeat, close_timeout,
// session_idle_timeout) do not run out beyond 49 days. Durations are not negative, and more than zero where
// zero is not explained.
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

// What waits for the kernel. automatic: io_uring where the kernel has what it needs, epoll otherwise.
enum class LoopKind : std::uint8_t { automatic, uring, epoll };

// Each limit says what happens to the connection at it; none is silent.
struct Limits {
  // One message, after inflation. Past it the session ends with 1009. RFC6455§10.4.
  std::size_t message_bytes_max = std::size_t{16} << 20;
  // Frames of one message, empty ones too: 1009. Some clients end a message with an empty frame: room for
  // that behind 4 MiB in pieces of 64 bytes.
  std::uint32_t fragments_max = 70'000;
  // Sending to a session that has this much queued ends it with 1013: whoever reads so slowly would lose
  // messages in silence or take the memory of everyone else. One message may be larger.
  std::size_t outbox_bytes_max = std::size_t{4} << 20;
  // From here on send() says congested. And while HTTP answers of this size wait for a client, none of its
  // further requests is read; one answer may be larger.
  std::size_t outbox_bytes_high = std::size_t{1} << 20;
  // What one session may be given in a turn of its loop, so that nobody else waits for it: messages and
  // control frames, and bytes. At either one it goes on in the next turn; nothing is lost. At least 1.
  std::uint16_t frames_per_turn_max = 4096;
  std::uint32_t bytes_per_turn_max = 1 << 20;
  // A session without a message in either direction for this long (pings are none) ends with 1008, also while
  // it is paused; zero: never.
  std::chrono::milliseconds session_idle_timeout = std::chrono::milliseconds::zero();
  // Topics that one session may be subscribed to: one more is refused (Session::subscribe() returns false).
  std::size_t topics_per_session_max = 100'000;
  // Timers of one session that wait: one more is refused (Session::call_after()). Zero: sessions have none.
  std::size_t timers_per_session_max = 64;
  // What other threads hand to one loop by Server::publish() and Server::post(), and it has not come to:
  // calls, and bytes of the topics and frames that are published. At either one the next call is refused
  // (PostResult::full); the bytes of a single one may be more.
  std::size_t mailbox_tasks_max = 100'000;
  std::size_t mailbox_bytes_max = std::size_t{64} << 20;
  // Connections of all kinds on one loop; further ones are accepted and closed at once.
  std::size_t connections_per_loop_max = 100'000;
  // Over all loops, and of one address (IPv4, or IPv6 /64); zero: no limit. Further ones are closed at once.
  std::size_t connections_max = 0;
  std::uint32_t connections_per_address_max = 0;
  std::uint32_t connections_per_second_per_address = 0;
  // Past it: a request line with its headers 431, its number of header lines 431, its body 413. At least 1
  // header.
  std::size_t request_head_bytes_max = std::size_t{16} << 10;
  std::size_t request_header_count_max = 100;
  std::size_t request_body_bytes_max = std::size_t{8} << 20;
  // Of an answer in pieces (BodyWriter), what waits for a client that reads too slowly: one more piece cuts it
  // off. A single piece may be larger.
  std::size_t response_outbox_bytes_max = std::size_t{4} << 20;
  // Pipelined requests of one connection answered in a turn of its loop; it goes on in the next.
  std::uint32_t requests_per_turn_max = 32;
  // From accepting a connection to the end of its first request's head, TLS included: dropped, or 408.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  // From there, or the first byte of a later request, to the end of its body: 408.
  std::chrono::milliseconds request_timeout = std::chrono::seconds(10);
  // A connection without a request, or whose client takes nothing of an answer, is closed.
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(60);
  // How long a closing session waits for the peer's Close frame and then for its FIN; zero: not at all.
  // RFC6455§7.1.1. A paused session whose peer has sent FIN ends after this time, too.
  std::chrono::milliseconds close_timeout = std::chrono::seconds(5);
  // idle_timeout, session_idle_timeout, close_timeout and pong_timeout do not run out while the peer takes
  // what was sent to it before, at this rate or faster. A slower peer is treated like one that takes nothing,
  // so no connection is held forever by a peer that takes a byte a second.
  std::uint32_t drain_bytes_per_second_min = 1024;
};

// RFC6455§5.5.2. Both are kept to within a second, on the whole loop with one timer.
struct Heartbeat {
  // A ping this often to every session; zero: never.
  std::chrono::milliseconds ping_interval = std::chrono::seconds(30);
  // A session that was silent for this long after a ping is dropped, reported as 1006. Any byte counts.
  std::chrono::milliseconds pong_timeout = std::chrono::seconds(60);
};

// permessage-deflate, RFC 7692: negotiated with every peer that offers it.
struct Deflate {
  bool enabled = true;
  int level = 1;                     // zlib's scale, 1 (fastest) to 9 (smallest)
  std::size_t threshold_bytes = 64;  // shorter messages are sent as they are
  // RFC7692§7.1.1: forget the window after each message: less memory a connection, larger messages.
  bool server_no_context_takeover = false;
  bool client_no_context_takeover = false;
  // RFC7692§7.1.2: base-2 logarithm of the largest window that side may use, 9 to 15. Our own side keeps to
  // it whatever is agreed on, and to less if the peer asks for less. The peer's side is asked for it: by a
  // server where the client can be asked, by a client always, and a server that ignores it then gets no
  // connection.
  int server_max_window_bits = 12;
  int client_max_window_bits = 12;
  // Memory for the windows of all connections of one loop; past it messages are compressed without history.
  std::size_t context_bytes_max = std::size_t{256} << 20;
};

enum class TlsVersion : std::uint8_t { tls12, tls13 };

// TLS on the whole port: wss:// and https://. PEM files; Server::reload_certificates() reads them again. RSA
// keys have at least 2048 bits. An expired certificate is used, with a warning in the log.
struct Tls {
  std::string certificate_file = {};  // the certificate, then its chain
  std::string key_file = {};
  TlsVersion min_version = TlsVersion::tls12;
  // OpenSSL's names with ':' between them, in order of preference: of TLS 1.2 and of TLS 1.3. "": ephemeral
  // keys with authenticated encryption (ECDHE; AES-GCM, ChaCha20-Poly1305), RFC9325§4.2.
  std::string ciphers = {};
  std::string cipher_suites = {};
};

// One more address of a server, with the same routes; every member as in ServerOptions.
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
  // A numeric address; "0.0.0.0" and "::" are everyone, the default is this machine alone.
  std::string host = "127.0.0.1";
  // 0: the system chooses, Server::port() tells.
  std::uint16_t port = 9001;
  // Not empty: listens on this Unix socket instead of host and port. A stale socket is replaced, ours is
  // removed by stop(). The mode is who may connect, as in chmod; empty: what the umask leaves.
  std::string unix_path = {};
  std::optional<unsigned> unix_mode = {};
  // Not empty: takes the socket that the service manager passed under this name (systemd: FileDescriptorName=
  // of the socket unit) instead of opening one. It stays open when the server stops.
  std::string inherited_socket = {};
  std::optional<Tls> tls = {};
  // Every connection begins with a PROXY header, version 1 or 2, and what it says is believed: only where
  // nobody but the proxy can connect.
  bool proxy_protocol = false;
  // Besides the address above: TLS on another port, a Unix socket for a proxy.
  std::vector<Listener> more_listeners = {};
  // One loop a thread, at most 1024; 0: one a core.
  std::size_t threads = 0;
  LoopKind loop = LoopKind::automatic;
  Limits limits = {};
  Heartbeat heartbeat = {};
  Deflate deflate = {};
};

// Which certificates a client trusts on wss://.
struct ClientTls {
  bool verify = true;            // the chain and the name; false: anyone may answer
  std::string ca_file = {};      // PEM, instead of the system's authorities
  std::string server_name = {};  // SNI, and the name that is verified; "": the URL's host
  // As in Tls.
  TlsVersion min_version = TlsVersion::tls12;
  std::string ciphers = {};
  std::string cipher_suites = {};
};

// When a client comes back: full jitter, so that clients that lost the same server do not all come at once.
// It comes back when that may help (the network, 1012, 1013, 429, 5xx), not after 1000, 404 or a broken rule.
struct Reconnect {
  bool enabled = true;
  std::chrono::milliseconds wait_min = std::chrono::milliseconds(250);  // the first wait is at most this long
  std::chrono::milliseconds wait_max = std::chrono::seconds(30);
  double multiplier = 2.0;    // from each wait's bound to the next one's
  unsigned attempts_max = 0;  // in a row; 0: no limit
};

struct ClientOptions {
  // ws://, wss:// or ws+unix:PATH:/TARGET; a user and password in it become basic authorisation.
  std::string url = {};
  std::vector<Header> headers = {};            // besides those of the handshake
  std::vector<std::string> subprotocols = {};  // in order of preference
  std::string origin = {};                     // "": no Origin header
  std::string proxy = {};                      // http://user:password@host:port to CONNECT through; "": none
  ClientTls tls = {};
  Reconnect reconnect = {};
  // Looking up the name and trying its addresses, all together. The addresses are tried 250 ms apart, and the
  // first that answers is used (RFC 8305).
  std::chrono::milliseconds connect_timeout = std::chrono::seconds(10);
  // From there to the open WebSocket: proxy, TLS, upgrade.
  std::chrono::milliseconds handshake_timeout = std::chrono::seconds(10);
  Limits limits = {};  // those of messages, outboxes and closing
  // Bytes of messages that send() keeps while there is no connection, from start() on, to be sent when there
  // is one, after what the open handler sends: past it send() says closed. Zero: nothing is kept.
  std::size_t queue_bytes_max = 0;
  Heartbeat heartbeat = {};  // the watchdog that notices a server which is gone without a word
  // The server's window is left to the server: some ignore that a smaller one was asked for, and then there
  // would be no connection (RFC7692§7.1.2.1).
  Deflate deflate = {.server_max_window_bits = 15};
  LoopKind loop = LoopKind::automatic;
};

}  // namespace fanfare
