#pragma once
// One connection of a benchmark, made while nothing else is going on: connect, upgrade, check the answer.

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "http/url.h"
#include "net/socket.h"

namespace fanfare::app {

struct Dialed {
  net::Descriptor socket;                // blocking
  std::vector<std::uint8_t> read_ahead;  // came right behind the handshake
};

// The address a ws:// URL names; the error is for people.
std::expected<net::Address, std::string> resolve_bench_url(const http::Url& url);

// `index`: the how manieth connection. From 20,000 on they come from further loopback addresses, when the
// server is on one, as one address has too few ports. `raw`: no handshake. Waits 10 s at most for any one
// step.
std::expected<Dialed, std::string> dial(const http::Url& url, const net::Address& address, std::size_t index,
                                        bool raw);

}  // namespace fanfare::app
