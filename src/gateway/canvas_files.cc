#include "gateway/canvas_files.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>
#include <system_error>

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

std::optional<std::string> file_problem(const canvasserver::RoomPlan& room) {
  if (room.file.empty()) return std::nullopt;
  std::error_code error;
  const std::filesystem::path file = canvasstore::resolved_path(room.file);
  const std::string directory = file.parent_path().string();
  if (!std::filesystem::exists(directory, error)) return directory + " does not exist";
  if (!std::filesystem::is_directory(directory, error)) return directory + " is no directory";
  if (::access(directory.c_str(), W_OK | X_OK) != 0) return directory + " cannot be written";
  if (!std::filesystem::exists(file, error)) return std::nullopt;
  if (!std::filesystem::is_regular_file(file, error)) return file.string() + " is no file";
  if (::access(file.c_str(), R_OK | W_OK) != 0) return file.string() + " cannot be read and written";
  return std::nullopt;
}

}  // namespace fanfare::gateway
