#pragma once
// The files of the canvas's rooms, before any is opened: whether two rooms would share one.

#include <optional>
#include <span>
#include <string>

#include "canvasserver/room_plan.h"

namespace fanfare::gateway {

struct FileCollision {
  std::string room;  // the other one's name
  std::string file;  // that both would have
};

// A room with a file also has those of canvasstore::kCompanionEndings. Compared as the system resolves the paths, and those
// that exist by device and inode, so that two names of one file are one.
std::optional<FileCollision> collision_of(const canvasserver::RoomPlan& room,
                                          std::span<const canvasserver::RoomPlan> others);

}  // namespace fanfare::gateway
