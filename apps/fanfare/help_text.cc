#include "help_text.h"

#include <algorithm>

namespace fanfare::app {
namespace {

// CLI11's default, where descriptions begin unless the option's name is longer.
constexpr std::size_t kDescriptionColumn = 30;

// Where the line continues: where the description begins, after "  -x,--execute TEXT ...   ". A name that fills
// the column is followed by one space only.
std::size_t continuation_of(std::string_view line) {
  const std::size_t indent = std::min(line.find_first_not_of(' '), line.size());
  if (!line.substr(indent).starts_with('-')) return indent;
  if (line.size() > kDescriptionColumn && line[kDescriptionColumn - 1] == ' ' &&
      line[kDescriptionColumn] != ' ') {
    return kDescriptionColumn;
  }
  const std::size_t gap = line.find("  ", indent);
  const std::size_t text = gap == std::string_view::npos ? gap : line.find_first_not_of(' ', gap);
  return text == std::string_view::npos ? indent : text;
}

void append_fitted(std::string& out, std::string_view line, std::size_t columns) {
  const std::size_t continuation = continuation_of(line);
  std::string rest(line);
  while (rest.size() > columns) {
    const std::size_t space = rest.rfind(' ', columns);
    if (space == std::string::npos || space <= continuation) break;
    out += rest.substr(0, rest.find_last_not_of(' ', space) + 1) + "\n";
    rest = std::string(continuation, ' ') + rest.substr(space + 1);
  }
  out += rest;
}

}  // namespace

std::string fit_to_columns(std::string_view help, std::size_t columns) {
  std::string out;
  for (std::size_t begin = 0; begin < help.size();) {
    const std::size_t end = std::min(help.find('\n', begin), help.size());
    const std::string_view line = help.substr(begin, end - begin);
    if (line.starts_with("  fanfare ")) {
      out += line;
    } else {
      append_fitted(out, line, columns);
    }
    if (end < help.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

}  // namespace fanfare::app
