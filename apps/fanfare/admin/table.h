#pragma once
// Tables of JSON objects for a terminal.

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace fanfare::app {

// How a member is shown.
enum class Show { text, number, bytes, seconds, yes_no };

struct Column {
  std::string_view title;
  std::string_view member;
  Show show = Show::text;
  std::size_t width_max = 40;  // longer text is cut
};

// A member of an object for people: "-" for null, an empty text and a missing one.
std::string shown(std::string_view object, const Column& column);

// One line for the titles and one for each object of the array `list`. Lines are at most `width` wide, if that is not 0.
std::vector<std::string> table_lines(std::string_view list, const std::vector<Column>& columns,
                                     std::size_t width = 0);

// Text of clients could have commands for the terminal, or break a line: control characters become "?".
std::string line_text(std::string_view text);
// "1.5 MiB", "1h02m", "12.3k"
std::string bytes_text(double bytes);
std::string seconds_text(double seconds);
std::string count_text(double count);
// The first `width` characters, or all of them with spaces behind.
std::string fitted(std::string_view text, std::size_t width);
// Characters of valid UTF-8.
std::size_t width_of(std::string_view text);

}  // namespace fanfare::app
