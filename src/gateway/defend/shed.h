#pragma once
// Closes the connections with the largest backlogs: what waits in this process until a slow client takes it. Such a
// client can free memory at once, and it is the one that others would pay for.

#include <cstddef>
#include <vector>

#include "session/loop_server.h"

namespace fanfare::gateway {

struct Backlog {
  session::SessionId id;
  std::size_t loop = 0;
  std::size_t bytes = 0;
};

// A connection with less than this is not worth closing.
inline constexpr std::size_t kShedBytesMin = std::size_t{64} << 10;
// So many of each loop are compared, and closed in one round, at most.
inline constexpr std::size_t kShedPerLoopMax = 1024;
// How long a client may take to read its Close frame, behind its backlog.
inline constexpr Duration kShedGrace = std::chrono::milliseconds(250);

// The largest backlogs of the open connections of a loop, in any order. The loop's thread.
std::vector<Backlog> largest_backlogs(session::LoopServer& server, std::size_t loop);

// Those to close: the largest ones, until their sum is `bytes`.
std::vector<Backlog> choose_to_shed(std::vector<Backlog> all, std::size_t bytes);

// Closes it, if it is still there: a WebSocket with 1013, which it has kShedGrace to read; then it is dropped. An HTTP
// connection is dropped. The loop's thread. Returns whether there was one.
bool shed(session::LoopServer& server, session::SessionId id);

}  // namespace fanfare::gateway
