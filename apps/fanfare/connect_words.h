#pragma once
// The words of `fanfare connect`: what a line typed at the prompt means, and how bytes look to people.
// Pure functions, any thread.

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

// A line that begins with / is a command, with // a message that begins with /. `binary`: messages are hex.
// Error: a sentence for people.
std::expected<PromptAction, std::string> read_prompt_line(std::string_view line, bool binary);
// What read_prompt_line() understands, for people.
std::string_view prompt_help();

// Two lower-case digits a byte.
std::string to_hex(Bytes bytes);
// Spaces between bytes and a leading 0x are allowed. Error: a sentence for people.
std::expected<std::string, std::string> from_hex(std::string_view text);

// For a terminal: control characters, which could move its cursor or change its title, become \xNN. Tab and
// newline stay. `text` is UTF-8.
std::string printable(std::string_view text);

// How an open connection ended: "closed by the server, code 1012 restart".
std::string ending_text(const session::CloseInfo& info);

}  // namespace fanfare::app
