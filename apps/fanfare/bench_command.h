#pragma once
// `fanfare bench URL`: connects, loads, tells what came of it.

#include <ostream>

#include "arguments.h"

namespace fanfare::app {

// The exit status: 0; 1 when a connection could not be made or was lost, or an answer was wrong; 2 for a
// wrong flag. The result goes to `out`, progress and complaints to `notes`.
int run_bench(const BenchArguments& arguments, std::ostream& out, std::ostream& notes);

}  // namespace fanfare::app
