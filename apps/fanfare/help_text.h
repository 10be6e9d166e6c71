#pragma once
// Help within the width of a terminal.

#include <cstddef>
#include <string>
#include <string_view>

namespace fanfare::app {

inline constexpr std::size_t kHelpColumns = 80;

// Breaks lines of CLI11's help between words. The rest of a flag's description continues in the column in which
// it began; other lines continue in their own indentation. Lines that begin with "  fanfare" are commands to copy
// and stay whole.
std::string fit_to_columns(std::string_view help, std::size_t columns = kHelpColumns);

}  // namespace fanfare::app
