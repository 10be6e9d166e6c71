#pragma once
// What `fanfare --version` prints, for bug reports and for comparing two machines.

#include <string>

namespace fanfare::app {

// The first line is "fanfare VERSION". A line for each of: commit, compiler, event loops, and each library. Ends without a newline.
// Where a shared library can tell, its version is the one that runs, not the one of the build. (libdeflate and liburing cannot.)
std::string version_text();

}  // namespace fanfare::app
