#pragma once
// The first part of a gateway's stop: its connections are closed.

#include <cstddef>
#include <functional>

#include "gateway/stop_times.h"
#include "session/server.h"

namespace fanfare::gateway {

// Closes them one after another over the spread, and stops the server by the deadline less the part of the workers. `before_stop`
// is called between the two. Returns how many were dropped. Not on a loop's thread.
std::size_t close_connections(session::Server& server, const StopTimes& times,
                              const std::function<void()>& before_stop);

}  // namespace fanfare::gateway
