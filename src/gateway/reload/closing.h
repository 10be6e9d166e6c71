#pragma once
// Closes some of the WebSockets, such as those of one endpoint, on every loop, one after another, evenly over some time: so their clients do not
// all come back at once. The server goes on.

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.h"
#include "session/server.h"

namespace fanfare::gateway {

class Closing {
 public:
  // Whether a session is one of those; on its loop's thread. What it refers to must live as long as the loop's sites.
  using IsMeant = std::function<bool(std::size_t loop, const session::Session& session)>;
  // Whether they must still be closed; called on the loops' threads.
  using StillWanted = std::function<bool()>;

  // Any thread. `done` is called once, on the thread of a loop, when no loop has one of those sessions any more. It is not
  // called if `still_wanted` says no before, or the server stops. Sessions that join meanwhile are closed, too.
  static void start(session::Server& server, IsMeant is_meant, std::uint16_t code, std::string_view reason,
                    Duration spread, StillWanted still_wanted, std::function<void()> done);

  Closing(std::size_t loops, IsMeant is_meant, std::uint16_t code, std::string_view reason, Duration spread,
          StillWanted still_wanted, std::function<void()> done)
      : loops_left_(loops),
        is_meant_(std::move(is_meant)),
        code_(code),
        reason_(reason),
        spread_(spread),
        still_wanted_(std::move(still_wanted)),
        done_(std::move(done)) {}

 private:
  class OfLoop;

  std::atomic<std::size_t> loops_left_;
  const IsMeant is_meant_;
  const std::uint16_t code_;
  const std::string reason_;
  const Duration spread_;
  const StillWanted still_wanted_;
  const std::function<void()> done_;
};

}  // namespace fanfare::gateway
