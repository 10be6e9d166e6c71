#pragma once
// Where `fanfare connect` writes: messages to standard output, everything else to standard error, and for
// people the prompt below it all. One thread.

#include <ostream>
#include <string_view>

#include "base/bytes.h"
#include "connect_editor.h"

namespace fanfare::app {

struct ScreenOptions {
  bool prompt = false;   // the input is a terminal, too: directions are marked and the line redrawn
  bool colours = false;  // never without `prompt`
  int terminal = -1;     // its descriptor, asked for its width; -1: 80 columns
};

class Screen {
 public:
  // The streams outlive it.
  Screen(std::ostream& out, std::ostream& complaints, const ScreenOptions& options)
      : out_(out), complaints_(complaints), options_(options) {}

  // Scripts get the bytes as they are and a newline; people see them marked, control characters made visible.
  void message(std::string_view text);
  void binary_message(Bytes payload);
  // About the connection, for people only.
  void notice(std::string_view text);

  // What the terminal's keyboard sent; with a prompt only.
  LineEditor::Typed type(std::string_view bytes);
  // Draws the prompt, or takes it away for good.
  void draw();
  void leave();
  bool has_prompt() const { return options_.prompt; }

 private:
  void line(std::ostream& stream, std::string_view colour, std::string_view mark, std::string_view text);

  std::ostream& out_;
  std::ostream& complaints_;
  ScreenOptions options_;
  LineEditor editor_;
};

}  // namespace fanfare::app
