#pragma once
// The listening sockets of a server with several loops: opened, or taken over from another process.

#include <cstddef>
#include <expected>
#include <optional>
#include <utility>
#include <vector>

#include "net/socket.h"
#include "session/listener_context.h"

namespace fanfare::session {

struct Listener {
  net::Address address;
  ListenerOptions options;
  // Mode of a Unix path: who may connect, as in chmod. Empty: the umask applies.
  std::optional<unsigned> unix_mode = {};
  // A socket that already listens (net/inherited_sockets.h), used in place of `address`. The loops share it,
  // and it stays open and listening when the server stops.
  std::optional<int> inherited_fd = {};
  // Further sockets of the same address: an earlier process had one for each of its loops.
  std::vector<int> more_fds = {};
  // The inherited socket was made by an earlier process of ours: a stop removes its Unix path.
  bool is_ours = false;
};

// The sockets of one loop, each with the index of its listener.
using LoopListening = std::vector<std::pair<std::size_t, net::Descriptor>>;

// Binds each address once for each loop. `addresses` are those of the listeners; port 0 becomes the port that the system
// chose.
std::expected<std::vector<LoopListening>, net::OsError> bind_for_loops(const std::vector<Listener>& listeners,
                                                                       std::vector<net::Address>& addresses,
                                                                       std::size_t loops);

}  // namespace fanfare::session
