#pragma once
// The end of a command that prints its result: it has failed if the result could not be written.

#include <iosfwd>

namespace fanfare::app {

// The status of a command that has ended with `status`: 1 in place of 0 if its output is lost, with a line for the user.
int finish_output(std::ostream& out, std::ostream& complaints, int status);

}  // namespace fanfare::app
