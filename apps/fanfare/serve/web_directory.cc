#include "serve/web_directory.h"

#include <array>
#include <system_error>

namespace fanfare::app {

bool is_web_directory(const std::filesystem::path& directory) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(directory / "index.html", ignored);
}

std::optional<std::string> web_directory_beside(const std::filesystem::path& program) {
  const std::filesystem::path folder = program.parent_path();
  // PREFIX/bin/fanfare, and TREE/apps/fanfare/fanfare.
  for (const auto& prefix : std::array{folder.parent_path(), folder.parent_path().parent_path()}) {
    const std::filesystem::path directory = prefix / "share" / "fanfare" / "web";
    if (is_web_directory(directory)) return directory.string();
  }
  return std::nullopt;
}

}  // namespace fanfare::app
