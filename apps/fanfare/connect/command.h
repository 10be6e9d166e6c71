#pragma once
// `fanfare connect`: a WebSocket client for interactive use (a prompt) and for scripts (lines in, lines out).

#include <expected>
#include <iosfwd>
#include <string>

#include "arguments.h"
#include "session/client_options.h"

namespace fanfare::app {

// The exit statuses, as documented in docs/connect.md and --help.
inline constexpr int kConnectDone = 0;
inline constexpr int kConnectFailed = 1;
inline constexpr int kConnectUsage = 2;
inline constexpr int kConnectLost = 3;

// The error is human-readable; its status is kConnectUsage.
std::expected<session::ClientOptions, std::string> client_options_of(const ConnectArguments& arguments);

// The status for the end of an open connection: kConnectDone after 1000 or no code, or if we closed it;
// otherwise kConnectLost.
int status_of(const session::CloseInfo& info);

// Runs with standard input and output until the connection has ended. Returns the status.
int run_connect(const ConnectArguments& arguments, std::ostream& out, std::ostream& complaints);

}  // namespace fanfare::app
