#include "gateway/upgrade/program.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <system_error>

namespace fanfare::gateway {

std::string file_of_this_process() {
  std::error_code error;
  const auto file = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string() : file.string();
}

std::vector<std::string> environment_for_successor(const char* const* environment) {
  // LISTEN_*: the sockets go another way. WATCHDOG_PID: the successor has another one.
  static constexpr std::array<std::string_view, 5> kOurs{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES",
                                                         "WATCHDOG_PID", "FANFARE_UPGRADE"};
  std::vector<std::string> kept;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    if (std::ranges::find(kOurs, entry.substr(0, entry.find('='))) == kOurs.end()) kept.emplace_back(entry);
  }
  return kept;
}

std::expected<Program, std::string> program_again(const std::string& started_file) {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  Program program;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = std::min(all.find('\0', from), all.size());
    program.arguments.push_back(all.substr(from, end - from));
    from = end + 1;
  }
  if (program.arguments.empty())
    return std::unexpected("cannot read the arguments of this process from /proc/self/cmdline");
  // A name with a slash may be a link that now points to another build.
  const std::string& name = program.arguments.front();
  program.file = name.contains('/') && ::access(name.c_str(), X_OK) == 0 ? name : started_file;
  if (program.file.empty()) program.file = name;
  program.environment = environment_for_successor(environ);
  return program;
}

}  // namespace fanfare::gateway
