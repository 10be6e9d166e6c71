#pragma once
// The canvas of the gateway: its rooms with their files, and their part on each loop.

#include <expected>
#include <memory>
#include <string>

#include "canvasserver/rooms.h"
#include "gateway/serve_plan.h"
#include "session/loop_server.h"

namespace fanfare::gateway {

class CanvasRuntime {
 public:
  // Opens all rooms. The error names the room, and what to do.
  static std::expected<std::unique_ptr<CanvasRuntime>, std::string> open(
      const CanvasPlan& plan, const session::SessionSettings& settings, Duration slow_timeout);

  // The part of one loop, on its thread. The runtime must outlive it.
  std::shared_ptr<canvasserver::LoopRooms> make_loop(session::LoopServer& server);
  const canvasserver::Rooms& rooms() const { return rooms_; }

 private:
  CanvasRuntime(const session::SessionSettings& settings, Duration slow_timeout)
      : settings_(settings), slow_timeout_(slow_timeout) {}

  const session::SessionSettings settings_;
  const Duration slow_timeout_;
  canvasserver::Rooms rooms_;
};

}  // namespace fanfare::gateway
