#include "connect/words.h"

#include <charconv>
#include <optional>

#include "base/hex.h"
#include "ws/rules.h"

namespace fanfare::app {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";

// Removes the first word and the spaces after it from `text`, and returns the word.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  const std::size_t rest = text.find_first_not_of(' ');
  text = rest == std::string_view::npos ? std::string_view() : text.substr(rest);
  return word;
}

// `info.broken_rule`, if any, was broken by the server.
std::string ending_of(const session::CloseInfo& info) {
  switch (info.cause) {
    case session::Cause::peer_closed:
      return "closed by the server";
    case session::Cause::we_closed:
    case session::Cause::shut_down:
      return "closed by us";
    case session::Cause::rule_broken:
      if (!info.broken_rule) return "the server broke a rule";
      return "the server broke a rule: " + std::string(ws::info(*info.broken_rule).sentence);
    case session::Cause::slow_consumer:
      return "the server read too slowly";
    case session::Cause::pong_timeout:
      return "the server did not answer a ping";
    case session::Cause::idle_timeout:
      return "no message came or went for too long";
    case session::Cause::connection_lost:
      return "the connection was lost";
  }
  return "closed";
}

std::expected<PromptAction, std::string> read_close(std::string_view rest) {
  if (rest.empty()) return CloseWith{};
  const std::string_view word = take_word(rest);
  CloseWith close;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), close.code);
  if (error != std::errc() || end != word.data() + word.size()) {
    return std::unexpected("/close CODE REASON: '" + std::string(word) + "' is not a code, such as 1000");
  }
  close.reason = rest;
  return close;
}

}  // namespace

std::expected<PromptAction, std::string> read_prompt_line(std::string_view line, bool binary) {
  if (line.starts_with('/') && !line.starts_with("//")) {
    std::string_view rest = line;
    const std::string_view command = take_word(rest);
    if (command == "/ping") return SendPing{std::string(rest)};
    if (command == "/close") return read_close(rest);
    if (command == "/quit") return CloseWith{};
    if (command == "/help") return ShowHelp{};
    return std::unexpected(std::string(command) +
                           " is no command; /help lists them, and //... sends a message that begins with /");
  }
  if (line.starts_with("//")) line.remove_prefix(1);
  if (!binary) return SendText{std::string(line)};
  auto bytes = from_hex(line);
  if (!bytes) return std::unexpected(bytes.error());
  return SendBinary{std::move(*bytes)};
}

std::string_view prompt_help() {
  return "/ping TEXT, /close CODE REASON, /quit (or Ctrl-D), /help; //... sends a message that begins with /";
}

std::string to_hex(Bytes bytes) {
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::expected<std::string, std::string> from_hex(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::string bytes;
  int high = 0;
  bool has_high = false;
  for (const char sign : text) {
    if ((sign == ' ' || sign == '\t') && !has_high) continue;
    const int digit = hex_digit(sign);
    if (digit < 0) return std::unexpected("'" + printable({&sign, 1}) + "' is not a hexadecimal digit");
    if (has_high) bytes += static_cast<char>(high * 16 + digit);
    high = digit;
    has_high = !has_high;
  }
  if (has_high) return std::unexpected(std::string("a byte is two hexadecimal digits, and the last has one"));
  return bytes;
}

std::string printable(std::string_view text) {
  std::string shown;
  const auto escape = [&](unsigned code) {
    shown += "\\x";
    shown += kDigits[code >> 4];
    shown += kDigits[code & 15];
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto code = static_cast<unsigned char>(text[at]);
    // U+0080 to U+009F, the other control characters: C2 80 to C2 9F.
    const bool is_c1 =
        code == 0xC2 && at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) < 0xA0;
    if (is_c1) {
      escape(static_cast<unsigned char>(text[++at]));
    } else if ((code < 0x20 && code != '\n' && code != '\t') || code == 0x7F) {
      escape(code);
    } else {
      shown += text[at];
    }
  }
  return shown;
}

std::string ending_text(const session::CloseInfo& info) {
  std::string text = ending_of(info) + ", code " + std::to_string(info.code);
  if (!info.reason.empty()) text += " " + printable(info.reason);
  return text;
}

}  // namespace fanfare::app
