#pragma once
// `fanfare bench URL`: connects, runs the load, prints the result.

#include <ostream>

#include "arguments.h"

namespace fanfare::app {

// Returns the exit status: 0; 1 if a connection failed or was lost, or an answer was wrong; 2 for an invalid
// flag. The result goes to `out`, progress and errors to `notes`.
int run_bench(const BenchArguments& arguments, std::ostream& out, std::ostream& notes);

}  // namespace fanfare::app
