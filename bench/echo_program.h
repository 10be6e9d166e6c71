#pragma once
// What the echo contestants share: NAME [HOST:]PORT on the command line, one line "listening HOST:PORT" on
// standard output once they serve (port 0: the system chooses), and they run until a signal ends them.

#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "net/socket.h"

namespace fanfare::bench {

[[noreturn]] inline void give_up(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

inline net::Address address_of(std::string_view where) {
  const std::size_t colon = where.rfind(':');
  const bool has_host = colon != std::string_view::npos;
  const std::string_view digits = has_host ? where.substr(colon + 1) : where;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size()) give_up("the port is no number");
  auto address = net::Address::parse(has_host ? where.substr(0, colon) : "127.0.0.1", port);
  if (!address) give_up(address.error());
  return *address;
}

// Listening, Nagle off for all it accepts.
inline net::Descriptor listen_for_echo(std::string_view where) {
  auto listening = net::listen_on(address_of(where), {.reuse_port = false});
  if (!listening) give_up(listening.error().message());
  net::set_no_delay(listening->get());
  return std::move(*listening);
}

inline void say_listening(const net::Address& address) {
  std::printf("listening %s\n", address.text().c_str());
  std::fflush(stdout);
}

inline void say_listening(int fd) {
  const auto address = net::local_address(fd);
  if (!address) give_up(address.error().message());
  say_listening(*address);
}

// As many descriptors as the system allows this process.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace fanfare::bench
