#pragma once
// `fanfare connect`: a WebSocket client for people (a prompt) and for scripts (lines in, lines out).

#include <expected>
#include <iosfwd>
#include <string>

#include "arguments.h"
#include "session/client_options.h"

namespace fanfare::app {

// What the process's status says; docs/connect.md and --help say the same.
inline constexpr int kConnectDone = 0;
inline constexpr int kConnectFailed = 1;
inline constexpr int kConnectUsage = 2;
inline constexpr int kConnectLost = 3;

// Error: a sentence for people; the status is kConnectUsage.
std::expected<session::ClientOptions, std::string> client_options_of(const ConnectArguments& arguments);

// How an open connection's end is reported: kConnectDone after 1000 or no code at all, or when the end was
// ours; else kConnectLost.
int status_of(const session::CloseInfo& info);

// With standard input and output, until the connection has ended. Returns the status.
int run_connect(const ConnectArguments& arguments, std::ostream& out, std::ostream& complaints);

}  // namespace fanfare::app
