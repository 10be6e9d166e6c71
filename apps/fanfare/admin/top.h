#pragma once
// `fanfare top`: a running server at a glance, again and again.

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "admin/flags.h"

namespace fanfare::app {

// What the server answered at one moment: JSON texts.
struct TopSample {
  std::string status;
  std::string networks;
  std::string streams;
  std::string rooms;
  std::string connections;  // sorted
};

struct TopView {
  std::string address;      // of the server
  std::string sort;         // of the connections
  double seconds = 0;       // between the two samples
  std::size_t columns = 0;  // 0: any number
  std::size_t rows = 0;     // 0: any number
};

// The lines of one look. `before`: null for the first one, which has no rates. Exposed for its test.
std::vector<std::string> top_lines(const TopSample& now, const TopSample* before, const TopView& view);

// Returns the exit status: 0; 1: the server cannot be reached.
int run_top(const TopArguments& arguments, std::ostream& out, std::ostream& complaints);

}  // namespace fanfare::app
