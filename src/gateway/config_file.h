#pragma once
// Reads a configuration file. It may be a pipe, as in `--config <(decrypt fanfare.yaml)`, but none that keeps the program
// waiting: the thread that reads it again at SIGHUP also handles SIGTERM.

#include <cstddef>
#include <expected>
#include <string>

#include "base/time.h"

namespace fanfare::gateway {

// How long the next bytes of a pipe are waited for.
inline constexpr Duration kConfigPipeTimeout = std::chrono::seconds(2);

// At most `bytes_max` bytes from the beginning. The error says why it cannot be read, without the path.
std::expected<std::string, std::string> read_config_file(const std::string& path, std::size_t bytes_max,
                                                         Duration pipe_timeout = kConfigPipeTimeout);

}  // namespace fanfare::gateway
