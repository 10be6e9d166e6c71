#pragma once
// The rooms of a program's canvas, with its functions for admission and proofs.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "api/server_canvas.h"
#include "canvas/room.h"
#include "canvasserver/mounts.h"
#include "canvasserver/rooms.h"
#include "fanfare/canvas.h"
#include "session/settings.h"

namespace fanfare::api {

class CanvasRooms final : public ServerCanvas {
 public:
  CanvasRooms(CanvasOptions options, const session::SessionSettings& of_server);

  std::expected<void, std::string> add(const canvasserver::RoomPlan& plan,
                                       const canvasserver::StorageOpener* opener, Check check) override;
  std::vector<std::pair<server::PathPattern, std::shared_ptr<server::Mount>>> make_mounts(
      net::Loop& loop) override;

 private:
  class Hook;

  const CanvasOptions options_;
  const session::SessionSettings settings_;
  std::vector<std::unique_ptr<canvas::ProofHook>> hooks_;
  canvasserver::Rooms rooms_;
};

}  // namespace fanfare::api
