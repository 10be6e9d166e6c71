#pragma once
// `fanfare size`: plans the machines for a number of clients.

#include <ostream>

#include "size/flags.h"

namespace fanfare::app {

// Returns the exit status: 0 with the plans on `out`, or 2 with one error on `complaints`.
int run_size(const SizeArguments& arguments, std::ostream& out, std::ostream& complaints);

}  // namespace fanfare::app
