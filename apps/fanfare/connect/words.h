#pragma once
// Text functions of `fanfare connect`: the meaning of prompt lines, and the display of bytes. Pure functions,
// any thread.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

#include "base/bytes.h"
#include "session/endpoint.h"

namespace fanfare::app {

struct SendText {
  std::string text;
};
struct SendBinary {
  std::string bytes;
};
struct SendPing {
  std::string payload;
};
struct CloseWith {
  std::uint16_t code = 1000;
  std::string reason;
};
struct ShowHelp {};
using PromptAction = std::variant<SendText, SendBinary, SendPing, CloseWith, ShowHelp>;

// A line that begins with / is a command; one with // is a message that begins with /. `binary`: messages are
// hex. The error is human-readable.
std::expected<PromptAction, std::string> read_prompt_line(std::string_view line, bool binary);
// The help text for the commands of read_prompt_line().
std::string_view prompt_help();

// Two lower-case digits per byte.
std::string to_hex(Bytes bytes);
// Spaces between bytes and a leading 0x are allowed. The error is human-readable.
std::expected<std::string, std::string> from_hex(std::string_view text);

// For a terminal: control characters, which could move its cursor or change its title, become \xNN. Tab and
// newline stay. `text` is UTF-8.
std::string printable(std::string_view text);

// How an open connection ended: "closed by the server, code 1012 restart".
std::string ending_text(const session::CloseInfo& info);

}  // namespace fanfare::app
