#pragma once
// The common interface of the contestants. The command line is NAME [HOST:]PORT and flags. They print one
// line "listening HOST:PORT" once they serve (port 0: the system chooses), and run until a signal ends them.

#include <sys/resource.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include "net/socket.h"

namespace fanfare::bench {

[[noreturn]] inline void give_up(std::string_view what) {
  std::fprintf(stderr, "%.*s\n", static_cast<int>(what.size()), what.data());
  std::exit(1);
}

// The flags of a contestant. It rejects flags that it does not support.
struct EchoProgram {
  std::string_view where;
  std::string_view loop;          // Fanfare only: "epoll" or "uring"
  std::size_t loops = 1;          // Fanfare only, one thread each
  bool broadcast = false;         // every message goes to all connections instead of back
  bool deflate = false;           // as the client requests, at zlib level 1
  std::size_t message_bytes = 0;  // Fanfare only: the largest message; 0: its default
  std::string certificate;        // PEM; empty: no TLS
  std::string key;
};

inline EchoProgram program_of(int argc, char** argv) {
  EchoProgram program;
  const std::span arguments(argv, static_cast<std::size_t>(argc));
  if (argc < 2)
    give_up(
        "usage: NAME [HOST:]PORT [epoll|uring] [--loops N] [--broadcast] [--deflate] [--tls CERTIFICATE "
        "KEY] [--message-bytes N]");
  program.where = arguments[1];
  for (std::size_t i = 2; i < arguments.size(); ++i) {
    const std::string_view flag = arguments[i];
    if (flag == "--loops" && i + 1 < arguments.size()) {
      program.loops = std::strtoul(arguments[++i], nullptr, 10);
    } else if (flag == "--message-bytes" && i + 1 < arguments.size()) {
      program.message_bytes = std::strtoul(arguments[++i], nullptr, 10);
    } else if (flag == "--broadcast") {
      program.broadcast = true;
    } else if (flag == "--deflate") {
      program.deflate = true;
    } else if (flag == "--tls" && i + 2 < arguments.size()) {
      program.certificate = arguments[++i];
      program.key = arguments[++i];
    } else if (flag == "epoll" || flag == "uring") {
      program.loop = flag;
    } else {
      give_up("there is no flag " + std::string(flag));
    }
  }
  return program;
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

// Opens a listening socket; accepted connections have Nagle's algorithm turned off.
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

// Raises the descriptor limit to the maximum for this process.
inline void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace fanfare::bench
