#pragma once
// Opens one connection of a benchmark before the load starts: connect, TLS, upgrade, check of the answer.

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "http/url.h"
#include "net/socket.h"
#include "net/tls.h"
#include "ws/deflate_options.h"

namespace fanfare::app {

struct Dialed {
  net::Descriptor socket;                        // blocking
  std::vector<std::uint8_t> read_ahead;          // decrypted; arrived directly after the handshake
  std::unique_ptr<net::TlsSession> tls;          // null: none
  std::optional<ws::DeflateParameters> deflate;  // empty: no compression
};

struct DialOptions {
  bool raw = false;                            // no handshake
  std::shared_ptr<const net::TlsContext> tls;  // for wss:// URLs
  ws::DeflateOptions deflate{.enabled = false};
};

// Resolves the address of a ws:// or wss:// URL; the error is human-readable.
std::expected<net::Address, std::string> resolve_bench_url(const http::Url& url);

// Before connect(): a socket to a loopback address gets the `nth` address of this host as its own, and no pacing. False:
// errno says why. Other addresses: nothing is done.
bool prepare_loopback(int fd, const net::Address& address, std::size_t nth);

// `index`: the number of the connection. If the server is on loopback, connections from 20,000 on use further
// loopback addresses, because one address has too few ports. Each step may take at most 10 s. A server that
// does not accept the requested compression is an error.
std::expected<Dialed, std::string> dial(const http::Url& url, const net::Address& address, std::size_t index,
                                        const DialOptions& options);

struct DialCrowd {
  std::size_t count = 0;
  Duration ramp{};  // the connections are started at even intervals over this time
};
// Opens all connections, several at a time, because each may wait for a distant server. Calls `progress`
// every second with the number of open connections. Returns the first error.
std::expected<std::vector<Dialed>, std::string> dial_all(const http::Url& url, const DialOptions& options,
                                                         const DialCrowd& crowd,
                                                         const std::function<void(std::size_t)>& progress);

}  // namespace fanfare::app
