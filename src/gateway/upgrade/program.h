#pragma once
// The program that a binary upgrade starts: the file on disk under the name that this process was started with, with the same
// arguments and environment. What belongs to this process alone is left out of the environment.

#include <expected>
#include <string>
#include <vector>

namespace fanfare::gateway {

// Names the descriptors of an upgrade to the successor: "1:3:4" is the form of the messages, the channel, and standard error.
inline constexpr const char* kUpgradeVariable = "FANFARE_UPGRADE";

struct Program {
  std::string file;  // searched in PATH if it has no slash
  std::vector<std::string> arguments;
  std::vector<std::string> environment;  // NAME=VALUE
};

// `started_file`: the file of this process as it was at its start. The error: /proc cannot be read.
std::expected<Program, std::string> program_again(const std::string& started_file);
// The file of this process now; empty if it cannot be read.
std::string file_of_this_process();
// Without the variables that are meant for this process, and the entry of an earlier upgrade.
std::vector<std::string> environment_for_successor(const char* const* environment);

}  // namespace fanfare::gateway
