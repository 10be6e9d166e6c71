#pragma once
// One editable line with a history, for a terminal in raw mode. Bytes of the keyboard in, lines out; it does
// no I/O itself. One thread.
//
// Keys: left, right, Home/Ctrl-A, End/Ctrl-E, Backspace, Delete, Ctrl-U (all before the cursor), Ctrl-K (all
// behind it), up and down for the history, Ctrl-C and Ctrl-D on an empty line to leave.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::app {

class LineEditor {
 public:
  struct Typed {
    std::vector<std::string> lines;  // finished with Enter, empty ones left out
    bool leave = false;              // Ctrl-C, or Ctrl-D on an empty line; what follows is ignored
  };
  Typed type(std::string_view bytes);

  // What draws the prompt and the line from the first column on, the cursor where it belongs. Of a line that
  // is wider than `columns` the part at the cursor.
  std::string drawn(std::string_view prompt, std::size_t columns) const;
  const std::string& line() const { return line_; }

 private:
  enum class Escape : unsigned char { none, begun, bracket };

  void insert(char sign);
  void finish(Typed& typed);
  void control(char sign, Typed& typed);
  void escaped(char sign);
  void left();
  void right();
  void erase_at_cursor();
  void recall(std::size_t index);

  // Lines kept for the up key.
  static constexpr std::size_t kHistoryMax = 1000;

  std::string line_;
  std::size_t cursor_ = 0;  // byte offset in line_, at the beginning of a character
  std::vector<std::string> history_;
  std::size_t recalled_ = 0;  // index in history_; its size: the new line
  std::string unfinished_;    // the new line, while an old one is shown
  Escape escape_ = Escape::none;
  std::string parameters_;  // of the escape sequence
};

}  // namespace fanfare::app
