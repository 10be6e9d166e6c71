#include "connect/screen.h"

#include <sys/ioctl.h>

#include <string>

#include "connect/shown.h"
#include "connect/words.h"

namespace fanfare::app {
namespace {

constexpr std::string_view kGreen = "\x1B[32m";
constexpr std::string_view kCyan = "\x1B[36m";
constexpr std::string_view kDim = "\x1B[2m";
constexpr std::string_view kPlain = "\x1B[0m";
constexpr std::string_view kClear = "\r\x1B[K";

std::size_t width_of(int terminal) {
  winsize size{};
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-vararg): there is no other API
  if (terminal < 0 || ::ioctl(terminal, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

void Screen::line(std::ostream& stream, std::string_view colour, std::string_view mark,
                  std::string_view text) {
  if (options_.prompt) out_ << kClear << std::flush;
  const bool colours = options_.prompt && options_.colours;
  if (colours) stream << colour;
  stream << mark << printable(text);
  if (colours) stream << kPlain;
  stream << "\n" << std::flush;
  draw();
}

std::string Screen::shown(std::string_view text) const {
  if (!options_.whole) {
    if (const auto head = head_line(text)) return printable(*head);
  }
  return options_.colours ? coloured_json(printable(text)) : printable(text);
}

void Screen::message(std::string_view text) {
  if (!options_.prompt && !options_.readable) {
    out_ << text << "\n" << std::flush;
    return;
  }
  if (options_.prompt) out_ << kClear << std::flush;
  if (options_.prompt && options_.colours) out_ << kGreen;
  out_ << (options_.prompt ? "< " : "");
  if (options_.prompt && options_.colours) out_ << kPlain;
  out_ << shown(text);
  if (options_.colours) out_ << kPlain;
  out_ << "\n" << std::flush;
  draw();
}

void Screen::binary_message(Bytes payload) {
  message(to_hex(payload));
}

void Screen::notice(std::string_view text) {
  line(complaints_, kDim, options_.prompt ? "* " : "fanfare connect: ", text);
}

LineEditor::Typed Screen::type(std::string_view bytes) {
  LineEditor::Typed typed = editor_.type(bytes);
  for (const std::string& sent : typed.lines) line(out_, kCyan, "> ", sent);
  draw();
  return typed;
}

void Screen::draw() {
  if (options_.prompt) out_ << editor_.drawn("> ", width_of(options_.terminal)) << std::flush;
}

void Screen::leave() {
  if (options_.prompt) out_ << kClear << std::flush;
  options_.prompt = false;
  options_.colours = false;
}

}  // namespace fanfare::app
