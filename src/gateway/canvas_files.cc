#include "gateway/canvas_files.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "canvasstore/file_checks.h"

namespace fanfare::gateway {
namespace {

struct RoomFiles {
  std::vector<std::string> paths;
  std::vector<canvasstore::FileIdentity> there;  // of those that exist
};

RoomFiles files_of(const canvasserver::RoomPlan& room) {
  const std::string file = canvasstore::resolved_path(room.file);
  RoomFiles files{.paths = {file}, .there = {}};
  for (const std::string_view ending : canvasstore::kCompanionEndings) {
    files.paths.push_back(canvasstore::resolved_path(file + std::string(ending)));
  }
  for (const std::string& path : files.paths) {
    if (const auto identity = canvasstore::identity_of(path)) files.there.push_back(*identity);
  }
  return files;
}

bool has(const RoomFiles& files, const std::string& path) {
  if (std::ranges::find(files.paths, path) != files.paths.end()) return true;
  const auto identity = canvasstore::identity_of(path);
  return identity && std::ranges::find(files.there, *identity) != files.there.end();
}

}  // namespace

std::optional<FileCollision> collision_of(const canvasserver::RoomPlan& room,
                                          std::span<const canvasserver::RoomPlan> others) {
  if (room.file.empty()) return std::nullopt;
  const RoomFiles files = files_of(room);
  for (const canvasserver::RoomPlan& other : others) {
    if (other.file.empty()) continue;
    for (const std::string& path : files_of(other).paths) {
      if (has(files, path)) return FileCollision{other.spec.name, path};
    }
  }
  return std::nullopt;
}

}  // namespace fanfare::gateway
