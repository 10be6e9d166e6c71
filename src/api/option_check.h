#pragma once
// What is wrong with options, said before anything is started with them.

#include <cstddef>
#include <optional>
#include <string>

#include "fanfare/chain.h"
#include "fanfare/options.h"

namespace fanfare::api {

// Byte counts and numbers of connections beyond this count as this: as good as no limit, and far enough from
// the type's end for sums of a few to be exact.
inline constexpr std::size_t kSizeMax = std::size_t{1} << 40;
// Of loops.
inline constexpr std::size_t kThreadsMax = 1024;
// ServerOptions::unix_mode: who may read, write and execute, nothing else.
inline constexpr unsigned kUnixModeMax = 0777;
// ChainOptions::window_blocks; the same as the gateway's reorgWindow.
inline constexpr std::uint32_t kWindowBlocksMax = 65'536;

// The first option that cannot be used, with what it may be: "deflate.level: 1 to 9". Addresses, URLs and
// files are not looked at here.
std::optional<std::string> find_wrong_option(const ServerOptions& options);
std::optional<std::string> find_wrong_option(const ClientOptions& options);
std::optional<std::string> find_wrong_option(const ChainOptions& options);
std::optional<std::string> find_wrong_option(const Deflate& deflate);

// The same options with durations of at most kDurationMax (base/time.h) and sizes of at most kSizeMax, so
// that milliseconds::max() and SIZE_MAX can be converted and added to.
ServerOptions saturated(ServerOptions options);
ClientOptions saturated(ClientOptions options);
ChainOptions saturated(ChainOptions options);
Deflate saturated(Deflate deflate);

}  // namespace fanfare::api
