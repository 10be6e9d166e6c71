#include "connect/command.h"

#include <termios.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "connect/conversation.h"
#include "connect/screen.h"
#include "connect/words.h"
#include "duration_flag.h"

namespace fanfare::app {
namespace {

// Puts the terminal into raw mode, and restores it at the end.
class RawTerminal {
 public:
  explicit RawTerminal(int descriptor) : descriptor_(descriptor) {
    if (descriptor_ < 0 || ::tcgetattr(descriptor_, &before_) != 0) {
      descriptor_ = -1;
      return;
    }
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_iflag &= ~static_cast<tcflag_t>(IXON | ICRNL);
    ::tcsetattr(descriptor_, TCSADRAIN, &raw);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;
  ~RawTerminal() {
    if (descriptor_ >= 0) ::tcsetattr(descriptor_, TCSADRAIN, &before_);
  }

 private:
  int descriptor_;
  termios before_{};
};

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

bool terminal_can_draw() {
  const char* kind = std::getenv("TERM");
  return kind == nullptr || std::string_view(kind) != "dumb";
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin);
}

}  // namespace

std::expected<session::ClientOptions, std::string> client_options_of(const ConnectArguments& arguments) {
  session::ClientOptions options;
  options.url = arguments.url;
  for (const std::string& header : arguments.headers) {
    const std::size_t colon = header.find(':');
    if (colon == 0 || colon == std::string::npos) {
      return std::unexpected("--header '" + header + "': expected 'Name: value'");
    }
    options.headers.push_back({.name = header.substr(0, colon),
                               .value = std::string(trimmed(std::string_view(header).substr(colon + 1)))});
  }
  options.subprotocols = arguments.subprotocols;
  options.origin = arguments.origin;
  options.proxy = arguments.proxy;
  options.tls.ca_file = arguments.ca_file;
  options.tls.verify = !arguments.insecure;
  options.deflate.enabled = !arguments.no_deflate;
  options.reconnect.enabled = arguments.reconnect;
  return options;
}

int status_of(const session::CloseInfo& info) {
  switch (info.cause) {
    case session::Cause::we_closed:
      return kConnectDone;
    case session::Cause::peer_closed:
      return info.code == 1000 || info.code == 1005 ? kConnectDone : kConnectLost;
    case session::Cause::rule_broken:
    case session::Cause::slow_consumer:
    case session::Cause::pong_timeout:
    case session::Cause::idle_timeout:
    case session::Cause::connection_lost:
    case session::Cause::shut_down:
      return kConnectLost;
  }
  return kConnectLost;
}

int run_connect(const ConnectArguments& arguments, std::ostream& out, std::ostream& complaints) {
  const auto usage = [&](const std::string& text) {
    complaints << "fanfare connect: " << text << "\n";
    return kConnectUsage;
  };
  auto options = client_options_of(arguments);
  if (!options) return usage(options.error());
  std::optional<Duration> wait;
  if (arguments.wait) {
    const auto parsed = parse_duration_flag("--wait", *arguments.wait);
    if (!parsed) return usage(parsed.error());
    wait = *parsed;
  }
  if (arguments.binary) {
    for (const std::string& text : arguments.texts) {
      auto bytes = from_hex(text);
      if (!bytes) return usage("-x '" + text + "': " + bytes.error());
    }
  }

  const bool reads_input = arguments.texts.empty();
  const bool prompt =
      reads_input && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1 && terminal_can_draw();
  const bool is_terminal = ::isatty(STDOUT_FILENO) == 1;
  Screen screen(out, complaints,
                {.prompt = prompt,
                 .colours = is_terminal && terminal_can_draw() && !is_set("NO_COLOR"),
                 .readable = is_terminal,
                 .whole = arguments.verbose,
                 .terminal = STDOUT_FILENO});
  auto loop = net::Loop::create({.streams_max = 1});
  if (!loop) {
    complaints << "fanfare connect: " << loop.error().message() << "\n";
    return kConnectFailed;
  }
  const RawTerminal raw(prompt ? STDIN_FILENO : -1);
  Conversation conversation(**loop, std::move(*options), arguments, wait, screen);
  return conversation.run(reads_input ? STDIN_FILENO : -1);
}

}  // namespace fanfare::app
