#pragma once
// The first part of a stop over some time: every loop accepts no more connections, and closes its WebSockets and its
// streamed HTTP responses (Server-Sent Events) one after another, evenly over the time. So their clients do not all
// connect to the next server at once. A WebSocket whose turn comes while answers to it are under way
// (Endpoint::is_answering) is closed when they are sent, or after kAnswersWait.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "session/server.h"

namespace fanfare::session {

class StopSpread {
 public:
  static constexpr Duration kAnswersWait = std::chrono::seconds(5);

  // Any thread. `done` is called once, on the thread of a loop, when no loop has an open session left of those
  // that were open at the start. It is not called if the server stops before.
  static void start(Server& server, std::uint16_t code, std::string_view reason, Duration spread,
                    std::function<void()> done);

  StopSpread(std::size_t loops, std::uint16_t code, std::string_view reason, Duration spread,
             std::function<void()> done)
      : loops_left_(loops), code_(code), reason_(reason), spread_(spread), done_(std::move(done)) {}

 private:
  class OfLoop;

  std::atomic<std::size_t> loops_left_;
  const std::uint16_t code_;
  const std::string reason_;
  const Duration spread_;
  const std::function<void()> done_;
};

}  // namespace fanfare::session
