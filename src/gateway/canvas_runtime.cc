#include "gateway/canvas_runtime.h"

#include <algorithm>

#include "canvasstore/disk_room.h"

namespace fanfare::gateway {

std::expected<std::unique_ptr<CanvasRuntime>, std::string> CanvasRuntime::open(
    const CanvasPlan& plan, const session::SessionSettings& settings, Duration slow_timeout) {
  // The endpoint's limit; each room has its own below it.
  canvas::Limits widest;
  for (const auto& room : plan.rooms) {
    widest.message_bytes_max = std::max(widest.message_bytes_max, room.limits.message_bytes_max);
  }
  std::unique_ptr<CanvasRuntime> made(
      new CanvasRuntime(canvasserver::session_settings(widest, settings), slow_timeout));
  for (const auto& room : plan.rooms) {
    if (auto added = made->rooms_.add(room, &canvasstore::DiskRoom::open); !added) {
      return std::unexpected("room " + room.spec.name + ": " + added.error());
    }
  }
  return made;
}

std::shared_ptr<canvasserver::LoopRooms> CanvasRuntime::make_loop(session::LoopServer& server) {
  return std::make_shared<canvasserver::LoopRooms>(rooms_, server.loop(), settings_, slow_timeout_);
}

}  // namespace fanfare::gateway
