#include "gateway/canvas_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "canvasstore/file_checks.h"

namespace fanfare::gateway {
namespace {

constexpr std::array<std::string_view, 4> kEndings{"", "-wal", "-shm", "-mark"};

std::array<std::string, 4> files_of(const canvasserver::RoomPlan& room) {
  std::array<std::string, 4> files;
  const std::string file = canvasstore::resolved_path(room.file);
  for (std::size_t i = 0; i < files.size(); ++i) files[i] = file + std::string(kEndings[i]);
  return files;
}

}  // namespace

std::optional<FileCollision> collision_of(const canvasserver::RoomPlan& room,
                                          std::span<const canvasserver::RoomPlan> others) {
  if (room.file.empty()) return std::nullopt;
  const auto files = files_of(room);
  for (const canvasserver::RoomPlan& other : others) {
    if (other.file.empty()) continue;
    for (const std::string& file : files_of(other)) {
      if (std::ranges::find(files, file) != files.end()) return FileCollision{other.spec.name, file};
    }
  }
  return std::nullopt;
}

}  // namespace fanfare::gateway
