#pragma once
// `fanfare admin`: one request to a running server, and its answer for people.

#include <ostream>
#include <string>

#include "admin/flags.h"

namespace fanfare::app {

// Returns the exit status: 0; 1: the server cannot be reached or refused; 2: an argument is wrong.
int run_admin(const AdminArguments& arguments, std::ostream& out, std::ostream& complaints);

// "?network=main%2F1&limit=10" of the filters; empty if there are none. Exposed for its test.
std::string filter_query(const AdminArguments& arguments);

}  // namespace fanfare::app
