#pragma once
// Validates options before they are used.

#include <cstddef>
#include <optional>
#include <string>

#include "fanfare/chain.h"
#include "fanfare/options.h"

namespace fanfare::api {

// Larger byte counts and numbers of connections are clamped to this. It is practically no limit, and small
// enough for sums of a few values to be exact.
inline constexpr std::size_t kSizeMax = std::size_t{1} << 40;
// The maximum number of loops.
inline constexpr std::size_t kThreadsMax = 1024;
// ServerOptions::unix_mode: only permission bits for read, write and execute.
inline constexpr unsigned kUnixModeMax = 0777;
// ChainOptions::window_blocks; equal to the limit of the gateway's reorgWindow.
inline constexpr std::uint32_t kWindowBlocksMax = 65'536;

// Returns the first invalid option with its valid values: "deflate.level: 1 to 9". Does not check addresses,
// URLs and files.
std::optional<std::string> find_wrong_option(const ServerOptions& options);
std::optional<std::string> find_wrong_option(const ClientOptions& options);
std::optional<std::string> find_wrong_option(const ChainOptions& options);
std::optional<std::string> find_wrong_option(const Deflate& deflate);

// Returns the options with durations clamped to kDurationMax (base/time.h) and sizes to kSizeMax. This makes
// conversions and additions safe for milliseconds::max() and SIZE_MAX.
ServerOptions saturated(ServerOptions options);
ClientOptions saturated(ClientOptions options);
ChainOptions saturated(ChainOptions options);
Deflate saturated(Deflate deflate);

}  // namespace fanfare::api
