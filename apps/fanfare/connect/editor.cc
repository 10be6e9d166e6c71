#include "connect/editor.h"

#include <algorithm>
#include <utility>

namespace fanfare::app {
namespace {

constexpr char key(char letter) {
  return static_cast<char>(letter - '@');
}  // with Ctrl

// A continuation byte of a UTF-8 character.
bool continues(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0) == 0x80;
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char byte) { return !continues(byte); }));
}

}  // namespace

LineEditor::Typed LineEditor::type(std::string_view bytes) {
  Typed typed;
  for (const char sign : bytes) {
    if (typed.leave) break;
    if (escape_ != Escape::none) {
      escaped(sign);
    } else if (static_cast<unsigned char>(sign) < 0x20 || sign == 0x7F) {
      control(sign, typed);
    } else {
      insert(sign);
    }
  }
  return typed;
}

void LineEditor::insert(char sign) {
  line_.insert(line_.begin() + static_cast<std::ptrdiff_t>(cursor_++), sign);
}

void LineEditor::finish(Typed& typed) {
  if (!line_.empty()) {
    if (history_.empty() || history_.back() != line_) history_.push_back(line_);
    if (history_.size() > kHistoryMax) history_.erase(history_.begin());
    typed.lines.push_back(std::exchange(line_, {}));
  }
  cursor_ = 0;
  recalled_ = history_.size();
  unfinished_.clear();
}

void LineEditor::control(char sign, Typed& typed) {
  switch (sign) {
    case '\r':
    case '\n':
      finish(typed);
      break;
    case '\t':
      insert(sign);
      break;
    case '\x1B':
      escape_ = Escape::begun;
      break;
    case key('C'):
      typed.leave = true;
      break;
    case key('D'):
      if (line_.empty()) {
        typed.leave = true;
      } else {
        erase_at_cursor();
      }
      break;
    case key('A'):
      cursor_ = 0;
      break;
    case key('E'):
      cursor_ = line_.size();
      break;
    case key('U'):
      line_.erase(0, std::exchange(cursor_, 0));
      break;
    case key('K'):
      line_.resize(cursor_);
      break;
    case key('H'):
    case '\x7F':
      if (cursor_ > 0) {
        left();
        erase_at_cursor();
      }
      break;
    default:  // any other key does nothing
      break;
  }
}

// ESC [ parameters letter, or ESC O letter.
void LineEditor::escaped(char sign) {
  if (escape_ == Escape::begun) {
    escape_ = sign == '[' || sign == 'O' ? Escape::bracket : Escape::none;
    parameters_.clear();
    return;
  }
  if ((sign >= '0' && sign <= '9') || sign == ';') {
    parameters_ += sign;
    return;
  }
  escape_ = Escape::none;
  if (sign == 'A' && recalled_ > 0) recall(recalled_ - 1);
  if (sign == 'B' && recalled_ < history_.size()) recall(recalled_ + 1);
  if (sign == 'C') right();
  if (sign == 'D') left();
  if (sign == 'H' || (sign == '~' && parameters_ == "1")) cursor_ = 0;
  if (sign == 'F' || (sign == '~' && parameters_ == "4")) cursor_ = line_.size();
  if (sign == '~' && parameters_ == "3") erase_at_cursor();
}

void LineEditor::left() {
  if (cursor_ == 0) return;
  --cursor_;
  while (cursor_ > 0 && continues(line_[cursor_])) --cursor_;
}

void LineEditor::right() {
  if (cursor_ == line_.size()) return;
  ++cursor_;
  while (cursor_ < line_.size() && continues(line_[cursor_])) ++cursor_;
}

void LineEditor::erase_at_cursor() {
  const std::size_t begin = cursor_;
  right();
  line_.erase(begin, cursor_ - begin);
  cursor_ = begin;
}

void LineEditor::recall(std::size_t index) {
  if (recalled_ == history_.size()) unfinished_ = line_;
  recalled_ = index;
  line_ = index == history_.size() ? unfinished_ : history_[index];
  cursor_ = line_.size();
}

std::string LineEditor::drawn(std::string_view prompt, std::size_t columns) const {
  // The last column stays empty, because a terminal would wrap there.
  const std::size_t room = columns > prompt.size() + 2 ? columns - prompt.size() - 1 : 1;
  std::size_t begin = 0;
  while (characters(std::string_view(line_).substr(begin, cursor_ - begin)) > room) {
    do ++begin;
    while (continues(line_[begin]));
  }
  std::size_t end = begin;
  for (std::size_t shown = 0; end < line_.size(); ++end) {
    if (!continues(line_[end]) && ++shown > room) break;
  }
  std::string text = "\r\x1B[K" + std::string(prompt) + line_.substr(begin, end - begin);
  const std::size_t behind = characters(std::string_view(line_).substr(cursor_, end - cursor_));
  if (behind > 0) text += "\x1B[" + std::to_string(behind) + "D";
  return text;
}

}  // namespace fanfare::app
