#pragma once
// The output of `fanfare connect`: messages to standard output, everything else to standard error, and in
// interactive use the prompt below. One thread.

#include <ostream>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "connect/editor.h"

namespace fanfare::app {

struct ScreenOptions {
  bool prompt = false;  // the input is a terminal, too: directions are marked and the line redrawn
  bool colours = false;
  bool readable = false;  // the output is a terminal: see message()
  bool whole = false;     // never shortens a message
  int terminal = -1;      // its descriptor, used to get its width; -1: 80 columns
};

class Screen {
 public:
  // The streams must outlive this object.
  Screen(std::ostream& out, std::ostream& complaints, const ScreenOptions& options)
      : out_(out), complaints_(complaints), options_(options) {}

  // Scripts get the bytes unchanged and a newline. At a terminal control characters are visible, JSON has
  // colours, and a head is one line (unless `whole`). With a prompt, messages are marked, too.
  void message(std::string_view text);
  void binary_message(Bytes payload);
  // A message about the connection; only with a prompt.
  void notice(std::string_view text);

  // Handles keyboard bytes; only with a prompt.
  LineEditor::Typed type(std::string_view bytes);
  // Draws the prompt, or removes it finally.
  void draw();
  void leave();
  bool has_prompt() const { return options_.prompt; }

 private:
  std::string shown(std::string_view text) const;
  void line(std::ostream& stream, std::string_view colour, std::string_view mark, std::string_view text);

  std::ostream& out_;
  std::ostream& complaints_;
  ScreenOptions options_;
  LineEditor editor_;
};

}  // namespace fanfare::app
