#pragma once
// One connection of a benchmark, made while nothing else is going on: connect, TLS, upgrade, check the
// answer.

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
  std::vector<std::uint8_t> read_ahead;          // decrypted; came right behind the handshake
  std::unique_ptr<net::TlsSession> tls;          // null: none
  std::optional<ws::DeflateParameters> deflate;  // empty: no compression
};

struct DialOptions {
  bool raw = false;                            // no handshake
  std::shared_ptr<const net::TlsContext> tls;  // of wss:// URLs
  ws::DeflateOptions deflate{.enabled = false};
};

// The address a ws:// or wss:// URL names; the error is for people.
std::expected<net::Address, std::string> resolve_bench_url(const http::Url& url);

// `index`: the how manieth connection. From 20,000 on they come from further loopback addresses, when the
// server is on one, as one address has too few ports. Waits 10 s at most for any one step. A server that does
// not agree to the compression that is asked for is an error.
std::expected<Dialed, std::string> dial(const http::Url& url, const net::Address& address, std::size_t index,
                                        const DialOptions& options);

struct DialCrowd {
  std::size_t count = 0;
  Duration ramp{};  // over which they are begun, at even distances
};
// All of them, a few at the same time, as each may wait for a distant server. Calls `progress` every second
// with the number of those that are made. The error is the first one.
std::expected<std::vector<Dialed>, std::string> dial_all(const http::Url& url, const DialOptions& options,
                                                         const DialCrowd& crowd,
                                                         const std::function<void(std::size_t)>& progress);

}  // namespace fanfare::app
