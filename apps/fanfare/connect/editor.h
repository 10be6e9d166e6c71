#pragma once
// An editable line with a history, for a terminal in raw mode. Takes keyboard bytes and returns lines; does
// no I/O. One thread.
//
// Keys: left, right, Home/Ctrl-A, End/Ctrl-E, Backspace, Delete, Ctrl-U (all before the cursor), Ctrl-K (all
// after it), up and down for the history, Ctrl-C and Ctrl-D on an empty line to leave.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::app {

class LineEditor {
 public:
  struct Typed {
    std::vector<std::string> lines;  // finished with Enter, without empty ones
    bool leave = false;              // Ctrl-C, or Ctrl-D on an empty line; what follows is ignored
  };
  Typed type(std::string_view bytes);

  // The output that draws prompt and line from the first column, and places the cursor. If the line is wider
  // than `columns`, draws the part at the cursor.
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

  // The size of the history.
  static constexpr std::size_t kHistoryMax = 1000;

  std::string line_;
  std::size_t cursor_ = 0;  // byte offset in line_, at the beginning of a character
  std::vector<std::string> history_;
  std::size_t recalled_ = 0;  // index in history_; its size: the new line
  std::string unfinished_;    // the new line, while a history line is shown
  Escape escape_ = Escape::none;
  std::string parameters_;  // of the escape sequence
};

}  // namespace fanfare::app
