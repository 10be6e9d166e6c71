#pragma once
// Finds the built files of the dashboard.

#include <filesystem>
#include <optional>
#include <string>

namespace fanfare::app {

// For a program at PREFIX/bin/fanfare: PREFIX/share/fanfare/web. In a build tree: share/fanfare/web of the tree.
// Empty if there is no index.html in either.
std::optional<std::string> web_directory_beside(const std::filesystem::path& program);

bool is_web_directory(const std::filesystem::path& directory);

}  // namespace fanfare::app
