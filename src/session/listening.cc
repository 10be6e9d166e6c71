#include "session/listening.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace fanfare::session {
namespace {

// Of one loop, in the order of the listeners.
using Sockets = std::vector<net::Descriptor>;

std::expected<net::Descriptor, net::OsError> duplicate(int fd) {
  net::Descriptor shared(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
  if (!shared.valid()) return std::unexpected(net::last_error("fcntl", "descriptor " + std::to_string(fd)));
  return shared;
}

std::expected<Sockets, net::OsError> bind_all(const std::vector<Listener>& listeners,
                                              std::vector<net::Address>& addresses) {
  Sockets listening;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    net::Address& address = addresses[i];
    auto socket = listeners[i].inherited_fd ? duplicate(*listeners[i].inherited_fd)
                                            : net::listen_on(address, {.unix_mode = listeners[i].unix_mode});
    if (!socket) return std::unexpected(socket.error());
    // Port 0: the other loops bind the port that this one got.
    auto bound = net::local_address(socket->get());
    if (!bound) return std::unexpected(bound.error());
    address = *bound;
    listening.push_back(std::move(*socket));
  }
  return listening;
}

// The sockets of the other loops. A Unix path or an inherited socket exists only once, so the loops share it:
// the first to accept gets the connection.
std::expected<Sockets, net::OsError> bind_again(const std::vector<Listener>& listeners,
                                                const std::vector<net::Address>& addresses,
                                                const std::vector<int>& first, std::size_t loop) {
  Sockets listening;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const std::vector<int>& more = listeners[i].more_fds;
    const bool shared = addresses[i].family() == AF_UNIX || listeners[i].inherited_fd;
    auto socket = loop <= more.size() ? duplicate(more[loop - 1])
                  : shared            ? duplicate(first[i])
                                      : net::listen_on(addresses[i]);
    if (!socket) return std::unexpected(socket.error());
    listening.push_back(std::move(*socket));
  }
  return listening;
}

}  // namespace

std::expected<std::vector<LoopListening>, net::OsError> bind_for_loops(const std::vector<Listener>& listeners,
                                                                       std::vector<net::Address>& addresses,
                                                                       std::size_t loops) {
  std::vector<LoopListening> listening(loops);
  std::vector<int> first;
  for (std::size_t i = 0; i < loops; ++i) {
    auto bound = i == 0 ? bind_all(listeners, addresses) : bind_again(listeners, addresses, first, i);
    if (!bound) return std::unexpected(bound.error());
    for (std::size_t k = 0; k < bound->size(); ++k) listening[i].emplace_back(k, std::move((*bound)[k]));
    for (const auto& [k, socket] : listening[0]) {
      if (i == 0) first.push_back(socket.get());
    }
  }
  // Those beyond one for each loop: each of them has connections in its queue.
  for (std::size_t k = 0; k < listeners.size(); ++k) {
    for (std::size_t i = loops; i <= listeners[k].more_fds.size(); ++i) {
      auto taken = duplicate(listeners[k].more_fds[i - 1]);
      if (!taken) return std::unexpected(taken.error());
      listening[i % loops].emplace_back(k, std::move(*taken));
    }
  }
  return listening;
}

}  // namespace fanfare::session
